/** `sidereal maintenance` and `sidereal scheduler-health`, by the real program: words, numbers, exit codes. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { sqlite } from "../../src/backends/sqlite/index.ts";
import type { QueueBackend } from "../../src/contracts/queue-backend.ts";
import { finished } from "../core/support/finished.ts";
import { onStore, project, Running, sidereal } from "./program.ts";

const app = (worker = "{}", more = ""): string => `
import { defineQueues, task } from "sidereal";
import { sqlite } from "sidereal/sqlite";
${more}
export default defineQueues({ queueBackend: sqlite("queue.db"), worker: ${worker} });
`;
const CANARY =
  'export const heartbeat = task("scheduler.heartbeat", { schedule: { interval: "60s" } }, async () => {});';

/** Does something on the store's own level. */
async function directly<T>(folder: string, action: (store: QueueBackend<unknown>) => Promise<T>): Promise<T> {
  const store = sqlite(join(folder, "queue.db")) as QueueBackend<unknown>;
  await store.open();
  try {
    return await action(store);
  } finally {
    await store.close();
  }
}

describe("maintenance", { concurrency: 2 }, () => {
  it("prints its summary: 5,000 records by state and count, and who is left", async () => {
    const worker = "{ retention: { completed: { age: null, count: 700 }, failed: { count: 0 }, cancelled: null } }";
    const cwd = project({ "app.mjs": app(worker) });
    await directly(cwd, (store) => finished(store, { completed: 3_000, failed: 1_500, cancelled: 500 }));
    const { code, stdout, stderr } = await sidereal(["maintenance"], { cwd });
    assert.equal(stderr, "");
    assert.match(
      stdout,
      /^outcome: completed\nacquired: true\nduration_ms: \d+\.\d\nPhase {5}Status {8}Changed {2}Duration\(ms\) {2}Error\n/,
    );
    assert.match(stdout, /^stale {5}completed {11}0 +\d+\.\d {2}-$/m);
    assert.match(stdout, /^terminal {2}completed {8}3800 +\d+\.\d {2}-\n$/m);
    assert.equal(code, 0);
    const counts = await onStore(cwd, (service) => service.counts());
    assert.deepEqual([counts.completed, counts.failed, counts.cancelled], [700, 0, 500]);
  });

  it("prints one JSON object, of the phases asked for, in their order", async () => {
    const cwd = project({ "app.mjs": app() });
    await onStore(cwd, async () => {});
    const { code, stdout } = await sidereal("maintenance --json --phase terminal --phase stale".split(" "), { cwd });
    assert.equal(code, 0);
    const report = JSON.parse(stdout);
    assert.deepEqual(Object.keys(report), ["outcome", "acquired", "durationMs", "phases"]);
    assert.deepEqual(
      report.phases.map(({ durationMs, ...rest }: { durationMs: number }) => rest),
      ["stale", "terminal"].map((phase) => ({ phase, status: "completed", changed: 0, error: null })),
    );
    const one = await sidereal("maintenance --json --phase terminal".split(" "), { cwd });
    assert.deepEqual(JSON.parse(one.stdout).phases.length, 1);
  });

  it("is one run at a time: while one program works, another says so and ends with 0", async () => {
    const patient = `import { existsSync } from "node:fs";
      const store = sqlite("queue.db");
      const prune = store.prune.bind(store);
      store.prune = async (query) => {
        while (process.env.WAITS && !existsSync("go")) await new Promise((resolve) => setTimeout(resolve, 10));
        return prune(query);
      };`;
    const cwd = project({
      "app.mjs": app('{ retention: "0ms" }', patient).replace('sqlite("queue.db"), worker', "store, worker"),
    });
    await directly(cwd, (store) => finished(store, { completed: 20 }));
    const first = new Running(["maintenance", "--json"], { cwd, env: { WAITS: "1" } });
    await directly(cwd, async (store) => {
      while ((await store.held("maintenance")).length === 0) await setImmediate();
    });
    const second = await sidereal(["maintenance"], { cwd });
    assert.match(second.stdout, /^outcome: already_running\nacquired: false\n/);
    assert.match(second.stdout, /^stale {5}skipped {13}0 {11}0\.0 {2}-$/m);
    assert.equal(second.code, 0);
    writeFileSync(join(cwd, "go"), "");
    const { code, stdout } = await first.ended;
    assert.deepEqual([code, JSON.parse(stdout).phases[1].changed], [0, 20]);
    assert.deepEqual(await directly(cwd, (store) => store.held("maintenance")), []);
  });

  it("tells by its exit code that time was up, or that a phase failed", async () => {
    const cwd = project({ "app.mjs": app('{ retention: "0ms" }') });
    await directly(cwd, (store) => finished(store, { completed: 5 }));
    const short = await sidereal("maintenance --max-duration 1ms --phase terminal".split(" "), { cwd });
    assert.match(short.stdout, /^outcome: partial$/m);
    assert.equal(short.code, 2);
    const broken = app('{ retention: "0ms" }').replace(
      'queueBackend: sqlite("queue.db")',
      `queueBackend: Object.assign(sqlite("queue.db"), { prune: async () => { throw new Error("password=hunter2"); } })`,
    );
    const failed = await sidereal(["maintenance"], {
      cwd: project({ "app.mjs": broken.replace("queue.db", join(cwd, "queue.db")) }),
    });
    assert.equal(failed.code, 1);
    assert.match(failed.stdout, /^outcome: failed$/m);
    assert.match(failed.stdout, /^terminal {2}failed {14}0 +\d+\.\d {2}STORE_FAILED$/m);
    assert.doesNotMatch(failed.stdout, /hunter2/);
  });

  it("refuses a store that it cannot share, one that is not there, and a phase that is none", async () => {
    const memory = project({ "app.mjs": 'import { defineQueues } from "sidereal"; export default defineQueues({});' });
    const alone = await sidereal(["maintenance"], { cwd: memory });
    assert.deepEqual([alone.code, alone.stdout], [1, ""]);
    assert.match(alone.stderr, /the memory store lives inside one process[\s\S]*nothing here to maintain/);
    const empty = project({ "app.mjs": app() });
    const none = await sidereal(["maintenance"], { cwd: empty });
    assert.deepEqual([none.code, none.stdout], [1, ""]);
    assert.match(none.stderr, /has no queue yet/);
    const wrong = await sidereal("maintenance --phase events".split(" "), { cwd: empty });
    assert.deepEqual([wrong.code, wrong.stdout], [64, ""]);
    assert.match(wrong.stderr, /--phase is "events"[\s\S]*Give one of stale, terminal\./);
    assert.equal((await sidereal("maintenance --max-duration 0".split(" "), { cwd: empty })).code, 64);
  });
});

