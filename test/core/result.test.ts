/** `handle.result()` neither hangs nor misses the end; cancels from anywhere, in every state. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Clock } from "../../src/contracts/clock.ts";
import { hasCode, TaskCancelledError, TaskFailedError } from "../../src/model/errors.ts";
import { QueueService } from "../../src/sidereal.ts";
import type { FaultPlan } from "../../src/testing/faulty.ts";
import { gate, Stage } from "./support/stage.ts";

/** What a promise became, once the clock has run until then. */
async function end(stage: Stage, promise: Promise<unknown>): Promise<unknown> {
  return stage.clock.runUntil(
    promise.then(
      (value) => value,
      (error: unknown) => error,
    ),
  );
}

describe("result", () => {
  it("gives what the handler returned; nothing is undefined", async (t) => {
    const stage = new Stage(t);
    const echo = stage.task((input: unknown) => (input === "nothing" ? undefined : input));
    const service = await stage.service();
    await stage.worker();
    for (const value of [1, "x", null, { a: [true] }])
      assert.deepEqual(await end(stage, (await service.enqueue(echo, value)).result()), value);
    const handle = await service.enqueue(echo, "nothing");
    assert.equal(await end(stage, handle.result()), undefined);
    assert.equal(handle.status, "completed");
    assert.equal(await handle.result(), undefined, "and once more, after the end");
  });

  it("throws what became of it: failed, cancelled, expired", async (t) => {
    const stage = new Stage(t);
    const bad = stage.task(() => {
      throw new RangeError("too far");
    });
    const service = await stage.service();
    await stage.worker();
    const handle = await service.enqueue(bad);
    const failed = await end(stage, handle.result());
    assert.ok(failed instanceof TaskFailedError && hasCode(failed, "TASK_FAILED"));
    assert.deepEqual([failed.taskId, failed.reason, failed.errorName], [handle.id, "error", "RangeError"]);
    assert.match(failed.message, /RangeError: too far/);
    const later = await service.enqueue(bad, undefined, { delay: "1h" });
    await later.cancel({ reason: "changed my mind" });
    const cancelled = await end(stage, later.result());
    assert.ok(cancelled instanceof TaskCancelledError && cancelled.reason === "changed my mind");
    const idle = await service.enqueue(bad, undefined, { delay: "1m", expiresAt: stage.clock.wall() + 30_000 });
    const expired = await end(stage, idle.result({ timeout: "2m" }));
    assert.ok(expired instanceof TaskCancelledError && expired.reason === "expired");
  });

  for (const [name, plan] of [
    ["every hint is lost", { signals: { drop: 1 } }],
    ["hints come twice, late and out of order", { signals: { duplicate: 1, delay: 500 } }],
    [
      "every second read fails",
      { onCall: ({ method, nth }) => (method === "find" && nth % 2 ? { lose: "reply" } : null) },
    ],
    [
      "reads hang now and then",
      { onCall: ({ method, nth }) => (method === "find" && nth % 3 === 1 ? { hang: true } : null) },
    ],
    ["reads take long", { onCall: ({ method }) => (method === "find" ? { delayReply: 800 } : null) }],
  ] as readonly (readonly [string, FaultPlan])[]) {
    it(`comes through where ${name}`, async (t) => {
      const stage = new Stage(t);
      const echo = stage.task(async (input: number) => {
        await new Promise<void>((resolve) => stage.clock.after(3_000, resolve));
        return input;
      });
      const service = await stage.service({}, plan);
      await stage.worker({ maxConcurrency: 50 });
      const handles = await service.enqueueMany(
        echo,
        Array.from({ length: 40 }, (_, at) => at),
      );
      const began = stage.clock.mono();
      const results = await end(stage, Promise.all(handles.map((handle) => handle.result())));
      assert.deepEqual(
        results,
        Array.from({ length: 40 }, (_, at) => at),
      );
      assert.ok(stage.clock.mono() - began < 30_000, `${stage.clock.mono() - began} ms`);
    });
  }

  it("is not missed when the end comes between the look and the wait", async (t) => {
    const stage = new Stage(t);
    const echo = stage.task((input: number) => input);
    const service = await stage.service(
      {},
      { signals: { drop: 1 }, onCall: ({ method }) => (method === "find" ? { delayReply: 30 } : null) },
    );
    for (let at = 0; at < 30; at += 1) {
      const handle = await service.enqueue(echo, at);
      const waiting = handle.result({ timeout: "10s" });
      if (at === 0) await stage.worker();
      assert.equal(await end(stage, waiting), at);
    }
  });

  it("ends at its deadline, and says why the store could not be asked", async (t) => {
    const stage = new Stage(t);
    const echo = stage.task(() => 1);
    let down = false;
    const service = await stage.service(
      {},
      { onCall: ({ method }) => (down && method === "find" ? { lose: "request" } : null) },
    );
    const handle = await service.enqueue(echo);
    const began = stage.clock.mono();
    const late = await end(stage, handle.result({ timeout: "90s" }));
    assert.ok(hasCode(late, "RESULT_TIMEOUT") && late.cause === undefined && late.retryable);
    assert.equal(stage.clock.mono() - began, 90_000);
    down = true;
    const dark = await end(stage, handle.result({ timeout: "5s" }));
    assert.ok(hasCode(dark, "RESULT_TIMEOUT") && hasCode(dark.cause, "STORE_UNAVAILABLE"));
    const once = await end(stage, handle.result({ timeout: 0 }));
    assert.ok(hasCode(once, "STORE_UNAVAILABLE"));
  });

  it("waits one minute by default, and refuses what is no duration", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const handle = await service.enqueue(stage.task(() => 1));
    const began = stage.clock.mono();
    assert.ok(hasCode(await end(stage, handle.result()), "RESULT_TIMEOUT"));
    assert.equal(stage.clock.mono() - began, 60_000);
    for (const timeout of ["soon", -1, Number.NaN, Number.POSITIVE_INFINITY])
      await assert.rejects(handle.result({ timeout: timeout as number }), (error) =>
        hasCode(error, "DURATION_INVALID"),
      );
  });

  it("with a time-out of nothing looks once, however slow the store is", async (t) => {
    const stage = new Stage(t);
    const echo = stage.task((input: number) => input);
    const service = await stage.service(
      {},
      { onCall: ({ method }) => (method === "find" ? { delayReply: 500 } : null) },
    );
    const handle = await service.enqueue(echo, 5);
    assert.ok(hasCode(await end(stage, handle.result({ timeout: 0 })), "RESULT_TIMEOUT"));
    await stage.worker();
    await stage.ended(handle.id);
    assert.equal(await end(stage, handle.result({ timeout: 0 })), 5);
    await stage.store.prune({ states: ["completed"], before: Number.MAX_SAFE_INTEGER, limit: 10 });
    assert.ok(hasCode(await end(stage, handle.result({ timeout: 0 })), "RECORD_GONE"));
  });

  it("says RECORD_GONE when the record is removed, before or during the wait", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const handle = await service.enqueue(stage.task(() => 1));
    const waiting = handle.result({ timeout: "10m" });
    waiting.catch(() => {});
    await stage.clock.settle();
    await handle.refresh();
    await stage.store.apply([{ from: await stage.record(handle.id), to: null }]);
    assert.ok(hasCode(await end(stage, waiting), "RECORD_GONE"));
    assert.ok(hasCode(await end(stage, handle.result()), "RECORD_GONE"));
    assert.deepEqual([(await handle.refresh()).record, handle.status], [null, null]);
  });

  it("ends with the signal's reason, before or during the wait", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const handle = await service.enqueue(stage.task(() => 1));
    const reason = new Error("the client has left");
    const controller = new AbortController();
    const waiting = handle.result({ signal: controller.signal, timeout: "1h" });
    await stage.clock.settle();
    controller.abort(reason);
    assert.equal(await end(stage, waiting), reason);
    for (const timeout of [0, "1m"] as const)
      assert.equal(await end(stage, handle.result({ signal: controller.signal, timeout })), reason);
    assert.equal((await stage.record(handle.id)).state, "pending", "the task goes on");
  });

  it("a close rejects who waits, and who asks later", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const handle = await service.enqueue(stage.task(() => 1));
    const waiting = Promise.allSettled(Array.from({ length: 100 }, () => handle.result()));
    await stage.clock.settle();
    await service.close();
    for (const ended of (await end(stage, waiting)) as PromiseSettledResult<unknown>[])
      assert.ok(ended.status === "rejected" && hasCode(ended.reason, "NOT_OPEN"));
    const began = stage.clock.mono();
    assert.ok(hasCode(await end(stage, handle.result()), "NOT_OPEN"));
    assert.equal(stage.clock.mono(), began, "at once");
    await service.open();
    assert.ok(hasCode(await end(stage, handle.result({ timeout: "1s" })), "RESULT_TIMEOUT"));
  });

  it("leaves no timer behind", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const handle = await service.enqueue(stage.task(() => 1));
    const before = stage.clock.pending;
    const waiting = Promise.all(
      [handle.result({ timeout: "1h" }), handle.result({ timeout: "2h" })].map((one) => one.catch(() => {})),
    );
    await stage.clock.advance("5s");
    await handle.cancel();
    await stage.clock.runUntil(waiting);
    assert.equal(stage.clock.pending, before);
  });
});

