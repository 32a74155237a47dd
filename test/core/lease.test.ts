/** Leases: one batched renewal, the local watchdog, lost and doubtful leases, recovery, and clocks that jump (E1–E3). */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memory } from "../../src/backends/memory/index.ts";
import type { Clock } from "../../src/contracts/clock.ts";
import type { ClaimRef } from "../../src/contracts/queue-backend.ts";
import type { TaskContext } from "../../src/core/vocabulary.ts";
import { hasCode, type SiderealError } from "../../src/model/errors.ts";
import { QueueService, Worker } from "../../src/sidereal.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { gate, Stage } from "./support/stage.ts";

/** A handler that runs until it is asked to stop, and notes why. */
function stoppable(reasons: string[]) {
  return (_: undefined, ctx: TaskContext): Promise<never> =>
    new Promise((_resolve, reject) => {
      ctx.signal.addEventListener("abort", () => {
        reasons.push((ctx.signal.reason as SiderealError).code);
        reject(ctx.signal.reason);
      });
    });
}

describe("renewal", () => {
  it("is one call for everything a worker owns, every third of a lease", async (t) => {
    const stage = new Stage(t);
    const held = gate();
    const slow = stage.task(() => held.promise);
    const service = await stage.service();
    const handles = await service.enqueueMany(slow, Array.from({ length: 25 }));
    const sizes: number[] = [];
    await stage.worker(
      { maxConcurrency: 25 },
      {
        onCall: ({ method, args }) => {
          if (method === "renew") sizes.push((args[0] as readonly ClaimRef[]).length);
          return null;
        },
      },
    );
    await stage.clock.advance("5m");
    assert.ok(
      sizes.every((size) => size === 25),
      `${sizes}`,
    );
    assert.ok(sizes.length >= 24 && sizes.length <= 38, `${sizes.length} renewals in 5 minutes`);
    held.open();
    for (const { id } of handles)
      assert.deepEqual([(await stage.ended(id)).state, (await stage.record(id)).losses], ["completed", 0]);
  });

  it("that hangs is given up in time for another", async (t) => {
    const stage = new Stage(t);
    const held = gate<string>();
    const slow = stage.task(() => held.promise);
    const service = await stage.service();
    await stage.worker({}, { onCall: ({ method, nth }) => (method === "renew" && nth % 2 ? { hang: true } : null) });
    await stage.worker();
    const handle = await service.enqueue(slow);
    await stage.clock.advance("4m");
    const { losses, attempt } = await stage.record(handle.id);
    assert.deepEqual([losses, attempt], [0, 1]);
    held.open("kept");
    assert.equal((await stage.ended(handle.id)).result, '"kept"');
  });
});

describe("the watchdog", () => {
  it("aborts at nine tenths of a lease when renewals fail, and hands the record back once it can", async (t) => {
    const stage = new Stage(t);
    const reasons: string[] = [];
    const service = await stage.service();
    const handle = await service.enqueue(stage.task(stoppable(reasons)));
    let down = false;
    const worker = await stage.worker(
      { leaseDuration: "30s" },
      { onCall: ({ method }) => (down && method !== "claim" ? { lose: "request" } : null) },
    );
    await stage.until("it runs", () => worker.status().running === 1);
    const claimedAt = stage.clock.mono();
    down = true;
    await stage.until("it is aborted", () => reasons.length > 0);
    assert.deepEqual(reasons, ["LEASE_UNCERTAIN"]);
    const window = stage.clock.mono() - claimedAt;
    assert.ok(window >= 26_990 && window <= 27_010, `${window} ms after the claim`);
    down = false;
    await stage.until("it is given back", async () => (await stage.record(handle.id)).interruptions === 1);
    const { failures, losses } = await stage.record(handle.id);
    assert.deepEqual([failures, losses], [0, 0]);
  });

  it("does not let a doubtful lease cancel a task that is not to be requeued by a shutdown", async (t) => {
    const stage = new Stage(t);
    const reasons: string[] = [];
    const service = await stage.service();
    const handle = await service.enqueue(stage.task(stoppable(reasons), { requeueOnShutdown: false }));
    let down = false;
    const worker = await stage.worker({}, { onCall: () => (down ? { lose: "request" } : null) });
    await stage.until("it runs", () => worker.status().running === 1);
    down = true;
    await stage.until("it is aborted", () => reasons.length > 0);
    down = false;
    await stage.until("it is given back", async () => (await stage.record(handle.id)).interruptions === 1);
    assert.notEqual((await stage.record(handle.id)).state, "cancelled");
  });

  it("counts from when the claim was sent, and assertLease knows", async (t) => {
    const stage = new Stage(t);
    let context: TaskContext | undefined;
    const held = gate();
    const slow = stage.task(async (_: undefined, ctx) => {
      context = ctx;
      await held.promise;
    });
    const service = await stage.service();
    await service.enqueue(slow);
    let down = false;
    await stage.worker(
      { leaseDuration: "10s", pollInterval: "1m" },
      {
        onCall: ({ method }) => {
          if (method === "claim") return { delayReply: 4_000 };
          return down ? { lose: "request" } : null;
        },
      },
    );
    const sent = stage.clock.mono();
    await stage.until("it runs", () => context !== undefined);
    down = true;
    assert.ok(stage.clock.mono() - sent >= 4_000);
    const ctx = context as TaskContext;
    ctx.assertLease();
    await stage.until("it is aborted", () => ctx.signal.aborted);
    assert.ok(Math.abs(stage.clock.mono() - sent - 9_000) <= 10, `${stage.clock.mono() - sent} ms after the sending`);
    assert.throws(
      () => ctx.assertLease(),
      (error) => hasCode(error, "LEASE_UNCERTAIN"),
    );
    down = false;
    held.open();
  });
});

