/** Maintenance on demand: its phases, its lock, its patience with lost workers, its limits. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { MaintainOptions, MaintenanceReport } from "../../src/core/reports.ts";
import type { TaskRecord } from "../../src/model/record.ts";
import type { QueueService } from "../../src/sidereal.ts";
import type { FaultPlan } from "../../src/testing/faulty.ts";
import { finished } from "./support/finished.ts";
import { Stage } from "./support/stage.ts";

const TOKEN = "ab".repeat(16);
const LEASE = 30_000;

const brief = ({ outcome, phases }: MaintenanceReport) => [
  outcome,
  ...phases.map(({ phase, status, changed, error }) => [phase, status, changed, error]),
];

async function staged(t: TestContext, plan: FaultPlan = {}) {
  const stage = new Stage(t);
  const service = await stage.service({}, plan);
  const run = (options?: MaintainOptions, by: QueueService = service) => stage.clock.runUntil(by.maintain(options));
  return { stage, service, run };
}

/** Records in the hands of a worker that is no more. */
async function lost(stage: Stage, count = 1): Promise<readonly TaskRecord[]> {
  const service = await stage.service();
  const task = stage.task(() => 1);
  await stage.clock.runUntil(service.enqueueMany(task, Array.from({ length: count })));
  const tasks = [task.name];
  const request = { token: TOKEN, workerId: "gone", limit: count, lease: LEASE, tasks, queues: null, queueLimits: {} };
  return stage.store.claim({ ...request, executions: ["local"] });
}

