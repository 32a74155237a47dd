/** The shutdown ladder (A7): drain, abort, abandon; what was claimed goes back and spends nothing. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TaskContext } from "../../src/core/vocabulary.ts";
import type { SiderealError } from "../../src/model/errors.ts";
import { gate, Stage } from "./support/stage.ts";

const MUST_STOP = { gracefulShutdownTimeout: "30s", finalCancelTimeout: "5s" } as const;

/** Ends when it is asked to, with the reason. */
const obedient =
  (reasons: string[]) =>
  (_: undefined, ctx: TaskContext): Promise<never> =>
    new Promise((_resolve, reject) => {
      ctx.signal.addEventListener("abort", () => {
        reasons.push((ctx.signal.reason as SiderealError).code);
        reject(ctx.signal.reason);
      });
    });

describe("a stop", () => {
  it("is clean when the handlers end in time; nothing new is claimed", async (t) => {
    const stage = new Stage(t);
    const held = gate<string>();
    const slow = stage.task(() => held.promise);
    const service = await stage.service();
    const worker = await stage.worker({ ...MUST_STOP, maxConcurrency: 2 });
    const handles = await service.enqueueMany(slow, Array.from({ length: 2 }));
    await stage.until("both run", () => worker.status().running === 2);
    const stopping = worker.stop();
    const later = await service.enqueue(slow);
    await stage.clock.advance("10s");
    assert.equal(worker.status().state, "stopping");
    assert.equal(worker.status().ready, false);
    held.open("done");
    assert.equal(await stage.clock.runUntil(stopping), "clean");
    for (const { id } of handles)
      assert.deepEqual([(await stage.record(id)).state, (await stage.record(id)).interruptions], ["completed", 0]);
    assert.deepEqual([(await stage.record(later.id)).state, (await stage.record(later.id)).attempt], ["pending", 0]);
    assert.equal(stage.clock.pending, 0, "no timer is left behind");
  });

  it("of an idle worker is immediate", async (t) => {
    const stage = new Stage(t);
    const worker = await stage.worker(MUST_STOP);
    await stage.clock.advance("1m");
    const began = stage.clock.mono();
    assert.equal(await stage.clock.runUntil(worker.stop()), "clean");
    assert.equal(stage.clock.mono(), began);
  });

  it("gives back what was claimed and had not begun, as if it had not been touched", async (t) => {
    const stage = new Stage(t);
    const quick = stage.task(() => undefined);
    const held = gate();
    const slow = stage.task(() => held.promise, { priority: 1 });
    const service = await stage.service();
    await service.enqueueMany(quick, Array.from({ length: 200 }));
    const worker = await stage.worker({ ...MUST_STOP, maxConcurrency: 1 });
    await stage.until("it claims ahead", async () => (await service.counts()).completed === 200);
    const first = await service.enqueue(slow);
    const rest = await service.enqueueMany(quick, Array.from({ length: 20 }));
    await stage.until("some wait", () => worker.status().claimed > 0);
    const stopping = worker.stop();
    await stage.clock.settle();
    for (const { id } of rest) {
      const { state, attempt, interruptions, losses, leaseUntil } = await stage.record(id);
      assert.deepEqual([state, attempt, interruptions, losses, leaseUntil], ["pending", 0, 0, 0, null]);
    }
    held.open();
    assert.equal(await stage.clock.runUntil(stopping), "clean");
    assert.equal((await stage.record(first.id)).state, "completed");
  });

  it("gives back what a claim brings that was under way", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const { id } = await service.enqueue(stage.task(() => assert.fail("it must not run")));
    const worker = await stage.worker(MUST_STOP, {
      onCall: ({ method }) => (method === "claim" ? { delayReply: 3_000 } : null),
    });
    await stage.clock.advance("1s");
    assert.equal((await stage.record(id)).state, "running");
    assert.equal(await stage.clock.runUntil(worker.stop()), "clean");
    const { state, attempt, version } = await stage.record(id);
    assert.deepEqual([state, attempt, version], ["pending", 0, 3]);
  });

  it("aborts after the grace; what stops then is handed back without spending a retry", async (t) => {
    const stage = new Stage(t);
    const reasons: string[] = [];
    const service = await stage.service();
    const worker = await stage.worker(MUST_STOP);
    const handle = await service.enqueue(stage.task(obedient(reasons), { retries: 0 }));
    await stage.until("it runs", () => worker.status().running === 1);
    const began = stage.clock.mono();
    assert.equal(await stage.clock.runUntil(worker.stop()), "escalated");
    assert.equal(stage.clock.mono() - began, 30_000);
    assert.deepEqual(reasons, ["SHUTDOWN"]);
    const record = await stage.record(handle.id);
    assert.deepEqual(
      [record.state, record.failures, record.interruptions, record.attempt, record.error],
      ["pending", 0, 1, 1, null],
    );
    await stage.worker();
    await stage.until("another takes it up", async () => (await stage.record(handle.id)).attempt === 2);
  });

  it("an error thrown because of the abort counts as a hand-back too; a result counts as a result", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const worker = await stage.worker(MUST_STOP);
    const aborted = (ctx: TaskContext): Promise<void> =>
      new Promise((resolve) => ctx.signal.addEventListener("abort", () => resolve()));
    const bad = await service.enqueue(
      stage.task(async (_: undefined, ctx) => {
        await aborted(ctx);
        throw new TypeError("the socket went away");
      }),
    );
    const good = await service.enqueue(
      stage.task(async (_: undefined, ctx) => {
        await aborted(ctx);
        return "saved in time";
      }),
    );
    await stage.until("both run", () => worker.status().running === 2);
    assert.equal(await stage.clock.runUntil(worker.stop()), "escalated");
    assert.deepEqual([(await stage.record(bad.id)).state, (await stage.record(bad.id)).failures], ["pending", 0]);
    assert.equal((await stage.record(good.id)).result, '"saved in time"');
  });

  it("cancels what is not to be requeued", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const worker = await stage.worker(MUST_STOP);
    const handle = await service.enqueue(stage.task(obedient([]), { requeueOnShutdown: false }));
    await stage.until("it runs", () => worker.status().running === 1);
    await stage.clock.runUntil(worker.stop());
    const record = await stage.record(handle.id);
    assert.deepEqual([record.state, record.reason], ["cancelled", "shutdown"]);
  });

  for (const first of [true, false]) {
    it(`with force ${first ? "at first" : "later"} aborts at once`, async (t) => {
      const stage = new Stage(t);
      const reasons: string[] = [];
      const service = await stage.service();
      const worker = await stage.worker(MUST_STOP);
      await service.enqueue(stage.task(obedient(reasons)));
      await stage.until("it runs", () => worker.status().running === 1);
      const stopping = first ? worker.stop({ force: true }) : worker.stop();
      await (first ? stage.clock.settle() : stage.clock.advance("10s"));
      assert.deepEqual(reasons.length, first ? 1 : 0);
      const began = stage.clock.mono();
      const second = worker.stop({ force: true });
      assert.deepEqual(await stage.clock.runUntil(Promise.all([stopping, second])), ["escalated", "escalated"]);
      assert.deepEqual([reasons, stage.clock.mono() - began], [["SHUTDOWN"], 0]);
    });
  }

  it("abandons by name what ignores the abort; its record goes back at once, and its late end changes nothing", async (t) => {
    const stage = new Stage(t);
    const held = gate<string>();
    const service = await stage.service();
    const worker = await stage.worker(MUST_STOP);
    const deaf = stage.task(() => held.promise, { timeout: "2h" });
    const handle = await service.enqueue(deaf);
    await stage.until("it runs", () => worker.status().running === 1);
    const began = stage.clock.mono();
    assert.equal(await stage.clock.runUntil(worker.stop()), "escalated");
    assert.equal(stage.clock.mono() - began, 35_000);
    assert.equal(stage.clock.pending, 0, "the time-out of what was abandoned keeps no process alive");
    const abandoned = stage.logs.find(({ message }) => message.includes("abandoned"));
    assert.deepEqual([abandoned?.fields["task"], abandoned?.fields["id"]], [deaf.name, handle.id]);
    assert.deepEqual(
      [(await stage.record(handle.id)).state, (await stage.record(handle.id)).interruptions],
      ["pending", 1],
    );
    held.open("too late");
    await stage.clock.settle();
    assert.deepEqual(
      [(await stage.record(handle.id)).state, (await stage.record(handle.id)).result],
      ["pending", null],
    );
  });

  it("is not held up by a store that hangs, and a second one still aborts at once", async (t) => {
    const stage = new Stage(t);
    const reasons: string[] = [];
    const service = await stage.service();
    let down = false;
    const worker = await stage.worker(
      { ...MUST_STOP, maxConcurrency: 2 },
      { onCall: () => (down ? { hang: true } : null) },
    );
    await service.enqueue(stage.task(obedient(reasons)));
    await stage.until("it runs", () => worker.status().running === 1);
    down = true;
    await stage.clock.advance("2s");
    const began = stage.clock.mono();
    const stopping = worker.stop({ force: true });
    await stage.clock.settle();
    assert.deepEqual(reasons, ["SHUTDOWN"]);
    assert.equal(await stage.clock.runUntil(stopping), "escalated");
    assert.ok(stage.clock.mono() - began <= 30_000, `${stage.clock.mono() - began} ms`);
    assert.ok(stage.logs.some(({ message }) => message.includes("could not be stored before the stop")));
  });

  it("stores what ended while the store was away for a moment", async (t) => {
    const stage = new Stage(t);
    const held = gate<string>();
    const service = await stage.service();
    let down = false;
    const worker = await stage.worker(MUST_STOP, { onCall: () => (down ? { lose: "request" } : null) });
    const handle = await service.enqueue(stage.task(() => held.promise));
    await stage.until("it runs", () => worker.status().running === 1);
    down = true;
    held.open("kept");
    const stopping = worker.stop();
    await stage.clock.advance("1s");
    down = false;
    assert.equal(await stage.clock.runUntil(stopping), "clean");
    assert.equal((await stage.record(handle.id)).result, '"kept"');
  });

  it("again and again under load loses nothing and spends nothing", async (t) => {
    const stage = new Stage(t);
    const ran = new Map<number, number>();
    const work = stage.task(async (input: number) => {
      ran.set(input, (ran.get(input) ?? 0) + 1);
      await new Promise<void>((resolve) => stage.clock.after(20 + (input % 30), resolve));
    });
    const service = await stage.service();
    const handles = await service.enqueueMany(
      work,
      Array.from({ length: 200 }, (_, at) => at),
    );
    for (let life = 0; life < 15; life += 1) {
      const worker = await stage.worker({ maxConcurrency: 5 });
      await stage.clock.advance(30 + life * 7);
      assert.equal(await stage.clock.runUntil(worker.stop()), "clean");
    }
    await stage.worker({ maxConcurrency: 20 });
    for (const { id } of handles) {
      const record = await stage.ended(id);
      assert.deepEqual(
        [record.state, record.attempt, record.failures, record.losses, record.interruptions],
        ["completed", 1, 0, 0, 0],
      );
    }
    assert.ok(
      [...ran.values()].every((times) => times === 1),
      "with enough grace nothing runs twice",
    );
  });
});
