/** Makes a copy of the compiled core and simulation with a bug in it, and runs seeds there until one turns red. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { PlantedBug } from "./bugs.ts";

const build = fileURLToPath(new URL("../../../", import.meta.url));
const PARTS = ["src/model", "src/host", "src/contracts", "src/core", "src/backends/memory", "src/testing"];
const FILES = ["src/index.js", "src/sidereal.js", "test/simulation"];

export interface Red {
  readonly seed: number;
  readonly invariant: string;
}

/** The first seed that turns red in a copy with the bug below the folder; null when none of them does. @param flags - Of the simulation. */
export async function firstRed(
  folder: string,
  { edits, from = 1 }: PlantedBug,
  seeds: number,
  flags: readonly string[] = [],
): Promise<Red | null> {
  await mkdir(folder, { recursive: true });
  for (const part of [...PARTS, ...FILES]) await cp(join(build, part), join(folder, part), { recursive: true });
  for (const [file, text, mutation] of edits) {
    const path = join(folder, "src", file);
    const code = await readFile(path, "utf8");
    assert.equal(code.split(text).length - 1, 1, `${JSON.stringify(text)} occurs in ${file} once`);
    await writeFile(
      path,
      code.replace(text, () => mutation),
    );
  }
  const { code, output } = await run(join(folder, "test/simulation/main.js"), from, seeds, flags);
  if (code === 0) return null;
  const found = /^seed (\d+)\n {2}([\w-]+): /mu.exec(output);
  assert.ok(found, `the simulation ended with ${code} and said:\n${output.slice(-2_000)}`);
  return { seed: Number(found[1]), invariant: found[2] as string };
}

function run(
  main: string,
  from: number,
  seeds: number,
  flags: readonly string[],
): Promise<{ code: number | null; output: string }> {
  const all = [main, "--until-red", "--from", String(from), "--seeds", String(seeds), ...flags];
  const child = spawn(process.execPath, all, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk) => {
      output += chunk;
    });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, output }));
  });
}