describe("a slow answer to a renewal", () => {
  it("does not lengthen the local window, which counts from the request (M8)", async (t) => {
    const stage = new Stage(t);
    const reasons: string[] = [];
    let sent = 0;
    const service = await stage.service();
    await service.enqueue(stage.task(stoppable(reasons)));
    await stage.worker(
      { leaseDuration: "30s" },
      {
        onCall: ({ method, nth }) => {
          if (method !== "renew") return null;
          if (nth > 1) return { lose: "request" };
          sent = stage.clock.mono();
          return { delayReply: 4_000 };
        },
      },
    );
    await stage.until("it is aborted", () => reasons.length > 0);
    const window = stage.clock.mono() - sent;
    assert.ok(window >= 26_990 && window <= 27_010, `${window} ms after the renewal was sent`);
  });
});

describe("a lease that ends early, with its attempt's hard end", () => {
  it("is not taken for a whole one", async (t) => {
    const stage = new Stage(t);
    const held = gate();
    let context: TaskContext | undefined;
    const deaf = stage.task(
      async (_: undefined, ctx) => {
        context = ctx;
        await held.promise;
      },
      { timeout: "1s" },
    );
    let down = false;
    const service = await stage.service();
    await stage.worker(
      { leaseDuration: "30s", heartbeatInterval: "15s", finalCancelTimeout: "25s" },
      { onCall: () => (down ? { lose: "request" } : null) },
    );
    await service.enqueue(deaf);
    await stage.until("it runs", () => context !== undefined);
    down = true;
    const ctx = context as unknown as TaskContext;
    await stage.clock.advance("14s");
    ctx.assertLease();
    await stage.clock.advance("1s");
    assert.throws(
      () => ctx.assertLease(),
      (error) => hasCode(error, "LEASE_UNCERTAIN"),
    );
    down = false;
    held.open();
  });
});

describe("a lost lease", () => {
  it("aborts the zombie, of which nothing is written, while the successor goes on", async (t) => {
    const stage = new Stage(t);
    const reasons: string[] = [];
    const zombieGate = gate<string>();
    const seen: TaskContext[] = [];
    const contested = stage.task(async (_: undefined, ctx) => {
      seen.push(ctx);
      ctx.signal.addEventListener("abort", () => reasons.push((ctx.signal.reason as SiderealError).code));
      if (seen.length === 1) {
        const said = await zombieGate.promise;
        await ctx.progress(99);
        await ctx.log("from the grave");
        return said;
      }
      await new Promise<void>((resolve) => stage.clock.after(60_000, resolve));
      return "successor";
    });
    const service = await stage.service();
    const handle = await service.enqueue(contested);
    let cut = false;
    await stage.worker({ leaseDuration: "10s" }, { onCall: () => (cut ? { lose: "request" } : null) });
    await stage.until("the first runs", () => seen.length === 1);
    cut = true;
    await stage.worker({ leaseDuration: "10s" });
    await stage.until("the second runs", () => seen.length === 2);
    assert.deepEqual(reasons, ["LEASE_UNCERTAIN"], "it was asked to stop before anybody took over");
    cut = false;
    zombieGate.open("zombie");
    const record = await stage.ended(handle.id);
    assert.deepEqual(
      [record.result, record.attempt, record.losses, record.progress, record.logs.length],
      ['"successor"', 2, 1, null, 0],
    );
    assert.ok((seen[1] as TaskContext).fence > (seen[0] as TaskContext).fence, "the fence grew");
    assert.notEqual(seen[1]?.attemptKey, seen[0]?.attemptKey);
    assert.equal(seen[1]?.idempotencyKey, seen[0]?.idempotencyKey);
    assert.ok(stage.logs.some(({ message }) => message.includes("was not accepted")));
  });

  it("is told by the next renewal, as LEASE_LOST, when the record is gone", async (t) => {
    const stage = new Stage(t);
    const reasons: string[] = [];
    const service = await stage.service();
    const handle = await service.enqueue(stage.task(stoppable(reasons)));
    const worker = await stage.worker();
    await stage.until("it runs", () => worker.status().running === 1);
    await stage.store.apply([{ from: await stage.record(handle.id), to: null }]);
    await stage.until("it is told", () => reasons.length > 0, 15_000);
    assert.deepEqual(reasons, ["LEASE_LOST"]);
    await stage.clock.advance("1m");
    assert.equal(await service.get(handle.id), null, "nobody made it again");
  });
});

