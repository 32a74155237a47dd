// Runs compiled test files on one Node: a process per file, two at a time, each with a hard deadline.
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { listFiles } from "./files.mjs";
import { root } from "./process.mjs";

/**
 * @typedef {import("./test-reporter.mjs").Outcome} Outcome
 * @typedef {{ passed: number, failed: number, skipped: number, failures: { file: string, name: string, error: string }[] }} Summary
 */

const concurrency = 2;
const fileDeadline = Number(process.env.TEST_FILE_DEADLINE_MS ?? 240_000);
const reporter = new URL("./test-reporter.mjs", import.meta.url).href;

/** The process groups of the files that run now: an interrupted run must not leave them behind. */
const running = new Set();
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) {
  process.once(signal, () => {
    for (const pid of running) end(pid);
    process.exit(signal === "SIGINT" ? 130 : 143);
  });
}

/** @param {number} pid the leader of a process group, ended with all of it */
function end(pid) {
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== "ESRCH") throw error;
  }
}

/**
 * The test files of the source tree whose path contains one of the patterns (all when there is none), sorted.
 * @param {readonly string[]} [patterns]
 */
export async function findTests(patterns = []) {
  const files = (await listFiles(join(root, "test"))).filter((file) => file.endsWith(".test.ts"));
  const names = files.map((file) => relative(root, file));
  return patterns.length === 0 ? names : names.filter((name) => patterns.some((pattern) => name.includes(pattern)));
}

/**
 * @param {string} node
 * @param {string} file path of the source, relative to the root
 * @param {string} scratch
 * @returns {Promise<{ outcomes: Outcome[], output: string, ending: string | undefined, milliseconds: number }>}
 */
async function runFile(node, file, scratch) {
  const report = join(scratch, `${file.replaceAll(/[^\w.-]/g, "_")}.ndjson`);
  const compiled = join(root, "build", file.replace(/\.ts$/, ".js"));
  const args = [
    "--enable-source-maps",
    `--test-reporter=${reporter}`,
    `--test-reporter-destination=${report}`,
    compiled,
  ];
  const env = { ...process.env, NODE_OPTIONS: "", NO_COLOR: "1" };
  const started = performance.now();
  const { ending, output } = await new Promise((resolve) => {
    // Its own process group, so that the deadline also ends what the file itself has spawned.
    const child = spawn(node, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    running.add(child.pid);
    let output = "";
    let late = false;
    const deadline = setTimeout(() => {
      late = true;
      if (child.pid !== undefined) end(child.pid);
    }, fileDeadline);
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk) => (output = (output + chunk).slice(-20_000)));
    child.on("error", (error) => {
      clearTimeout(deadline);
      resolve({ ending: `could not be started: ${error.message}`, output });
    });
    child.on("exit", (code, signal) => {
      clearTimeout(deadline);
      running.delete(child.pid);
      const ending = late
        ? `did not end within ${fileDeadline} ms`
        : code === 0
          ? undefined
          : signal
            ? `was ended by ${signal}`
            : `exited with ${code}`;
      // What the file has left behind ends with it, and must not keep the pipes, and so this run, open.
      if (child.pid !== undefined) end(child.pid);
      setTimeout(() => resolve({ ending, output }), 20);
    });
  });
  const lines = (await readFile(report, "utf8").catch(() => ""))
    .split("\n")
    .filter((line) => line.startsWith("{") && line.endsWith("}"));
  return {
    outcomes: lines.map((line) => JSON.parse(line)),
    output,
    ending,
    milliseconds: Math.round(performance.now() - started),
  };
}

/**
 * Runs the files on one Node and prints one line per file as it ends; failures are returned, not printed.
 * @param {string} node
 * @param {readonly string[]} files
 * @param {{ verbose?: boolean }} [options]
 * @returns {Promise<Summary>}
 */
export async function runTests(node, files, options = {}) {
  const scratch = await mkdtemp(join(tmpdir(), "sidereal-test-"));
  /** @type {Summary} */
  const summary = { passed: 0, failed: 0, skipped: 0, failures: [] };
  const queue = [...files];
  const serverMissing = /^no server\b/i;
  /** @param {string} file */
  const one = async (file) => {
    const { outcomes, output, ending, milliseconds } = await runFile(node, file, scratch);
    let [passed, skipped] = [0, 0];
    const failures = [];
    for (const outcome of outcomes) {
      if (outcome.kind === "pass") passed++;
      else if (outcome.kind === "fail") failures.push({ file, name: outcome.name, error: outcome.error ?? "" });
      else if (process.env.CI === "true" && serverMissing.test(outcome.reason ?? ""))
        failures.push({ file, name: outcome.name, error: `skipped in CI: ${outcome.reason}` });
      else skipped++;
    }
    // A failed test makes the file exit with 1; any other ending is a failure of its own.
    const explained = ending === "exited with 1" && outcomes.some(({ kind }) => kind === "fail");
    if (ending !== undefined && !explained) failures.push({ file, name: `the file ${ending}`, error: output });
    else if (outcomes.length === 0) failures.push({ file, name: "the file ran no test", error: output });
    summary.passed += passed;
    summary.skipped += skipped;
    summary.failed += failures.length;
    summary.failures.push(...failures);
    const counts = `${passed} passed${failures.length ? `, ${failures.length} FAILED` : ""}${skipped ? `, ${skipped} skipped` : ""}`;
    process.stdout.write(`  ${failures.length ? "✗" : "✓"} ${file}  ${counts}  ${milliseconds} ms\n`);
    if (options.verbose) {
      if (output.trim()) process.stdout.write(`${output.trimEnd()}\n`);
      for (const { kind, name, reason } of outcomes)
        process.stdout.write(`      ${kind} ${name}${reason ? ` (${reason})` : ""}\n`);
    }
  };
  const lane = async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) await one(file);
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
  await rm(scratch, { recursive: true, force: true });
  return summary;
}

/** @param {Summary} summary */
export function printFailures({ failures }) {
  for (const { file, name, error } of failures) {
    process.stdout.write(`\n✗ ${file}\n  ${name}\n${error.replaceAll(/^/gm, "    ")}\n`);
  }
}

/** @param {{ passed: number, failed: number, skipped: number }} counts */
export function countsLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}
