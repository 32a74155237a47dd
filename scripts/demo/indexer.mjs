// The demonstration on SQLite: real documents through a Fastify application, then a worker that is stopped in mid-work.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { root, run } from "../process.mjs";
import { ask, bar, bin, check, examples, say, server, start, step, stop, work } from "./stage.mjs";

const example = join(examples, "indexer");
const env = { INDEXER_DB: join(work, "indexer.db") };
const roots = [join(root, "node_modules"), join(root, "docs"), join(work, "odd")];

/** @typedef {{ pending: number, scheduled: number, running: number, completed: number, failed: number, cancelled: number, total: number }} Counts */

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
  const { child, url } = await server(join(example, "server.js"), env);
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
    env: { ...process.env, ...env },
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
  const { child, url } = await server(join(example, "server.js"), { ...env, INDEXER_WORKER: "off" });
  const into = join(work, "archive");
  await ask(url, "/archive", { roots, into });
  const total = before + files;
  const args = [bin, "run", "--app", join(example, "queues.js"), "--queue", "archive", "--drain-timeout", "20"];
  const first = start("worker 1", args, env);
  await watch(url, total, (counts) => counts.completed + counts.cancelled >= before + files / 4);
  say("  SIGTERM");
  check((await stop(first)) === 0, "worker 1 drains and exits 0");
  const counts = await ask(url, "/counts");
  check(counts.running === 0, `nothing is left running; ${counts.pending} tasks wait for another worker`);
  check(counts.pending > 0 && counts.total === total, "it was in the middle of its work, and every record is there");
  const second = start("worker 2", args, env);
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

export async function demonstrate() {
  const odd = join(work, "odd", "latin1.md");
  await mkdir(dirname(odd), { recursive: true });
  await writeFile(
    odd,
    Buffer.concat([Buffer.from("# Caf"), Buffer.from([0xe9, 0x0a, 0x00, 0xff]), Buffer.from("\n## Usage\n")]),
  );
  const files = await indexing();
  await archiving(files, files + 2);
  return "Records are what indexer.db kept; tasks are in examples/indexer.";
}