describe("recovery", () => {
  it("within a lease and a look, with back-off, and poison after the third loss", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const seen: number[] = [];
    const pill = stage.task((_: undefined, ctx) => {
      seen.push(ctx.attempt);
      return new Promise<never>(() => {});
    });
    const handle = await service.enqueue(pill);
    await stage.worker({ maxConcurrency: 1, queues: ["nobody"] });
    for (let life = 1; life <= 3; life += 1) {
      // A worker that dies: from its first claim on nothing of it reaches the store any more.
      let dead = false;
      await stage.worker(
        { maxConcurrency: 1, leaseDuration: "10s", finalCancelTimeout: 1 },
        { onCall: () => (dead ? { hang: true } : null) },
      );
      await stage.until(`life ${life} runs`, () => seen.length === life);
      dead = true;
      const began = stage.clock.mono();
      await stage.until(`loss ${life}`, async () => (await stage.record(handle.id)).losses === life);
      assert.ok(stage.clock.mono() - began <= 30_000 + 6_000, `taken back after ${stage.clock.mono() - began} ms`);
    }
    const record = await stage.record(handle.id);
    assert.deepEqual(
      [record.state, record.reason, record.losses, record.attempt, record.failures],
      ["failed", "poison", 3, 3, 0],
    );
    assert.deepEqual(seen, [1, 2, 3]);
  });

  it("does not blame bystanders that were claimed but had not begun, more than once", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const quick = stage.task(() => undefined);
    const bystander = await service.enqueue(quick);
    for (let life = 1; life <= 5; life += 1) {
      const [record] = await stage.store.claim({
        token: `t${life}`,
        workerId: "dying",
        limit: 1,
        lease: 1_000,
        tasks: [quick.name],
        queues: null,
        queueLimits: {},
        executions: ["local"],
      });
      assert.equal(record?.id, bystander.id);
      const reaper = await stage.worker({ queues: ["nobody"], leaseDuration: "1s" });
      await stage.until("it is back", async () => (await stage.record(bystander.id)).state === "pending");
      await stage.clock.runUntil(reaper.stop());
      await stage.clock.advance("10s");
    }
    assert.equal((await stage.record(bystander.id)).losses, 1);
    await stage.worker();
    assert.equal((await stage.ended(bystander.id)).state, "completed");
  });

  it("of a page full of rows that cannot be dealt with does not hide the others (M18)", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const quick = stage.task(() => undefined);
    const handles = await service.enqueueMany(quick, Array.from({ length: 250 }));
    await stage.store.claim({
      token: "t",
      workerId: "dead",
      limit: 250,
      lease: 1,
      tasks: [quick.name],
      queues: null,
      queueLimits: {},
      executions: ["local"],
    });
    const bad = new Set(handles.slice(0, 150).map(({ id }) => id));
    await stage.worker(
      { queues: ["nobody"] },
      {
        onCall: ({ method, args }) => {
          const hit =
            method === "apply" && (args[0] as readonly { from: { id: string } }[]).some(({ from }) => bad.has(from.id));
          return hit ? { lose: "request", code: "STORE_READ_ONLY" } : null;
        },
      },
    );
    await stage.until("the rest is back", async () => (await service.counts()).running === 150, 60_000);
    assert.ok(
      stage.logs.some(({ message, fields }) => message.includes("could not be dealt with") && fields["tasks"] === 100),
    );
  });
});

