/** A worker that misjudged how quick its tasks are does not sit on records that others could run. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Stage } from "./support/stage.ts";

describe("patience", () => {
  it("gives back what it claimed ahead when a quick task was followed by slow ones", async (t) => {
    const stage = new Stage(t);
    const quick = stage.task(() => undefined);
    const slow = stage.task(() => new Promise<void>((resolve) => stage.clock.after(100, resolve)));
    const service = await stage.service();
    await service.enqueue(quick);
    await service.enqueueMany(slow, Array.from({ length: 200 }));
    const worker = await stage.worker({ maxConcurrency: 4 });
    await stage.clock.advance("2s");
    const { running, claimed } = worker.status();
    assert.equal(running, 4);
    assert.ok(claimed <= 4, `${claimed} records wait for slots that take 25 ms each to come free`);
    const other = await stage.worker({ maxConcurrency: 4 });
    await stage.clock.advance("200ms");
    assert.equal(other.status().running, 4, "another worker finds work");
    await stage.until("all have run", async () => (await service.counts()).completed === 201);
    const { records } = await stage.store.page({ order: "oldest", after: null, limit: 500 });
    assert.ok(
      records.every(({ attempt, losses, interruptions }) => attempt === 1 && losses + interruptions === 0),
      "it cost nothing",
    );
  });
});
