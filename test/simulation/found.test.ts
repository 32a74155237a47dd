/** What the simulation found in the core, each as a story of its own. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { hasCode, memory, task } from "../../src/index.ts";
import { createTestQueue, type FaultPlan, faulty, forgetTask, type TestQueue } from "../../src/testing/index.ts";

const LEASE = 3_000;

/** What the handler of `found.watch` saw, per attempt. */
interface Seen {
  readonly attempt: number;
  /** Whether the lease was sure when the attempt began. */
  readonly sure: boolean;
  readonly isSure: () => boolean;
  readonly signal: AbortSignal;
}
let seen: Seen[] = [];
let clock: TestQueue["clock"];

const quick = task("found.quick", () => "done");
const noting = task("found.noting", async (_: undefined, ctx) => {
  await ctx.log("one line");
  await ctx.progress(1, 2);
  return "noted";
});
/** Runs for the time given, deaf to its signal. */
const watch = task("found.watch", async (ms: number, ctx) => {
  const isSure = (): boolean => {
    try {
      ctx.assertLease();
      return true;
    } catch {
      return false;
    }
  };
  seen.push({ attempt: ctx.attempt, sure: isSure(), isSure, signal: ctx.signal });
  await new Promise<void>((resolve) => clock.after(ms, resolve));
});
const chain = task("found.chain", async (left: number, ctx) => {
  if (left > 0) await ctx.service.enqueue("found.chain", left - 1);
});
after(() => [quick, noting, watch, chain].forEach(forgetTask));

async function queueWith(onCall: FaultPlan["onCall"], seed = 1, finalCancelTimeout = 500): Promise<TestQueue> {
  const queue = await createTestQueue({
    seed,
    worker: { leaseDuration: LEASE, finalCancelTimeout, pollInterval: 300 },
    backend: (own) => faulty(memory({ clock: own }), { clock: own, ...(onCall !== undefined && { onCall }) }),
  });
  seen = [];
  ({ clock } = queue);
  return queue;
}

describe("found by the simulation", () => {
  it("an insert that a driver sent twice is no conflict", async () => {
    const queue = await queueWith(({ method }) => (method === "insert" ? { resend: 0 } : null));
    const handle = await queue.clock.runUntil(queue.enqueue(quick));
    assert.equal(handle.outcome, "created");
    await queue.close();
  });

  it("a write that a driver sent twice is applied once, and known to be", async () => {
    const queue = await queueWith(({ method }) => (method === "apply" ? { resend: 1 } : null));
    const waiting = await queue.enqueue(quick, undefined, { delay: "1h" });
    assert.equal(await queue.clock.runUntil(queue.cancel(waiting.id)), "cancelled");
    const handle = await queue.enqueue(noting, undefined);
    await queue.drain();
    await handle.refresh();
    assert.equal(handle.record?.logs.length, 1, "the line is there once");
    assert.equal(handle.record?.version, 5, "enqueued, claimed, two notes, completed");
    assert.ok(!queue.logs.some(({ message }) => message.includes("not accepted")));
    await queue.close();
  });

  it("one lost renewal does not cost a lease", async () => {
    for (let seed = 1; seed <= 8; seed += 1) {
      const queue = await queueWith(
        ({ method, nth }) => (method === "renew" && nth === 1 ? { lose: "reply", hang: true } : null),
        seed,
      );
      await queue.worker();
      await queue.enqueue(watch, LEASE * 2);
      await queue.clock.advance(LEASE * 2.5);
      assert.equal(seen.length, 1, `seed ${seed}`);
      assert.equal(seen[0]?.signal.aborted, false, `seed ${seed}`);
      await queue.close();
    }
  });

  it("an attempt that was reported is not sure of the lease that its worker took anew", async () => {
    const queue = await queueWith(undefined);
    await queue.worker();
    await queue.enqueue(watch, 10_000, { timeout: 100, retries: 1, backoff: { type: "fixed", delay: 0 } });
    await queue.clock.advance(700);
    assert.deepEqual(
      seen.map(({ attempt }) => attempt),
      [1, 2],
      "the first attempt is deaf, and the second has begun in the same worker",
    );
    assert.deepEqual(
      seen.map(({ isSure }) => isSure()),
      [false, true],
    );
    await queue.close();
  });

  it("a claim whose answer comes after its lease does not begin", async () => {
    const queue = await queueWith(({ method, nth }) =>
      method === "claim" && nth === 1 ? { delayReply: LEASE * 0.95 } : null,
    );
    await queue.enqueue(watch, 10);
    await queue.worker();
    await queue.clock.advance(LEASE * 5);
    assert.deepEqual(
      seen.map(({ sure }) => sure),
      [true],
    );
    await queue.close();
  });

  it("a claim found again past its attempt's hard end does not begin", async () => {
    const queue = await queueWith(({ method, nth }) =>
      method === "claim" && nth <= 3 ? { lose: "reply", hang: true } : null,
    );
    await queue.enqueue(watch, 10, { timeout: 1_000 });
    await queue.worker();
    await queue.clock.advance("1m");
    assert.ok(seen.length > 0);
    assert.ok(
      seen.every(({ sure }) => sure),
      "every attempt began under a lease",
    );
    await queue.close();
  });

  it("a look ahead that is never answered keeps nobody from claiming", async () => {
    const queue = await queueWith(({ method, args }) => {
      const [query] = args as [{ by: string }];
      return method === "find" && query.by === "next" ? { lose: "reply", hang: true } : null;
    });
    await queue.worker();
    await queue.clock.advance(50);
    await queue.enqueue(watch, 10, { delay: 1 });
    await queue.clock.advance("4s");
    assert.equal(seen.length, 1);
    await queue.close();
  });

  it("work that never waits leaves the event loop its turns", async () => {
    const queue = await createTestQueue();
    await queue.worker();
    await queue.enqueue(chain, 5_000);
    await new Promise<void>((resolve) => setImmediate(resolve));
    const { completed } = await queue.counts();
    assert.ok(completed > 0 && completed < 5_000, `${completed} of 5,001 before the first turn`);
    await queue.drain({ limit: 10_000 });
    assert.equal((await queue.counts()).completed, 5_001);
    await queue.close();
  });

  it("a cancel whose request was lost while the owner wrote is not taken for made", async () => {
    let lost = false;
    const queue = await queueWith(({ method, args }) => {
      const [changes] = args as [readonly { to: { cancelRequestedAt: number | null } }[]];
      if (method !== "apply" || lost || !changes.some(({ to }) => to.cancelRequestedAt !== null)) return null;
      lost = true;
      return { lose: "request", delayRequest: 100 };
    });
    await queue.worker();
    const handle = await queue.enqueue(watch, 1_000);
    await queue.clock.settle();
    const cancelling = queue.cancel(handle.id, { reason: "unwanted" });
    assert.equal(await queue.clock.runUntil(cancelling), "requested");
    await handle.refresh();
    assert.notEqual(handle.record?.cancelRequestedAt, null);
    const [first] = seen;
    assert.ok(hasCode(first?.signal.reason, "TASK_CANCELLED") || first?.signal.aborted === false);
    await queue.close();
  });
});
