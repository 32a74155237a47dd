/** Immediate execution: the enqueue call runs the record itself. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TaskContext } from "../../src/core/vocabulary.ts";
import { hasCode } from "../../src/model/errors.ts";
import { gate, Stage } from "./support/stage.ts";

describe("an immediate task", () => {
  it("has ended when enqueue returns; its handle knows", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service({ executionBackend: "immediate" });
    const double = stage.task((input: number, ctx: TaskContext) => {
      ctx.assertLease();
      return input * 2;
    });
    const handle = await service.enqueue(double, 4);
    assert.deepEqual(
      [handle.outcome, handle.status, handle.record?.attempt, handle.record?.workerId],
      ["created", "completed", 1, "inline"],
    );
    assert.equal(await handle.result({ timeout: 0 }), 8);
    assert.deepEqual(
      (await service.enqueueMany(double, [1, 2])).map(({ status }) => status),
      ["completed", "completed"],
    );
    assert.equal(stage.clock.pending, 0);
  });

  it("of one enqueue alone, while a worker serves the others; never taken by a worker", async (t) => {
    const stage = new Stage(t);
    const echo = stage.task((input: number) => input);
    const service = await stage.service();
    await stage.worker();
    assert.equal((await service.enqueue(echo, 1, { executionBackend: "immediate" })).status, "completed");
    const local = await service.enqueue(echo, 2);
    assert.equal(local.status, "pending");
    assert.notEqual((await stage.ended(local.id)).workerId, "inline");
  });

  it("retries at once, and ends like any other", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service({ executionBackend: "immediate" });
    const began = stage.clock.mono();
    const flaky = stage.task(
      (_: undefined, ctx) => {
        if (ctx.attempt < 3) throw new Error("no");
        return "third time";
      },
      { retries: 5, backoff: "1h" },
    );
    const handle = await service.enqueue(flaky);
    assert.deepEqual([handle.status, handle.record?.attempt, stage.clock.mono() - began], ["completed", 3, 0]);
    const bad = await service.enqueue(stage.task(() => Promise.reject(new RangeError("x"))));
    assert.deepEqual([bad.status, bad.record?.error?.name], ["failed", "RangeError"]);
  });

  it("waits for a snooze instead of turning round it", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service({ executionBackend: "immediate" });
    let runs = 0;
    const sleepy = stage.task((_: undefined, ctx) => {
      runs += 1;
      return ctx.attempt < 3 ? ctx.snooze("1m") : "up";
    });
    const began = stage.clock.mono();
    const handle = await stage.clock.runUntil(service.enqueue(sleepy));
    assert.deepEqual([handle.status, runs, stage.clock.mono() - began], ["completed", 3, 120_000]);
  });

  it("keeps its lease however long it runs: no worker takes it for lost", async (t) => {
    const stage = new Stage(t);
    let runs = 0;
    const long = stage.task(async () => {
      runs += 1;
      await new Promise<void>((resolve) => stage.clock.after(600_000, resolve));
      return "ten minutes";
    });
    const service = await stage.service({ executionBackend: "immediate" });
    await stage.worker();
    const handle = await stage.clock.runUntil(service.enqueue(long));
    assert.deepEqual([handle.status, runs, handle.record?.losses, handle.record?.attempt], ["completed", 1, 0, 1]);
  });

  it("is cancelled from elsewhere while it runs", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service({ executionBackend: "immediate" });
    const other = await stage.service();
    let id = "";
    const obedient = stage.task(async (_: undefined, ctx) => {
      id = ctx.id;
      await new Promise<void>((_resolve, reject) =>
        ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason)),
      );
    });
    const enqueueing = service.enqueue(obedient);
    await stage.until("it runs", () => id !== "");
    assert.equal(await other.cancel(id, { reason: "stop" }), "requested");
    const handle = await stage.clock.runUntil(enqueueing);
    assert.deepEqual([handle.status, handle.record?.reason], ["cancelled", "stop"]);
  });

  it("that ignores its time-out does not hold the enqueue for ever", async (t) => {
    const stage = new Stage(t);
    const held = gate();
    const service = await stage.service({ executionBackend: "immediate" });
    const deaf = stage.task(() => held.promise, { timeout: "1s" });
    const handle = await stage.clock.runUntil(service.enqueue(deaf));
    assert.deepEqual([handle.status, handle.record?.reason], ["failed", "timeout"]);
    held.open();
  });

  it("is waited for by a close", async (t) => {
    const stage = new Stage(t);
    const held = gate<string>();
    const service = await stage.service({ executionBackend: "immediate" });
    const enqueueing = service.enqueue(stage.task(() => held.promise));
    await stage.clock.settle();
    let closed = false;
    const closing = service.close().then(() => {
      closed = true;
    });
    await stage.clock.advance("5s");
    assert.equal(closed, false);
    held.open("x");
    const handle = await stage.clock.runUntil(enqueueing);
    await closing;
    assert.equal(handle.status, "completed");
  });

  it("runs once for a key that is held for ever, whichever of racing calls", async (t) => {
    const stage = new Stage(t);
    let runs = 0;
    const once = stage.task(
      () => {
        runs += 1;
      },
      { key: "k", uniqueUntil: "forever" },
    );
    const services = await Promise.all(
      Array.from({ length: 3 }, () =>
        stage.service({ executionBackend: "immediate" }, { rates: { hold: { delay: 1 } } }),
      ),
    );
    const handles = await stage.clock.runUntil(Promise.all(services.map((service) => service.enqueue(once))));
    assert.equal(runs, 1);
    assert.equal((await stage.record(handles[0]?.id as string)).state, "completed");
    assert.equal(handles.filter(({ outcome }) => outcome === "created").length, 1);
  });

  it("of a producer that died after taking a key for ever is run by the next one", async (t) => {
    const stage = new Stage(t);
    const once = stage.task((input: number) => input, { key: "k", uniqueUntil: "forever" });
    const config = { executionBackend: "immediate" } as const;
    const dying = await stage.service(config, {
      onCall: ({ method }) => (method === "insert" ? { lose: "request" } : null),
    });
    await assert.rejects(stage.clock.runUntil(dying.enqueue(once, 1)));
    const service = await stage.service(config);
    const handle = await stage.clock.runUntil(service.enqueue(once, 2));
    assert.deepEqual([handle.outcome, handle.status, handle.record?.result], ["existing", "completed", "2"]);
  });

  it("cannot wait for a time", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service({ executionBackend: "immediate" });
    const echo = stage.task((input: number) => input);
    for (const options of [{ delay: 1 }, { runAt: 5 }])
      await assert.rejects(service.enqueue(echo, 1, options), (error) => hasCode(error, "OPTION_INVALID"));
  });
});
