// `npm run demo`: real documents through a Fastify application on SQLite, then a worker that is stopped in mid-work.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { root, run, tsc } from "./process.mjs";

const example = join(root, "build", "demo", "indexer");
const bin = join(root, "dist", "cli", "bin.js");
const work = await mkdtemp(join(tmpdir(), "sidereal-demo-"));
const env = { ...process.env, INDEXER_DB: join(work, "indexer.db") };
const roots = [join(root, "node_modules"), join(root, "docs"), join(work, "odd")];
/** @type {Set<import("node:child_process").ChildProcess>} */
const children = new Set();

/** @typedef {{ pending: number, scheduled: number, running: number, completed: number, failed: number, cancelled: number, total: number }} Counts */

function say(text = "") {
  process.stdout.write(`${text}\n`);
}

/** @param {string} title */
function step(title) {
  say(`\n── ${title} ${"─".repeat(Math.max(0, 76 - title.length))}`);
}

/**
 * @param {boolean} holds
 * @param {string} what
 */
function check(holds, what) {
  if (!holds) throw new Error(`the demo expected: ${what}`);
  say(`  ✓ ${what}`);
}

/**
 * Starts a child; its stderr is shown with a prefix.
 * @param {string} name
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} [more]
 */
function start(name, args, more = {}) {
  const child = spawn(process.execPath, [...args], { env: { ...env, ...more }, stdio: ["ignore", "pipe", "pipe"] });
  children.add(child);
  child.once("exit", () => children.delete(child));
  createInterface({ input: child.stderr }).on("line", (line) => say(`  ${name}: ${line.replaceAll(work, "…")}`));
  return child;
}

/**
 * Ends a child and answers its exit code.
 * @param {import("node:child_process").ChildProcess} child
 * @param {NodeJS.Signals} [signal]
 */
async function stop(child, signal = "SIGTERM") {
  const exit = once(child, "exit");
  child.kill(signal);
  const [code] = await exit;
  return code;
}

/** @param {NodeJS.ProcessEnv} more */
async function server(more) {
  const child = start("server", [join(example, "server.js")], more);
  const first = once(createInterface({ input: child.stdout }), "line");
  const died = once(child, "exit").then(([code]) => Promise.reject(new Error(`the server ended with code ${code}`)));
  died.catch(() => {});
  const [url] = await Promise.race([first, died]);
  return { child, url };
}

/**
 * @param {string} url
 * @param {string} path
 * @param {unknown} [body] - Sent as JSON by POST; without one it is a GET.
 * @returns {Promise<any>}
 */