describe("cancel", () => {
  it("ends what has not begun at once, in whichever service", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const other = await stage.service();
    const handle = await service.enqueue(
      stage.task(() => 1),
      undefined,
      { key: "k" },
    );
    assert.equal(await other.cancel(handle.id, { reason: "other" }), "cancelled");
    const record = await stage.record(handle.id);
    assert.deepEqual([record.state, record.reason, record.key, record.attempt], ["cancelled", "other", null, 0]);
    assert.equal(await other.cancel(handle.id), "too-late");
    assert.equal(await other.cancel("no-such-task"), "gone");
  });

  for (const hints of [true, false]) {
    it(`asks a running one to stop, from another service, ${hints ? "by hint" : "without any hint"}`, async (t) => {
      const stage = new Stage(t);
      const reasons: unknown[] = [];
      const stoppable = stage.task(
        (_: undefined, ctx) =>
          new Promise((_resolve, reject) => {
            ctx.signal.addEventListener("abort", () => {
              reasons.push(ctx.signal.reason);
              reject(new Error("stopping"));
            });
          }),
        { retries: 5 },
      );
      const service = await stage.service();
      const worker = await stage.worker({}, hints ? {} : { signals: { drop: 1 } });
      const handle = await service.enqueue(stoppable);
      await stage.until("it runs", () => worker.status().running === 1);
      const began = stage.clock.mono();
      assert.equal(await handle.cancel({ reason: "enough" }), "requested");
      assert.equal(handle.status, "running");
      const record = await stage.ended(handle.id);
      assert.deepEqual([record.state, record.reason, record.attempt, record.failures], ["cancelled", "enough", 1, 0]);
      assert.ok(reasons[0] instanceof TaskCancelledError && reasons.length === 1);
      assert.ok(stage.clock.mono() - began <= (hints ? 10 : 1_500), `${stage.clock.mono() - began} ms`);
    });
  }

  it("of one that ends well all the same comes too late", async (t) => {
    const stage = new Stage(t);
    const held = gate<string>();
    const deaf = stage.task(() => held.promise);
    const service = await stage.service();
    const worker = await stage.worker();
    const handle = await service.enqueue(deaf);
    await stage.until("it runs", () => worker.status().running === 1);
    assert.equal(await handle.cancel(), "requested");
    held.open("done anyway");
    const record = await stage.ended(handle.id);
    assert.deepEqual([record.state, record.result, record.reason], ["completed", '"done anyway"', null]);
  });

  it("of one that waits for its retry ends it at once", async (t) => {
    const stage = new Stage(t);
    const bad = stage.task(() => Promise.reject(new Error("no")), { retries: 5, backoff: "1h" });
    const service = await stage.service();
    await stage.worker();
    const handle = await service.enqueue(bad);
    await stage.until("it has failed once", async () => (await stage.record(handle.id)).failures === 1);
    assert.equal(await handle.cancel(), "cancelled");
    assert.equal((await stage.record(handle.id)).state, "cancelled");
  });

  it("is recorded although its answer was lost while the owner was writing too", async (t) => {
    const stage = new Stage(t);
    const held = gate();
    const chatty = stage.task(async (_: undefined, ctx) => {
      await held.promise;
      await ctx.progress(1);
      await new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => resolve()));
      throw new Error("stopped");
    });
    const worker = await stage.worker();
    let lose = false;
    const service = await stage.service(
      {},
      { onCall: ({ method }) => (method === "apply" && lose ? { lose: "request" } : null) },
    );
    const handle = await service.enqueue(chatty);
    await stage.until("it runs", () => worker.status().running === 1);
    lose = true;
    const cancelling = handle.cancel({ reason: "stop" });
    await stage.clock.settle();
    held.open();
    await stage.clock.settle();
    lose = false;
    assert.equal(await stage.clock.runUntil(cancelling), "requested");
    assert.equal((await stage.ended(handle.id)).state, "cancelled", "the note was not taken for the cancel");
  });

  it("refuses a reason that is no text, and cuts a long one", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const handle = await service.enqueue(stage.task(() => 1));
    await assert.rejects(handle.cancel({ reason: 5 as never }), (error) => hasCode(error, "OPTION_INVALID"));
    await handle.cancel({ reason: `\0${"x".repeat(5_000)}` });
    assert.equal(handle.record?.reason?.length, 1_000);
    assert.ok(handle.record?.reason?.startsWith("\ufffd"));
  });
});

