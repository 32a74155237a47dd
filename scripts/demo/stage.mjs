// What the demonstrations share: a folder, processes of their own, HTTP, and what is shown of it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { root } from "../process.mjs";

/** The program `sidereal`, built. */
export const bin = join(root, "dist", "cli", "bin.js");

/** The examples, compiled. */
export const examples = join(root, "build", "examples");

/** A folder that `clear` removes. */
export const work = await mkdtemp(join(tmpdir(), "sidereal-demo-"));

/** @type {Set<import("node:child_process").ChildProcess>} */
const children = new Set();
/** @type {(() => Promise<void>)[]} */
const farewells = [];

/**
 * Does this when the demonstration is over, however it ends; the last one first.
 * @param {() => Promise<void>} action
 */
export function atEnd(action) {
  farewells.unshift(action);
}

/** Ends what still runs, and removes what was made. */
export async function clear() {
  for (const child of children) child.kill("SIGKILL");
  for (const action of farewells.splice(0)) await action();
  await rm(work, { recursive: true, force: true });
}

export function say(text = "") {
  process.stdout.write(`${text}\n`);
}

/** @param {string} title */
export function step(title) {
  say(`\n── ${title} ${"─".repeat(Math.max(0, 76 - title.length))}`);
}

/**
 * @param {boolean} holds
 * @param {string} what
 */
export function check(holds, what) {
  if (!holds) throw new Error(`the demo expected: ${what}`);
  say(`  ✓ ${what}`);
}

/**
 * Starts a child in the demonstration's folder; its stderr is shown with a prefix.
 * @param {string} name
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 */
export function start(name, args, env = {}) {
  const child = spawn(process.execPath, [...args], {
    cwd: work,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.add(child);
  child.once("exit", () => children.delete(child));
  createInterface({ input: child.stderr }).on("line", (line) => say(`  ${name}: ${line.replaceAll(work, "…")}`));
  return child;
}

/**
 * Starts a standalone worker, and waits until it claims.
 * @param {string} name
 * @param {readonly string[]} args - Of `sidereal run`.
 * @param {NodeJS.ProcessEnv} [env]
 */
export async function worker(name, args, env) {
  const child = start(name, [bin, "run", ...args], env);
  await begun(name, child, (heard) =>
    createInterface({ input: child.stderr }).on("line", (line) => {
      if (line.startsWith("sidereal worker started")) heard("");
    }),
  );
  return child;
}

/**
 * Starts a server that says on its first line where it listens.
 * @param {string} file
 * @param {NodeJS.ProcessEnv} env
 */
export async function server(file, env) {
  const child = start("server", [file], env);
  const url = await begun("the server", child, (heard) => createInterface({ input: child.stdout }).once("line", heard));
  return { child, url };
}

/**
 * @param {string} name
 * @param {import("node:child_process").ChildProcess} child
 * @param {(heard: (text: string) => void) => void} listen
 * @returns {Promise<string>}
 */
function begun(name, child, listen) {
  return new Promise((resolve, reject) => {
    listen(resolve);
    child.once("exit", (code, signal) => reject(new Error(`${name} ended with ${signal ?? `code ${code}`}`)));
  });
}

/**
 * Ends a child and answers its exit code.
 * @param {import("node:child_process").ChildProcess} child
 */
export async function stop(child) {
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  const [code] = await exit;
  return code;
}

/**
 * @param {string} url
 * @param {string} path
 * @param {unknown} [body] - Sent as JSON by POST; without one it is a GET.
 * @returns {Promise<any>}
 */
export async function ask(url, path, body) {
  const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(new URL(path, url), body === undefined ? {} : init);
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
  return response.json();
}

/**
 * @param {number} done
 * @param {number} total
 * @param {string} note
 */
export function bar(done, total, note) {
  const width = 40;
  const filled = total === 0 ? width : Math.round((done / total) * width);
  const line = `  [${"█".repeat(filled)}${"·".repeat(width - filled)}] ${done}/${total} ${note}`;
  if (process.stdout.isTTY) process.stdout.write(`\r${line.padEnd(100)}`);
  else say(line);
}
