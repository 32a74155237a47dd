// Compiles src, test, scripts and examples into build/, incrementally; one compilation at a time.
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { copyAssets } from "./files.mjs";
import { root, run, tsc } from "./process.mjs";

const build = join(root, "build");
const lock = join(build, ".compiling");

/** @param {number} pid */
function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === "EPERM";
  }
}

async function takeLock() {
  await mkdir(build, { recursive: true });
  for (;;) {
    try {
      await writeFile(lock, String(process.pid), { flag: "wx" });
      return;
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EEXIST") throw error;
    }
    const holder = Number(await readFile(lock, "utf8").catch(() => ""));
    if (holder > 0 && !alive(holder)) await rm(lock, { force: true });
    else await sleep(100);
  }
}

/**
 * Compiles the tests and answers what the compiler said; what has no type error of its own runs all the same.
 * @returns {Promise<{ ok: boolean, output: string }>}
 */
export async function compileTests() {
  await takeLock();
  try {
    const { code, output } = await run(process.execPath, [tsc, "-p", "tsconfig.test.json"], { capture: true });
    await copyAssets(join(root, "src"), join(build, "src"));
    await copyAssets(join(root, "test"), join(build, "test"));
    return { ok: code === 0, output };
  } finally {
    await rm(lock, { force: true });
  }
}