async function ask(url, path, body) {
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
function bar(done, total, note) {
  const width = 40;
  const filled = total === 0 ? width : Math.round((done / total) * width);
  const line = `  [${"█".repeat(filled)}${"·".repeat(width - filled)}] ${done}/${total} ${note}`;
  if (process.stdout.isTTY) process.stdout.write(`\r${line.padEnd(100)}`);
  else say(line);
}

/**
 * Draws the counts until the condition holds.
 * @param {string} url
 * @param {number} total
 * @param {(counts: Counts) => boolean} until
 */
async function watch(url, total, until) {
  let last = "";
  for (;;) {
    const counts = await ask(url, "/counts");
    const done = counts.completed + counts.failed + counts.cancelled;
    const note = `pending ${counts.pending + counts.scheduled}, running ${counts.running}`;
    if (`${done} ${note}` !== last) bar(done, total, note);
    last = `${done} ${note}`;
    if (until(counts)) {
      if (process.stdout.isTTY) say();
      return counts;
    }
    await pause(60);
  }
}

async function indexing() {
  step("A Fastify application on SQLite indexes the Markdown of the installed packages");
  const { child, url } = await server({});
  const { files } = await ask(url, "/index", { roots });
  say(`  ${files} files, one task each; one more that fails once; one that never ends until it is cancelled`);
  await watch(url, files + 2, (counts) => counts.completed >= files + 1);
  await ask(url, "/cancel", {});
  await watch(url, files + 2, (counts) => counts.cancelled === 1);
  const report = await ask(url, "/report");
  say("\n  most frequent headings");
  for (const [heading, uses] of report.headings) say(`    ${String(uses).padStart(4)}  ${heading}`);
  say(`\n  slowest file: ${relative(root, report.slowest.path)} (${report.slowest.milliseconds.toFixed(1)} ms)\n`);
  check(report.indexed === files && report.failed === 0, `every file is indexed (${report.indexed} of ${files})`);
  check(
    report.damaged.some((/** @type {string} */ path) => path.endsWith("latin1.md")),
    "a file that is not valid UTF-8 is indexed as well as it can be read",
  );
  check(report.publishedAtAttempt === 2, "the task that failed once succeeded at its second attempt");
  check(report.watching.status === "cancelled", `the endless task was cancelled: ${report.watching.reason}`);
  say("\n  $ sidereal status    (a second process)");
  const status = await run(process.execPath, [bin, "status", "--app", join(example, "queues.js")], {
    capture: true,
    env,
  });
  say(status.output.replace(/^/gmu, "  ").trimEnd());
  check(status.code === 0, "sidereal status exits 0");
  check((await stop(child)) === 0, "the server drains and exits 0");
  return files;
}

/**
 * @param {number} files
 * @param {number} before - Records that are in the store already.
 */
async function archiving(files, before) {
  step("A standalone `sidereal run` on the same file, stopped in the middle of its work");
  const { child, url } = await server({ INDEXER_WORKER: "off" });
  const into = join(work, "archive");
  await ask(url, "/archive", { roots, into });
  const total = before + files;
  const args = [bin, "run", "--app", join(example, "queues.js"), "--queue", "archive", "--drain-timeout", "20"];
  const first = start("worker 1", args);
  await watch(url, total, (counts) => counts.completed + counts.cancelled >= before + files / 4);
  say("  SIGTERM");
  check((await stop(first)) === 0, "worker 1 drains and exits 0");
  const counts = await ask(url, "/counts");
  check(counts.running === 0, `nothing is left running; ${counts.pending} tasks wait for another worker`);
  check(counts.pending > 0 && counts.total === total, "it was in the middle of its work, and every record is there");
  const second = start("worker 2", args);
  await watch(url, total, (now) => now.completed + now.cancelled === total);
  check((await stop(second)) === 0, "worker 2 exits 0");
  const ledger = (await readFile(join(into, "ledger.txt"), "utf8")).trim().split("\n");
  const archived = new Set(ledger.map((line) => line.split(" ")[0]));
  check(
    archived.size === files && ledger.length === files,
    `${files} files, ${ledger.length} archived, none twice, none lost`,
  );
  check((await stop(child)) === 0, "the server exits 0");
}

try {
  const began = performance.now();
  say("building …");
  const build = await run(process.execPath, [join(root, "scripts", "build.mjs")], { capture: true });
  const compiled = await run(process.execPath, [tsc, "-p", "tsconfig.examples.json"], { capture: true });
  if (build.code !== 0 || compiled.code !== 0) throw new Error(`the build failed:\n${build.output}${compiled.output}`);
  const odd = join(work, "odd", "latin1.md");
  await mkdir(dirname(odd), { recursive: true });
  await writeFile(
    odd,
    Buffer.concat([Buffer.from("# Caf"), Buffer.from([0xe9, 0x0a, 0x00, 0xff]), Buffer.from("\n## Usage\n")]),
  );
  const files = await indexing();
  await archiving(files, files + 2);
  say(
    `\nThe demo took ${((performance.now() - began) / 1000).toFixed(1)} s. Records are what ${basename(env.INDEXER_DB)} kept; tasks are in examples/indexer.`,
  );
} catch (error) {
  say(`\n✗ ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  for (const child of children) child.kill("SIGKILL");
  await rm(work, { recursive: true, force: true });
}