describe("handle", () => {
  it("says pending of what is ready, although our idea of the store's clock lags behind", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service(
      {},
      { onCall: ({ method }) => (method === "insert" ? { delayReply: 0 } : null) },
    );
    service.parts.storeTime.now = () => stage.clock.wall() - 5;
    const handle = await stage.clock.runUntil(service.enqueue(stage.task(() => 1)));
    assert.equal(handle.status, "pending");
    const later = await stage.clock.runUntil(
      service.enqueue(
        stage.task(() => 1),
        undefined,
        { delay: 1 },
      ),
    );
    assert.equal(later.status, "scheduled");
  });

  it("of a process that only enqueues follows the store's clock, though its own stood still", async (t) => {
    const stage = new Stage(t);
    const echo = stage.task((input: number) => input);
    const own = stage.clock;
    let asleep = 0;
    const clock: Clock = {
      wall: () => own.wall(),
      mono: () => own.mono() - asleep,
      after: (delay, callback) => own.after(delay, callback),
      soon: (callback) => own.soon(callback),
    };
    const service = await new QueueService({ queueBackend: stage.store }, { clock }).open();
    const scheduled = await service.enqueue(echo, 1, { delay: "1h" });
    asleep = 7_200_000;
    await own.advance("2h");
    assert.equal(scheduled.status, "scheduled", "it cannot know");
    const fresh = await service.enqueue(echo, 2);
    assert.deepEqual([scheduled.status, fresh.status], ["pending", "pending"]);
    asleep += 3_600_000;
    await own.advance("1h");
    await fresh.cancel();
    assert.ok(Math.abs((fresh.record?.finishedAt ?? 0) - own.wall()) < 10);
  });

  it("is found again by id, and follows the record", async (t) => {
    const stage = new Stage(t);
    const echo = stage.task((input: number) => input);
    const service = await stage.service();
    const { id } = await service.enqueue(echo, 1, { delay: "1m" });
    const found = await service.handle<number>(id);
    assert.deepEqual(
      [found?.id, found?.taskName, found?.outcome, found?.status],
      [id, echo.name, "existing", "scheduled"],
    );
    await stage.clock.advance("61s");
    assert.equal(found?.status, "pending");
    await stage.worker();
    assert.equal(await stage.clock.runUntil(found?.result() as Promise<number>), 1);
    assert.equal(found?.status, "completed");
    assert.equal(await service.handle("nobody"), null);
    assert.equal(await service.get("nobody"), null);
  });
});
