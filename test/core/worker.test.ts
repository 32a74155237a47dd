/** What a worker claims, in which order, how far ahead, and what it leaves alone. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ClaimRequest } from "../../src/contracts/queue-backend.ts";
import { registry } from "../../src/core/registry.ts";
import { hasCode } from "../../src/model/errors.ts";
import { Worker } from "../../src/sidereal.ts";
import type { FaultPlan } from "../../src/testing/faulty.ts";
import { gate, Stage } from "./support/stage.ts";

/** Watches the calls of one method. */
function watching<T>(method: string, calls: T[]): FaultPlan {
  return {
    onCall: (call) => {
      if (call.method === method) calls.push(call.args[0] as T);
      return null;
    },
  };
}

describe("claiming", () => {
  it("asks for free slots only, and for the tasks it knows", async (t) => {
    const stage = new Stage(t);
    const held = gate();
    let [running, most] = [0, 0];
    const slow = stage.task(async () => {
      running += 1;
      most = Math.max(most, running);
      await held.promise;
      running -= 1;
    });
    const service = await stage.service();
    const handles = await service.enqueueMany(slow, Array.from({ length: 20 }));
    const claims: ClaimRequest[] = [];
    const worker = await stage.worker({ maxConcurrency: 4 }, watching("claim", claims));
    await stage.clock.advance("10s");
    assert.deepEqual([running, worker.status().running, worker.status().claimed], [4, 4, 0]);
    assert.deepEqual(
      claims.map(({ limit }) => limit),
      [4],
      "nothing is asked for while every slot is taken",
    );
    assert.deepEqual(claims[0]?.tasks, registry.names());
    held.open();
    for (const { id } of handles) await stage.ended(id);
    assert.equal(most, 4);
  });

  it("leaves a task that it does not know alone, and takes it once it does (P5)", async (t) => {
    const stage = new Stage(t);
    const later = stage.task(() => "known now");
    const service = await stage.service();
    const { id } = await service.enqueue(later);
    registry.remove(later.name);
    const other = stage.task(() => "other");
    await stage.worker();
    await stage.ended((await service.enqueue(other)).id);
    await stage.clock.advance("10m");
    const before = await stage.record(id);
    assert.deepEqual([before.state, before.attempt, before.version], ["pending", 0, 1]);
    registry.add(later);
    assert.equal((await stage.ended(id)).result, '"known now"');
  });

  it("serves only the queues it is told to", async (t) => {
    const stage = new Stage(t);
    const echo = stage.task((input: string) => input);
    const service = await stage.service();
    const [mine, others] = [
      await service.enqueue(echo, "a", { queue: "mine" }),
      await service.enqueue(echo, "b", { queue: "others" }),
    ];
    await stage.worker({ queues: ["mine"] });
    await stage.ended(mine.id);
    await stage.clock.advance("1m");
    assert.equal((await stage.record(others.id)).state, "pending");
  });

  it("begins with the larger priority, then first in, first out", async (t) => {
    const stage = new Stage(t);
    const order: string[] = [];
    const note = stage.task((input: string) => {
      order.push(input);
    });
    const service = await stage.service();
    for (const [name, priority] of [
      ["a", 0],
      ["b", 5],
      ["c", -5],
      ["d", 5],
      ["e", 0],
    ] as const)
      await service.enqueue(note, name, { priority });
    await stage.worker({ maxConcurrency: 1 });
    await stage.until("all have run", () => order.length === 5);
    assert.deepEqual(order, ["b", "d", "a", "e", "c"]);
  });

  it("keeps to the cap of a queue, and frees it as soon as an attempt ends", async (t) => {
    const stage = new Stage(t);
    let [running, most] = [0, 0];
    const careful = stage.task(
      async (input: number) => {
        running += 1;
        most = Math.max(most, running);
        await new Promise<void>((resolve) => stage.clock.after(10, resolve));
        running -= 1;
        return input;
      },
      { queue: "careful" },
    );
    const quick = stage.task(() => "quick", { queue: "quick" });
    const service = await stage.service();
    const handles = await service.enqueueMany(
      careful,
      Array.from({ length: 40 }, (_, at) => at),
    );
    await stage.worker({ maxConcurrency: 10, queueConcurrency: { careful: 2 } });
    const began = stage.clock.mono();
    await stage.ended((await service.enqueue(quick)).id);
    for (const { id } of handles) await stage.ended(id);
    assert.equal(most, 2);
    const took = stage.clock.mono() - began;
    assert.ok(took <= 300, `20 rounds of 10 ms took ${took} ms: the queue waited for polls`);
  });

  it("a queue named like a member of every object is no special queue", async (t) => {
    const stage = new Stage(t);
    const echo = stage.task((input: string) => input);
    const service = await stage.service();
    await stage.worker({ queueConcurrency: { constructor: 1 } });
    for (const queue of ["constructor", "toString", "hasOwnProperty", "valueOf"])
      assert.equal((await stage.ended((await service.enqueue(echo, queue, { queue })).id)).state, "completed");
  });

  it("quick handlers lead it to claim ahead, slow ones do not", async (t) => {
    const stage = new Stage(t);
    let [running, most] = [0, 0];
    const quick = stage.task(async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise<void>((resolve) => stage.clock.after(1, resolve));
      running -= 1;
    });
    const service = await stage.service();
    await service.enqueueMany(quick, Array.from({ length: 300 }));
    const claims: ClaimRequest[] = [];
    const worker = await stage.worker({ maxConcurrency: 2 }, watching("claim", claims));
    await stage.until("all have run", async () => (await service.counts()).completed === 300);
    assert.ok(claims.length < 20, `${claims.length} claims for 300 quick tasks in 2 slots`);
    assert.equal(most, 2, "what is claimed ahead waits for a slot");
    await stage.clock.runUntil(worker.stop());
    const slow = stage.task(() => new Promise<void>((resolve) => stage.clock.after(30, resolve)));
    await service.enqueueMany(slow, Array.from({ length: 30 }));
    claims.length = 0;
    await stage.worker({ maxConcurrency: 2 }, watching("claim", claims));
    await stage.until("all have run", async () => (await service.counts()).completed === 330);
    assert.ok(
      claims.every(({ limit }) => limit <= 2),
      `${claims.map(({ limit }) => limit)}`,
    );
  });

  it("gives back what it claimed ahead when slow ones hold the slots", async (t) => {
    const stage = new Stage(t);
    const held = gate();
    const quick = stage.task(() => undefined);
    const slow = stage.task(() => held.promise, { priority: 1 });
    const service = await stage.service();
    await service.enqueueMany(quick, Array.from({ length: 200 }));
    const worker = await stage.worker({ maxConcurrency: 2 });
    await stage.until("it has learnt that they are quick", async () => (await service.counts()).completed === 200);
    await service.enqueueMany(slow, Array.from({ length: 2 }));
    await service.enqueueMany(quick, Array.from({ length: 20 }));
    await stage.until("the slow ones run", () => worker.status().running === 2);
    await stage.clock.advance("2s");
    assert.equal(worker.status().claimed, 0);
    const other = await stage.worker({ maxConcurrency: 2 });
    await stage.until("another worker does the rest", async () => (await service.counts()).completed === 220);
    assert.equal(other.status().running, 0);
    const { records } = await stage.store.page({ order: "oldest", after: null, limit: 500, states: ["completed"] });
    assert.ok(
      records.every(
        ({ attempt, losses, interruptions, failures }) => attempt === 1 && losses + interruptions + failures === 0,
      ),
      "it cost nothing",
    );
    held.open();
    await stage.until("all have ended", async () => (await service.counts()).completed === 222);
  });

  it("takes a record up when it is due, not a poll later", async (t) => {
    const stage = new Stage(t);
    const began: number[] = [];
    const note = stage.task(() => {
      began.push(stage.clock.mono());
    });
    const service = await stage.service();
    await stage.worker();
    await stage.clock.advance("20s");
    const due = stage.clock.mono() + 777;
    await stage.ended((await service.enqueue(note, undefined, { delay: 777 })).id);
    assert.ok((began[0] as number) >= due && (began[0] as number) <= due + 5, `due at ${due}, begun at ${began[0]}`);
  });

  it("finds new work by polling where every hint is lost", async (t) => {
    const stage = new Stage(t);
    const echo = stage.task((input: number) => input);
    const service = await stage.service();
    await stage.worker({ pollInterval: 100 }, { signals: { drop: 1 } });
    await stage.clock.advance("1m");
    const began = stage.clock.mono();
    await stage.ended((await service.enqueue(echo, 1)).id);
    assert.ok(stage.clock.mono() - began <= 1_200, "ten poll intervals and their jitter at most");
  });

  it("rests when there is nothing to do", async (t) => {
    const stage = new Stage(t);
    stage.task(() => undefined);
    const claims: ClaimRequest[] = [];
    await stage.worker({ pollInterval: 100 }, watching("claim", claims));
    await stage.clock.advance("60s");
    assert.ok(claims.length >= 50 && claims.length <= 90, `${claims.length} claims in a minute`);
  });
});

