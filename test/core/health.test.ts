/** `worker.health()`: healthy means that the store answered a claim lately; blocks and stuck handlers come with names. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Clock } from "../../src/contracts/clock.ts";
import { KEPT, LATE, LoopWatch, TICK } from "../../src/core/loop-watch.ts";
import { registry } from "../../src/core/registry.ts";
import type { Fault } from "../../src/testing/faulty.ts";
import { gate, Stage } from "./support/stage.ts";

const AWAY: readonly (readonly [string, Fault])[] = [
  ["refuses", { lose: "request" }],
  ["hangs", { hang: true }],
];

describe("a worker's health", () => {
  it("is good from the first answered claim to the stop", async (t) => {
    const stage = new Stage(t);
    stage.task(() => 1);
    const worker = await stage.worker();
    assert.deepEqual(worker.health().reasons, ["no claim was answered by the store yet"]);
    await stage.until("it has claimed", () => worker.health().healthy);
    assert.deepEqual(worker.health(), {
      ...{ healthy: true, reasons: [], worker: worker.id, state: "running", ready: true, running: 0, claimed: 0 },
      lastClaim: { at: stage.clock.wall(), age: 0 },
      eventLoop: { blockedMs: 0, blocks: [] },
      stuck: [],
    });
    await stage.clock.advance("1h");
    assert.equal(worker.health().healthy, true);
    await stage.clock.runUntil(worker.stop());
    assert.deepEqual([worker.health().healthy, worker.health().reasons], [false, ["the worker is stopped"]]);
    assert.equal(stage.clock.pending, 0, "no timer is left behind");
  });

  for (const [how, fault] of AWAY) {
    it(`is bad when the store ${how} for a while, and good again when it is back`, async (t) => {
      const stage = new Stage(t);
      stage.task(() => 1);
      let away = false;
      const worker = await stage.worker({}, { onCall: () => (away ? fault : null) });
      await stage.until("it has claimed", () => worker.health().healthy);
      away = true;
      await stage.clock.advance("4s");
      assert.deepEqual(
        [worker.health().healthy, worker.status().ready],
        [true, false],
        "a short outage is ready's business",
      );
      await stage.clock.advance("3s");
      const { healthy, reasons, lastClaim } = worker.health();
      assert.equal(healthy, false);
      assert.match(reasons.join(), /^no claim was answered by the store for [5-7]\d{3} ms$/);
      assert.ok((lastClaim?.age ?? 0) > 5_000);
      away = false;
      await stage.until("it is back", () => worker.health().healthy, 15_000);
    });
  }

  it("is bad when the store has never answered", async (t) => {
    const stage = new Stage(t);
    stage.task(() => 1);
    const worker = await stage.worker({}, { onCall: ({ method }) => (method === "claim" ? { hang: true } : null) });
    await stage.clock.advance("6s");
    assert.match(worker.health().reasons.join(), /^not one claim was answered by the store for/);
    assert.equal(worker.health().lastClaim, null);
  });

  it("of a process that knows no task still says whether its store answers", async (t) => {
    const stage = new Stage(t);
    assert.deepEqual(registry.names(), []);
    let away = false;
    const worker = await stage.worker({}, { onCall: () => (away ? { lose: "request" } : null) });
    await stage.until("it has asked", () => worker.health().healthy);
    away = true;
    await stage.clock.advance("1m");
    assert.deepEqual([worker.health().healthy, worker.status().ready], [false, false]);
  });

  it("of a worker whose slots are all taken follows the renewals", async (t) => {
    const stage = new Stage(t);
    const held = gate();
    let away = false;
    let slow: Fault | null = null;
    const config = { maxConcurrency: 1, leaseDuration: "2m", heartbeatInterval: "10s" } as const;
    const worker = await stage.worker(config, { onCall: () => (away ? { lose: "request" } : slow) });
    const service = await stage.service();
    await service.enqueueMany(
      stage.task(() => held.promise),
      [undefined, undefined],
    );
    await stage.until("it runs", () => worker.status().running === 1);
    await stage.clock.advance("10m");
    assert.deepEqual([worker.health().healthy, (worker.health().lastClaim?.age ?? 0) > 500_000], [true, true]);
    away = true;
    await stage.clock.advance("40s");
    assert.match(worker.health().reasons.join(), /^no renewal was answered by the store for/);
    away = false;
    await stage.clock.advance("15s");
    slow = { delayReply: 50 };
    held.open();
    for (let looks = 0; looks < 200; looks += 1) {
      assert.deepEqual(worker.health().reasons, [], "nor does it flicker when a slot becomes free");
      await stage.clock.step();
    }
  });

  it("names stuck handlers, and is bad when they hold every slot", async (t) => {
    const stage = new Stage(t);
    const held = gate();
    const worker = await stage.worker({ maxConcurrency: 2, finalCancelTimeout: "2s" });
    const service = await stage.service();
    const deaf = stage.task(() => held.promise, { timeout: "1s" });
    const { id } = await service.enqueue(deaf);
    await stage.until("it is stuck", () => worker.health().stuck.length === 1);
    const since = stage.clock.wall();
    await stage.clock.advance("10s");
    assert.deepEqual(worker.health().stuck, [{ id, task: deaf.name, since }]);
    assert.equal(worker.health().healthy, true);
    await service.enqueue(deaf);
    await stage.until("both are stuck", () => worker.health().stuck.length === 2);
    assert.deepEqual(worker.health().reasons, ["all 2 slots are held by handlers that ignore their signal"]);
    held.open();
    await stage.until("they have ended", () => worker.health().healthy);
    assert.deepEqual(worker.health().stuck, []);
  });
});

/** A clock whose timers fire when they are told to, however late that is. */
class LateClock implements Clock {
  now = 0;
  timer: (() => void) | null = null;

