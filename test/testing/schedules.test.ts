/** A test's clock makes ticks, as the documents say; a drain makes none. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { task } from "../../src/core/task.ts";
import { withTasks } from "../../src/testing/isolation.ts";
import { createTestQueue } from "../../src/testing/test-queue.ts";

it("ticks come when the clock gets there", () =>
  withTasks(async () => {
    const runs: string[] = [];
    const tidy = task("kit.tidy", { schedule: { cron: "*/30 * * * *" } }, async (_, ctx) => {
      runs.push(ctx.scheduledFor?.toISOString() ?? "enqueued");
    });
    const queue = await createTestQueue({ startAt: new Date("2031-01-01T00:00:00Z") });
    await queue.enqueue(tidy);
    await queue.drain();
    assert.equal(await queue.schedules.get("kit.tidy"), null, "a drain brings no schedules into the store");
    await queue.worker();
    await queue.clock.advance("61m");
    assert.deepEqual(runs, ["enqueued", "2031-01-01T00:30:00.000Z", "2031-01-01T01:00:00.000Z"]);
    await queue.close();
  }));