describe("a worker", () => {
  it("cannot be started twice, nor after its end; stopping twice is harmless", async (t) => {
    const stage = new Stage(t);
    const worker = await stage.worker();
    await assert.rejects(
      worker.start(),
      (error) => hasCode(error, "WORKER_STARTED") && /is running/.test(error.message),
    );
    assert.equal(await stage.clock.runUntil(worker.stop()), "clean");
    assert.equal(await worker.stop(), "clean");
    assert.equal(worker.status().state, "stopped");
    await assert.rejects(worker.start(), (error) => hasCode(error, "WORKER_STARTED"));
  });

  it("with a service of its own leaves it closed when it is started again", async () => {
    const worker = new Worker({});
    await worker.start();
    await worker.stop();
    await assert.rejects(worker.start(), (error) => hasCode(error, "WORKER_STARTED"));
    assert.equal(worker.service.isOpen, false);
  });

  it("needs an open service, and something to claim", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    await service.close();
    await assert.rejects(new Worker(service).start(), (error) => hasCode(error, "NOT_OPEN"));
    assert.throws(
      () => new Worker({ executionBackend: "immediate" }),
      (error) => hasCode(error, "WORKER_INVALID"),
    );
  });

  it("is ready once a claim was answered, and not within two poll intervals of silence", async (t) => {
    const stage = new Stage(t);
    stage.task(() => undefined);
    let silent = false;
    const worker = await stage.worker({ pollInterval: 100 }, { onCall: () => (silent ? { hang: true } : null) });
    assert.equal(worker.status().ready, false, "nothing has been answered yet");
    await stage.clock.settle();
    assert.equal(worker.status().ready, true);
    await stage.clock.advance("5s");
    assert.equal(worker.status().ready, true);
    silent = true;
    await stage.until("it asks again", () => !worker.status().ready, 1_200 + 200);
    silent = false;
    await stage.until("it is ready again", () => worker.status().ready, 15_000);
  });

  it("is not ready when it is full and cannot renew", async (t) => {
    const stage = new Stage(t);
    const held = gate();
    const service = await stage.service();
    let down = false;
    const worker = await stage.worker({ maxConcurrency: 1 }, { onCall: () => (down ? { lose: "request" } : null) });
    await service.enqueue(stage.task(() => held.promise));
    await stage.until("it runs", () => worker.status().running === 1);
    await stage.clock.advance("20s");
    assert.equal(worker.status().ready, true);
    down = true;
    await stage.clock.advance("13s");
    assert.equal(worker.status().ready, false);
    down = false;
    await stage.clock.advance("13s");
    assert.equal(worker.status().ready, true);
    held.open();
  });

  it("takes a store that throws at once for one that fails", async (t) => {
    const stage = new Stage(t);
    const broken = new Set<string>();
    const store = new Proxy(stage.store, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== "function") return member;
        return (...args: unknown[]): unknown => {
          if (broken.has(String(name))) throw new TypeError("thrown before any promise");
          return member.apply(target, args);
        };
      },
    });
    Object.assign(stage, { store });
    const echo = stage.task((input: number) => input);
    const service = await stage.service();
    const worker = await stage.worker();
    await stage.clock.settle();
    for (const method of ["claim", "find", "now", "renew", "apply"]) broken.add(method);
    await stage.clock.advance("1m");
    assert.equal(worker.status().ready, false);
    broken.clear();
    assert.equal((await stage.ended((await service.enqueue(echo, 1)).id)).state, "completed");
    broken.add("insert");
    await assert.rejects(
      stage.clock.runUntil(service.enqueue(echo, 2)),
      (error) => hasCode(error, "STORE_FAILED") && error.cause instanceof TypeError,
    );
  });

  it("survives an outage in which every call fails, and goes on alone", async (t) => {
    const stage = new Stage(t);
    const held = gate<string>();
    const slow = stage.task(() => held.promise);
    const echo = stage.task((input: string) => input);
    const service = await stage.service();
    let down = false;
    const worker = await stage.worker({ leaseDuration: "30s" }, { onCall: () => (down ? { lose: "request" } : null) });
    const under = await service.enqueue(slow);
    await stage.until("it runs", () => worker.status().running === 1);
    down = true;
    await stage.clock.advance("20s");
    const waiting = await service.enqueue(echo, "after");
    held.open("finished in the dark");
    await stage.clock.advance("5s");
    assert.deepEqual([(await stage.record(under.id)).state, worker.status().ready], ["running", false]);
    down = false;
    assert.equal((await stage.ended(under.id, 10_000)).result, '"finished in the dark"');
    assert.equal((await stage.ended(waiting.id, 10_000)).result, '"after"');
    assert.equal(worker.status().ready, true);
    assert.equal(
      stage.logs.filter(({ message }) => message.includes("cannot be asked for work")).length,
      1,
      "said once",
    );
  });

  it("survives an outage longer than every lease, in which every call hangs", async (t) => {
    const stage = new Stage(t);
    const echo = stage.task((input: number) => input);
    const service = await stage.service();
    let down = false;
    const worker = await stage.worker({}, { onCall: () => (down ? { hang: true } : null) });
    await stage.ended((await service.enqueue(echo, 0)).id);
    down = true;
    await stage.clock.advance("10m");
    const handles = await service.enqueueMany(echo, [1, 2, 3]);
    down = false;
    for (const { id } of handles) {
      const record = await stage.ended(id, 15_000);
      assert.deepEqual([record.state, record.attempt, record.losses], ["completed", 1, 0]);
    }
    assert.equal(worker.status().state, "running");
  });
});