describe("clocks that jump", () => {
  /** A store on another clock than the worker's: its wall may be set. */
  class StoreClock extends VirtualClock {
    shift = 0;
    readonly #of: VirtualClock;
    constructor(of: VirtualClock) {
      super();
      this.#of = of;
    }
    override wall(): number {
      return this.#of.wall() + this.shift;
    }
    override mono(): number {
      return this.#of.mono();
    }
  }

  for (const hours of [1, -1, 24]) {
    it(`the store's by ${hours} h: nothing is reaped that lives, and leases still end`, async (t) => {
      const stage = new Stage(t);
      const clock = new StoreClock(stage.clock);
      const store = memory({ clock });
      Object.assign(stage, { store });
      const held = gate<string>();
      const slow = stage.task(() => held.promise);
      const service = await stage.service();
      const handles = await service.enqueueMany(slow, Array.from({ length: 30 }));
      await stage.worker({ maxConcurrency: 15 });
      await stage.worker({ maxConcurrency: 15 });
      await stage.until("all run", async () => (await service.counts()).running === 30);
      await stage.clock.advance("1m");
      clock.shift = hours * 3_600_000;
      await stage.clock.advance("5m");
      for (const { id } of handles) {
        const { losses, attempt, state } = await stage.record(id);
        assert.deepEqual([state, attempt, losses], ["running", 1, 0]);
      }
      const dead = await service.enqueue(slow, undefined, { queue: "dead" });
      await stage.store.claim({
        token: "t",
        workerId: "dead",
        limit: 1,
        lease: 30_000,
        tasks: [slow.name],
        queues: ["dead"],
        queueLimits: {},
        executions: ["local"],
      });
      await stage.until("a lost one is taken back", async () => (await stage.record(dead.id)).losses === 1, 90_000);
      held.open("done");
      for (const { id } of handles) assert.equal((await stage.ended(id)).attempt, 1);
      const due = await service.enqueue(slow, undefined, { delay: "10s" });
      assert.equal((await stage.ended(due.id, 60_000)).state, "completed");
    });
  }

  for (const shift of [3_600_000, -3_600_000, 86_400_000]) {
    it(`a worker's own by ${shift / 3_600_000} h: nothing changes, the store's time counts`, async (t) => {
      const stage = new Stage(t);
      const reasons: string[] = [];
      const own = stage.clock;
      const clock: Clock = {
        wall: () => own.wall() + shift,
        mono: () => own.mono(),
        after: (delay, callback) => own.after(delay, callback),
        soon: (callback) => own.soon(callback),
      };
      const held = gate<string>();
      const slow = stage.task(async (_: undefined, ctx) => {
        ctx.signal.addEventListener("abort", () => reasons.push("aborted"));
        return held.promise;
      });
      const skewed = await new QueueService({ queueBackend: stage.store }, { clock, logger: stage.logger }).open();
      const worker = await new Worker(skewed).start();
      t.after(() => own.runUntil(worker.stop({ force: true })));
      await stage.worker({ queues: ["nobody"] });
      const handle = await skewed.enqueue(slow);
      const due = await skewed.enqueue(slow, undefined, { delay: "30s" });
      assert.equal((await stage.record(due.id)).readyAt, own.wall() + 30_000);
      await own.advance("2m");
      held.open("ok");
      for (const { id } of [handle, due]) {
        const { losses, attempt, startedAt } = await stage.ended(id);
        assert.deepEqual([losses, attempt], [0, 1]);
        assert.ok(Math.abs((startedAt ?? 0) - own.wall()) < 130_000);
      }
      assert.deepEqual(reasons, []);
    });
  }
});

describe("upkeep", () => {
  it("expires what was not begun in time, at its deadline and with its reason", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const quick = stage.task(() => 1);
    const late = await service.enqueue(quick, undefined, { queue: "nobody", expiresIn: "5s", key: "k" });
    const free = await service.enqueue(quick, undefined, { queue: "nobody" });
    await stage.worker({ queues: ["else"] });
    const began = stage.clock.mono();
    const record = await stage.ended(late.id);
    assert.deepEqual([record.state, record.reason, record.key, record.attempt], ["cancelled", "expired", null, 0]);
    assert.ok(stage.clock.mono() - began >= 5_000 && stage.clock.mono() - began <= 7_000);
    await stage.clock.advance("10m");
    assert.equal((await stage.record(free.id)).state, "pending");
  });

  it("never starts what is past its deadline", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    let ran = 0;
    const handle = await service.enqueue(
      stage.task(() => {
        ran += 1;
      }),
      undefined,
      { expiresIn: 50 },
    );
    await stage.clock.advance(60);
    await stage.worker();
    assert.equal((await stage.ended(handle.id)).reason, "expired");
    assert.equal(ran, 0);
  });

  it("removes finished records after their retention, and no others; null keeps them", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const quick = stage.task(() => 1);
    const keeper = await stage.worker({ retention: null });
    const old = await service.enqueueMany(quick, Array.from({ length: 1_200 }));
    await stage.until("all are done", async () => (await service.counts()).completed === 1_200);
    await stage.clock.advance("10m");
    assert.equal((await service.counts()).total, old.length);
    await stage.clock.runUntil(keeper.stop());
    const young = await service.enqueue(quick);
    const waiting = await service.enqueue(quick, undefined, { delay: "1d" });
    await stage.worker({ retention: "5m" });
    await stage.ended(young.id);
    await stage.until("the old ones are gone", async () => (await service.counts()).completed === 1, 200_000);
    assert.ok((await service.get(young.id)) !== null && (await service.get(waiting.id)) !== null);
  });
});