describe("maintenance", () => {
  it("runs all phases in their order, and is quick where nothing is to be done", async (t) => {
    const { stage, run } = await staged(t);
    const report = await run({ phases: ["terminal", "stale"] });
    assert.deepEqual(brief(report), ["completed", ["stale", "completed", 0, null], ["terminal", "completed", 0, null]]);
    assert.ok(report.acquired && report.durationMs === 0, "it waited for nothing");
    assert.deepEqual(await stage.store.held("maintenance"), []);
  });

  it("takes lost workers' records back, ends overdue ones, removes old ones", async (t) => {
    const { stage, service, run } = await staged(t);
    await finished(stage.store, { completed: 2_300, cancelled: 10 });
    await stage.clock.advance("8d");
    await lost(stage, 120);
    const late = await service.enqueue(
      stage.task(() => 1),
      undefined,
      { expiresIn: "1s" },
    );
    await stage.clock.advance(LEASE + 1_000);
    assert.deepEqual(brief(await run()), [
      "completed",
      ["stale", "completed", 121, null],
      ["terminal", "completed", 2_300, null],
    ]);
    assert.equal((await stage.record(late.id)).reason, "expired");
    assert.deepEqual(await service.counts(), {
      ...{ pending: 0, scheduled: 120, running: 0, completed: 0, failed: 0, cancelled: 11, total: 131 },
    });
  });

  it("leaves a record to an owner who renews while it waits, as after the sleep of a host", async (t) => {
    const { stage, service } = await staged(t);
    const [sleeper, dead] = await lost(stage, 2);
    assert.ok(sleeper !== undefined && dead !== undefined);
    await stage.clock.advance("1h");
    const report = service.maintain({ phases: ["stale"] });
    await stage.clock.advance("10s");
    await stage.store.renew([{ id: sleeper.id, claim: TOKEN }], LEASE);
    assert.deepEqual(brief(await stage.clock.runUntil(report)), ["completed", ["stale", "completed", 1, null]]);
    assert.equal((await stage.record(sleeper.id)).state, "running");
    assert.equal((await stage.record(dead.id)).state, "pending");
  });

  it("takes nothing back when time jumped while it waited", async (t) => {
    const shift = { by: 0 };
    const { stage, service } = await staged(t);
    const [record] = await lost(stage);
    await stage.clock.advance("1m");
    const { calls, storeTime } = service.parts;
    const now = calls.now;
    t.after(() => Object.assign(calls, { now }));
    Object.assign(calls, { now: async () => (await now()) + shift.by });
    await storeTime.sync();
    const report = service.maintain({ phases: ["stale"] });
    await stage.clock.advance("5s");
    shift.by = 600_000;
    assert.deepEqual(brief(await stage.clock.runUntil(report)), ["partial", ["stale", "partial", 0, null]]);
    assert.equal((await stage.record(record?.id ?? "")).state, "running");
  });

  it("runs once in a fleet: who comes second is told so, and changes nothing", async (t) => {
    const { stage, service } = await staged(t);
    await lost(stage);
    await stage.clock.advance("1m");
    const other = await stage.service();
    const first = service.maintain();
    await stage.clock.advance("1s");
    const second = await stage.clock.runUntil(other.maintain());
    assert.deepEqual(brief(second), [
      "already_running",
      ["stale", "skipped", 0, null],
      ["terminal", "skipped", 0, null],
    ]);
    assert.ok(!second.acquired);
    assert.equal((await stage.store.held("maintenance")).length, 1, "the first one's lock is left alone");
    assert.deepEqual(brief(await stage.clock.runUntil(first))[0], "completed");
    assert.equal((await stage.clock.runUntil(other.maintain())).outcome, "completed");
  });

  it("frees its lock when it is killed: by its lease", async (t) => {
    const { stage, service, run } = await staged(t);
    await stage.store.hold("maintenance", "killed", { lease: 60_000 });
    assert.equal((await run()).outcome, "already_running");
    await stage.clock.advance("61s");
    assert.equal((await run()).outcome, "completed");
    assert.ok(service.isOpen);
  });

  it("stops between pages when time is up: the rest is for the next run", async (t) => {
    const slow = { onCall: ({ method }: { method: string }) => (method === "prune" ? { delayReply: 400 } : null) };
    const { stage, run } = await staged(t, slow);
    await finished(stage.store, { completed: 4_500 });
    await stage.clock.advance("8d");
    assert.deepEqual(brief(await run({ maxDuration: "1s" })), [
      "partial",
      ["stale", "completed", 0, null],
      ["terminal", "partial", 3_000, null],
    ]);
    assert.deepEqual(brief(await run())[2], ["terminal", "completed", 1_500, null]);
    await lost(stage);
    await stage.clock.advance("1m");
    const short = await run({ maxDuration: "5s" });
    assert.deepEqual(brief(short)[1], ["stale", "partial", 0, null], "the wait for lost workers would take 15 s");
  });

  it("says what failed by its code alone, and goes on with the next phase", async (t) => {
    const broken = { onCall: ({ method }: { method: string }) => (method === "find" ? { lose: "request" } : null) };
    const { stage, run } = await staged(t, broken as FaultPlan);
    await finished(stage.store, { completed: 5 });
    await stage.clock.advance("8d");
    assert.deepEqual(brief(await run()), [
      "failed",
      ["stale", "failed", 0, "STORE_UNAVAILABLE"],
      ["terminal", "completed", 5, null],
    ]);
    assert.ok(stage.logs.some(({ message }) => message === "a phase of maintenance failed"));
    assert.deepEqual(await stage.store.held("maintenance"), []);
  });

  it("skips a phase that the configuration turns off, and refuses what is no phase", async (t) => {
    const { stage, run } = await staged(t);
    const keeper = await stage.service({ worker: { retention: null } });
    assert.deepEqual(brief(await run({}, keeper))[2], ["terminal", "skipped", 0, null]);
    const wrong = (phases: unknown) => run({ phases } as MaintainOptions);
    await assert.rejects(wrong(["events"]), /"events" is no phase; there are stale, terminal/);
    await assert.rejects(wrong([]), /phases is empty/);
    await assert.rejects(wrong("stale"), { code: "OPTION_INVALID" });
    await assert.rejects(run({ maxDuration: 0 }), { code: "DURATION_INVALID" });
  });
});