describe("a claim whose answer was lost", () => {
  it("is sent again under the same token, and its records run once, in spite of fewer free slots", async (t) => {
    const stage = new Stage(t);
    const seen: number[] = [];
    const note = stage.task((input: number) => {
      seen.push(input);
    });
    const service = await stage.service();
    const handles = await service.enqueueMany(note, [1, 2, 3, 4, 5]);
    const tokens: string[] = [];
    await stage.worker(
      {},
      {
        onCall: ({ method, args, nth }) => {
          if (method !== "claim") return null;
          tokens.push((args[0] as ClaimRequest).token);
          return nth <= 2 ? { lose: "reply" } : null;
        },
      },
    );
    for (const { id } of handles) {
      const record = await stage.ended(id);
      assert.deepEqual([record.state, record.attempt, record.losses], ["completed", 1, 0]);
    }
    assert.deepEqual(seen.sort(), [1, 2, 3, 4, 5]);
    assert.deepEqual(new Set(tokens.slice(0, 3)).size, 1);
    assert.notEqual(tokens[3], tokens[0]);
  });

  it("does not make the leases of a later claim look old", async (t) => {
    const stage = new Stage(t);
    const aborted: unknown[] = [];
    const work = stage.task(async (_: undefined, ctx) => {
      ctx.signal.addEventListener("abort", () => aborted.push(ctx.signal.reason));
      await new Promise<void>((resolve) => stage.clock.after(1_000, resolve));
      ctx.assertLease();
    });
    const service = await stage.service();
    let down = true;
    await stage.worker(
      { leaseDuration: "3s" },
      { onCall: ({ method }) => (down && method === "claim" ? { lose: "request" } : null) },
    );
    await stage.clock.advance("1m");
    const { id } = await service.enqueue(work);
    down = false;
    const record = await stage.ended(id);
    assert.deepEqual([record.state, record.attempt, record.interruptions], ["completed", 1, 0]);
    assert.deepEqual(aborted, []);
  });

  it("gives whole leases all the same, wherever the first answer was lost", async (t) => {
    const stage = new Stage(t);
    const held = gate();
    const slow = stage.task(() => held.promise);
    const service = await stage.service();
    const { id } = await service.enqueue(slow);
    const worker = await stage.worker(
      { leaseDuration: "30s" },
      { onCall: ({ method, nth }) => (method === "claim" && nth === 1 ? { delayReply: 9_000, lose: "reply" } : null) },
    );
    await stage.until("it runs", () => worker.status().running === 1);
    const { leaseUntil, attempt } = await stage.record(id);
    assert.ok((leaseUntil ?? 0) - stage.clock.wall() >= 29_900, "its lease began anew");
    assert.equal(attempt, 1);
    held.open();
    await stage.ended(id);
  });

  for (const lose of ["reply", "request"] as const) {
    it(`is recovered by a stop, which claims nothing new (${lose} lost)`, async (t) => {
      const stage = new Stage(t);
      const echo = stage.task((input: number) => input);
      const service = await stage.service();
      const first = await service.enqueue(echo, 1);
      const worker = await stage.worker(
        { pollInterval: "1h" },
        { onCall: ({ method, nth }) => (method === "claim" && nth === 1 ? { lose } : null) },
      );
      await stage.clock.settle();
      assert.equal((await stage.record(first.id)).state, lose === "reply" ? "running" : "pending");
      const second = await service.enqueue(echo, 2, { delay: 1 });
      await stage.clock.advance(10);
      await stage.clock.runUntil(worker.stop());
      for (const { id } of [first, second]) {
        const record = await stage.record(id);
        assert.deepEqual([record.state, record.attempt, record.interruptions], ["pending", 0, 0]);
      }
      assert.equal((await stage.record(second.id)).version, 1, "it was not even touched");
      if (lose === "request") assert.equal((await stage.record(first.id)).version, 1);
    });
  }
});