  wall(): number {
    return 1_000_000 + this.now;
  }

  mono(): number {
    return this.now;
  }

  after(_delay: number, callback: () => void): () => void {
    this.timer = callback;
    return () => {
      this.timer = null;
    };
  }

  soon(callback: () => void): void {
    callback();
  }

  tick(wait: number): void {
    this.now += wait;
    this.timer?.();
  }
}

describe("the watch on the event loop", () => {
  it("takes a late tick for a block, with what ran then or had just ended after long", () => {
    const clock = new LateClock();
    const running = ["mail.send", "mail.send", "images.resize"];
    const watch = new LoopWatch(clock, () => running);
    watch.start();
    clock.tick(TICK);
    clock.tick(TICK + LATE - 1);
    assert.equal(watch.blocks.length, 0, "timers are never quite on time");
    watch.ended("pdf.render", 1_500);
    watch.ended("quick", LATE - 1);
    clock.tick(TICK + 1_500);
    assert.deepEqual(watch.blocks, [
      { at: clock.wall(), ms: 1_500, tasks: ["pdf.render", "mail.send", "images.resize"] },
    ]);
    running.length = 0;
    clock.tick(TICK + 300);
    assert.deepEqual(watch.blocks[1]?.tasks, [], "what ended before the last tick has no part in it");
    watch.stop();
    assert.equal(clock.timer, null);
  });

  it("keeps ten blocks for ten minutes, and ten names of each", () => {
    const clock = new LateClock();
    const watch = new LoopWatch(clock, () => Array.from({ length: 50 }, (_, at) => `task.${at}`));
    watch.start();
    for (let at = 0; at < 20; at += 1) {
      for (let slow = 0; slow < 50; slow += 1) watch.ended(`slow.${slow}`, 1_000);
      clock.tick(TICK + 1_000 + at);
    }
    assert.deepEqual([watch.blocks.length, watch.blocks[0]?.ms, watch.blocks[9]?.ms], [10, 1_010, 1_019]);
    assert.equal(watch.blocks[0]?.tasks.length, 10);
    clock.now += KEPT;
    assert.equal(watch.blocks.length, 1);
    clock.now += 1;
    assert.equal(watch.blocks.length, 0);
  });
});
