/** Whether the scheduler is alive: by the last completion of the canary, wherever its record stands. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { QueueConfig } from "../../src/core/config.ts";
import type { SchedulerHealth } from "../../src/core/reports.ts";
import { Stage } from "./support/stage.ts";

async function staged(stage: Stage) {
  const canary = stage.task(() => null);
  const config: Omit<QueueConfig, "queueBackend"> = { schedulerCanaryTask: canary.name };
  const service = await stage.service(config);
  const health = (within?: `${number}m`): Promise<SchedulerHealth> =>
    stage.clock.runUntil(service.schedulerHealth(within === undefined ? {} : { within }));
  return { canary, service, health };
}

describe("the scheduler's health", () => {
  it("is good for five minutes after the canary completed, by the store's clock", async (t) => {
    const stage = new Stage(t);
    const { canary, service, health } = await staged(stage);
    const start = await stage.store.now();
    assert.deepEqual(await health(), {
      state: "stale",
      task: canary.name,
      since: start - 300_000,
      lastCompletedAt: null,
    });
    const worker = await stage.worker();
    const { finishedAt } = await stage.ended((await service.enqueue(canary)).id);
    await stage.clock.runUntil(worker.stop());
    assert.deepEqual(await health(), { state: "healthy", task: canary.name, completedAt: finishedAt });
    await stage.clock.advance("5m");
    assert.equal((await health()).state, "healthy", "to the last millisecond");
    await stage.clock.advance(1);
    const late = await health();
    assert.ok(late.state === "stale" && late.lastCompletedAt === finishedAt);
    assert.equal((await health("10m")).state, "healthy");
  });

  it("counts an old record that completed lately, behind thousands that came after it", async (t) => {
    const stage = new Stage(t);
    const { canary, service, health } = await staged(stage);
    const other = stage.task(() => 1);
    const early = await service.enqueue(canary, undefined, { delay: "1h" });
    for (let round = 0; round < 12; round += 1) await service.enqueueMany(other, Array.from({ length: 1_000 }));
    await service.enqueueMany(canary, Array.from({ length: 30 }), { delay: "1d" });
    await stage.clock.advance("1h");
    await service.cancel((await service.enqueue(canary)).id);
    assert.equal((await health()).state, "stale", "only completed ones count");
    const worker = await stage.worker({ maxConcurrency: 500 });
    await stage.ended(early.id);
    await stage.clock.runUntil(worker.stop());
    assert.equal((await health()).state, "healthy");
  });

  it("cannot be told where the canary is not registered", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    assert.deepEqual(await service.schedulerHealth(), { state: "unregistered", task: "scheduler.heartbeat" });
    await assert.rejects(service.schedulerHealth({ within: 0 }), { code: "DURATION_INVALID" });
    await assert.rejects(stage.service({ schedulerCanaryTask: "no spaces" }), { code: "NAME_INVALID" });
  });
});