describe("scheduler-health", { concurrency: 2 }, () => {
  const complete = (folder: string, task = "scheduler.heartbeat") =>
    directly(folder, (store) => finished(store, { completed: 3, task }));

  it("is healthy while the canary completes: the example of the documentation", async () => {
    const cwd = project({ "app.ts": app("{}", CANARY) });
    await complete(cwd);
    const { code, stdout, stderr } = await sidereal("scheduler-health --minutes 5".split(" "), { cwd });
    assert.match(stdout, /^healthy: scheduler\.heartbeat completed \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\n$/);
    assert.deepEqual([code, stderr], [0, ""]);
    const json = await sidereal("scheduler-health --json".split(" "), { cwd });
    assert.deepEqual(Object.keys(JSON.parse(json.stdout)), ["state", "task", "completedAt"]);
    assert.equal(JSON.parse(json.stdout).completedAt, stdout.trim().split(" ").at(-1));
  });

  it("follows a worker that keeps the canary's schedule", async () => {
    const cwd = project({ "app.mjs": app("{}", CANARY.replace("60s", "1s")) });
    const worker = new Running(["run"], { cwd });
    await worker.said(/worker started/);
    await onStore(cwd, async (service) => {
      while ((await service.counts()).completed === 0) await setImmediate();
    });
    worker.kill("SIGTERM");
    await worker.ended;
    const { code, stdout } = await sidereal(["scheduler-health"], { cwd });
    assert.match(stdout, /^healthy: scheduler\.heartbeat completed /);
    assert.equal(code, 0);
  });

  it("is 3 where the canary is not registered: nothing is opened", async () => {
    const cwd = project({ "app.mjs": app("{}", 'task("mail.send", () => {});') });
    const { code, stdout, stderr } = await sidereal(["scheduler-health"], { cwd });
    assert.deepEqual([code, stdout], [3, ""]);
    assert.match(stderr, /canary task scheduler\.heartbeat is not registered[\s\S]*registers mail\.send/);
    assert.match(
      stderr,
      /fix {4}Register it: task\("scheduler\.heartbeat", \{ schedule: \{ interval: "60s" \} \}, async/,
    );
  });

  it("is 4 where it has not completed lately", async () => {
    const cwd = project({ "app.mjs": app("{}", CANARY) });
    await complete(cwd, "another.task");
    const { code, stdout, stderr } = await sidereal("scheduler-health --minutes 7".split(" "), { cwd });
    assert.deepEqual([code, stdout], [4, ""]);
    assert.match(stderr, /^stale: no scheduler\.heartbeat completion within 7m window since \d{4}-.*Z\n/);
    assert.match(stderr, /^ {2}last {3}never/m);
    const json = await sidereal("scheduler-health --json".split(" "), { cwd });
    assert.deepEqual([json.code, JSON.parse(json.stdout).state], [4, "stale"]);
  });

  it("takes its tasks from task modules, and its name from the configuration", async () => {
    const named = app("{}").replace("worker:", 'taskModules: ["tasks/*.mjs"], schedulerCanaryTask: "pulse", worker:');
    const pulse = 'import { task } from "sidereal"; task("pulse", () => {});';
    const cwd = project({ "app.mjs": named, "tasks/pulse.mjs": pulse });
    await complete(cwd, "pulse");
    assert.match((await sidereal(["scheduler-health"], { cwd })).stdout, /^healthy: pulse completed /);
  });

  it("is 64 for minutes that are none, and 1 for a store that is not there", async () => {
    const cwd = project({ "app.mjs": app("{}", CANARY) });
    for (const minutes of ["0", "-1", "1.5", "five"]) {
      const { code, stderr } = await sidereal([`scheduler-health`, `--minutes=${minutes}`], { cwd });
      assert.equal(code, 64);
      assert.match(stderr, /Give a whole number from 1 to 1000000/);
    }
    const none = await sidereal(["scheduler-health"], { cwd });
    assert.deepEqual([none.code, none.stdout], [1, ""]);
    assert.match(none.stderr, /has no queue yet/);
  });
});
