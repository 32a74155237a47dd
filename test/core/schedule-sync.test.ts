/** Schedules in code against schedules in the store: what a start creates, changes, leaves alone, reports and removes. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memory } from "../../src/backends/memory/index.ts";
import { registry } from "../../src/core/registry.ts";
import type { ScheduleReport } from "../../src/core/schedule-types.ts";
import { QueueService, Worker } from "../../src/sidereal.ts";
import { DAWN, scheduledTask, secondsOf, ticksOf } from "./support/scheduled.ts";
import { Stage } from "./support/stage.ts";
import { onEachStore } from "./support/stores.ts";

const NOTHING: ScheduleReport = { created: [], updated: [], unchanged: [], missing: [], removed: [] };

describe("a start", () => {
  onEachStore("creates, leaves alone, changes and reports", async (stage, t) => {
    scheduledTask(t, "sync.a", { interval: "1m" });
    scheduledTask(t, "sync.b", { cron: "@daily" });
    const service = await stage.service();
    assert.deepEqual(await service.initializeSchedules(), { ...NOTHING, created: ["sync.a", "sync.b"] });
    const rows = await stage.store.schedules({ by: "all", after: null, limit: 10 });
    assert.deepEqual(await service.initializeSchedules(), { ...NOTHING, unchanged: ["sync.a", "sync.b"] });
    assert.deepEqual(await stage.store.schedules({ by: "all", after: null, limit: 10 }), rows, "no write");
    scheduledTask(t, "sync.a", { interval: "1m", jitter: "1s" });
    registry.remove("sync.b");
    assert.deepEqual(await service.initializeSchedules(), { ...NOTHING, updated: ["sync.a"], missing: ["sync.b"] });
    const warnings = stage.logs.filter(({ level }) => level === "warn");
    assert.deepEqual(
      warnings.map(({ fields }) => fields["schedules"]),
      [["sync.b"]],
    );
    assert.match(warnings[0]?.message ?? "", /no longer defined by any task here; remove them with/);
    assert.ok(await service.schedules.get("sync.b"), "a process that knows fewer tasks removes nothing");
    const strict = await stage.service({ initializeSchedules: "remove-missing" });
    const report = await strict.initializeSchedules();
    assert.deepEqual(report, { ...NOTHING, unchanged: ["sync.a"], missing: ["sync.b"], removed: ["sync.b"] });
    assert.equal(await service.schedules.get("sync.b"), null);
  });

  onEachStore("leaves schedules made at run time alone, but a definition in code takes the name", async (stage, t) => {
    const plain = stage.task(() => {});
    const service = await stage.service({ initializeSchedules: "remove-missing" });
    await service.schedules.create("taken", { task: plain, interval: "1m", limit: 5 });
    await service.schedules.create("kept", { task: plain, interval: "1m" });
    scheduledTask(t, "taken", { interval: "2m" });
    assert.deepEqual(await service.initializeSchedules(), { ...NOTHING, updated: ["taken"] });
    const info = await service.schedules.get("taken");
    assert.deepEqual([info?.origin, info?.task, info?.interval, info?.limit], ["code", "taken", 120_000, null]);
    assert.equal((await service.schedules.get("kept"))?.origin, "runtime");
  });

  onEachStore("of several processes at once is one", async (stage, t) => {
    scheduledTask(t, "sync.race", { interval: "1m", limit: 5 });
    const services = await Promise.all(Array.from({ length: 5 }, () => stage.service()));
    const reports = await Promise.all(services.map((service) => service.initializeSchedules()));
    assert.equal(reports.flatMap(({ created }) => created).length, 1);
    assert.equal(reports.flatMap(({ unchanged }) => unchanged).length, 4);
  });

  it("changes a cron from now on, without running an instant twice", async (t) => {
    const stage = new Stage(t);
    scheduledTask(t, "sync.moved", { cron: "*/2 * * * *" });
    const first = await stage.worker();
    await stage.clock.advance("121s");
    await stage.clock.runUntil(first.stop());
    scheduledTask(t, "sync.moved", { cron: "* * * * *" });
    await stage.worker();
    await stage.clock.advance("3m");
    assert.deepEqual((await ticksOf(stage, "sync.moved")).map(secondsOf), [120, 180, 240, 300]);
    const info = await (await stage.service()).schedules.get("sync.moved");
    assert.equal(info?.count, 4, "the count goes on");
  });

  it("mends a damaged row that code defines", async (t) => {
    const stage = new Stage(t);
    scheduledTask(t, "sync.mended", { interval: "1m" });
    await stage.store.open();
    await stage.store.advance([
      { from: null, to: { name: "sync.mended", version: 5, dueAt: DAWN, body: "{}" }, ticks: [] },
    ]);
    await stage.worker();
    await stage.clock.advance("62s");
    assert.deepEqual((await ticksOf(stage, "sync.mended")).map(secondsOf), [60]);
  });

  it("leaves a row alone that a newer version of the package wrote", async (t) => {
    const stage = new Stage(t);
    scheduledTask(t, "sync.newer", { interval: "1m" });
    const service = await stage.service();
    const row = { name: "sync.newer", version: 5, dueAt: null, body: '{"format":2}' };
    await stage.store.advance([{ from: null, to: row, ticks: [] }]);
    assert.deepEqual(await service.initializeSchedules(), { ...NOTHING, unchanged: ["sync.newer"] });
    assert.deepEqual(await stage.store.schedules({ by: "name", names: ["sync.newer"] }), [row]);
  });

  it("is left out where the configuration says so", async (t) => {
    const stage = new Stage(t);
    scheduledTask(t, "sync.off", { interval: "1m" });
    const service = await stage.service({ initializeSchedules: false });
    assert.deepEqual(await service.initializeSchedules(), NOTHING);
    await stage.worker({}, {}, { initializeSchedules: false });
    await stage.clock.advance("2m");
    assert.deepEqual(await ticksOf(stage, "sync.off"), []);
    assert.throws(() => new QueueService({ initializeSchedules: "yes" as never }), {
      code: "CONFIG_INVALID",
      message: /initializeSchedules is "yes", not true or false or "remove-missing"/,
    });
  });

  it("only warns where every task is immediate", async (t) => {
    const stage = new Stage(t);
    scheduledTask(t, "sync.inline", { interval: "1m" });
    const service = await stage.service({ executionBackend: "immediate" });
    assert.deepEqual(await service.initializeSchedules(), NOTHING);
    assert.match(stage.logs.at(-1)?.message ?? "", /schedules rest while executionBackend is "immediate"/);
  });

  it("is repeated while the store is in trouble that passes", async (t) => {
    const stage = new Stage(t);
    scheduledTask(t, "sync.lossy", { interval: "1m" });
    const service = await stage.service(
      {},
      {
        onCall: ({ method, nth }) =>
          ["schedules", "advance"].includes(method) && nth % 2 === 1 ? { lose: "reply" } : null,
      },
    );
    const report = await stage.clock.runUntil(service.initializeSchedules());
    assert.deepEqual(report, { ...NOTHING, created: ["sync.lossy"] });
  });

  it("of a worker during an outage waits for its end, and the worker starts all the same", async (t) => {
    const stage = new Stage(t);
    scheduledTask(t, "sync.away", { interval: "1m" });
    let away = true;
    const service = await stage.service(
      {},
      { onCall: ({ method }) => (away && ["schedules", "advance"].includes(method) ? { lose: "request" } : null) },
    );
    const worker = new Worker(service);
    t.after(() => stage.clock.runUntil(worker.stop({ force: true })));
    await stage.clock.runUntil(worker.start());
    const plain = stage.task(() => {});
    await stage.ended((await service.enqueue(plain)).id);
    assert.equal(await stage.store.schedules({ by: "all", after: null, limit: 1 }).then(({ length }) => length), 0);
    away = false;
    await stage.clock.advance("63s");
    assert.equal((await ticksOf(stage, "sync.away")).length, 1);
  });

  it("of a worker fails, and leaves nothing open, when an input does not pass the task's validation", async (t) => {
    scheduledTask(t, "sync.invalid", { interval: "1m" });
    const task = registry.get("sync.invalid");
    const validate = async (): Promise<unknown> => ({ issues: [{ message: "needs a name" }] });
    registry.remove("sync.invalid");
    registry.add({ ...task, schema: { "~standard": { version: 1, vendor: "t", validate } } } as never);
    const worker = new Worker({ queueBackend: memory() });
    await assert.rejects(worker.start(), { code: "INPUT_INVALID", message: /sync.invalid refused .*needs a name/ });
    assert.equal(worker.service.isOpen, false);
  });
});
