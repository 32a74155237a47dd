/** Pausing and resuming queues: kept in the store, obeyed by every worker within a second, never in the way of a claim. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { ClaimRequest } from "../../src/contracts/queue-backend.ts";
import { QueueService, task } from "../../src/index.ts";
import { hasCode } from "../../src/model/errors.ts";
import { createTestQueue, drain, forgetTask } from "../../src/testing/index.ts";
import { gate, Stage } from "./support/stage.ts";

const SECOND = 1_000;

/** A worker at work on a stream of records, one every 20 ms, and when each of them was started. */
async function stream(t: TestContext) {
  const stage = new Stage(t);
  const service = await stage.service();
  const quick = stage.task(() => undefined, { queue: "stream" });
  const worker = await stage.worker({ maxConcurrency: 2 });
  const ids: string[] = [];
  const flow = async (ms: number): Promise<void> => {
    for (let at = 0; at < ms; at += 20) {
      ids.push((await service.enqueue(quick)).id);
      await stage.clock.advance(20);
    }
  };
  const starts = async (): Promise<number[]> => {
    const records = await Promise.all(ids.map((id) => stage.record(id)));
    return records.flatMap(({ startedAt }) => (startedAt === null ? [] : [startedAt])).sort((a, b) => a - b);
  };
  return { stage, service, worker, flow, starts };
}

describe("queues.pause and queues.resume", () => {
  it("say whether they changed anything; the first pause keeps its time and reason", async (t) => {
    const stage = new Stage(t);
    const { queues } = await stage.service();
    const at = await stage.store.now();
    assert.equal(await queues.resume("mail"), false);
    assert.equal(await queues.pause("mail", { reason: "the relay is down" }), true);
    await stage.clock.advance("3m");
    assert.equal(await queues.pause("mail", { reason: "another" }), false);
    const [info, ...others] = await queues.list();
    assert.deepEqual(others, []);
    assert.deepEqual(info, {
      name: "mail",
      counts: { pending: 0, scheduled: 0, running: 0, completed: 0, failed: 0, cancelled: 0, total: 0 },
      paused: { at, reason: "the relay is down" },
      ...{ oldestReadyAt: null, oldestAge: null, workers: 0 },
    });
    assert.equal(await queues.resume("mail"), true);
    assert.equal(await queues.resume("mail"), false);
    assert.deepEqual(await queues.list(), []);
  });

  it("pause only that queue, not those whose names begin like it", async (t) => {
    const stage = new Stage(t);
    const { queues } = await stage.service();
    await queues.pause("mail");
    assert.equal(await queues.resume("mai"), false);
    await queues.pause("mail.bulk");
    assert.equal(await queues.resume("mail"), true);
    assert.deepEqual(
      (await queues.list()).map(({ name, paused }) => [name, paused !== null]),
      [["mail.bulk", true]],
    );
  });

  it("of two pauses at once, one changes something", async (t) => {
    const stage = new Stage(t);
    const [one, two] = [await stage.service(), await stage.service()];
    const changed = await Promise.all([one.queues.pause("mail"), two.queues.pause("mail"), one.queues.pause("mail")]);
    assert.equal(changed.filter(Boolean).length, 1);
  });

  it("refuse bad names and reasons, and a service that is not open", async (t) => {
    const stage = new Stage(t);
    const { queues } = await stage.service();
    for (const name of ["", " mail", "pause:x\n", 7, null, "x".repeat(201)]) {
      await assert.rejects(queues.pause(name as string), (error) => hasCode(error, "NAME_INVALID"));
      await assert.rejects(queues.resume(name as string), (error) => hasCode(error, "NAME_INVALID"));
    }
    await assert.rejects(queues.pause("mail", { reason: 7 as never }), (error) => hasCode(error, "OPTION_INVALID"));
    assert.deepEqual(await queues.list(), []);
    const closed = new QueueService();
    for (const call of [closed.queues.pause("a"), closed.queues.resume("a"), closed.queues.list()]) {
      await assert.rejects(call, (error) => hasCode(error, "NOT_OPEN"));
    }
    await assert.rejects(closed.workers(), (error) => hasCode(error, "NOT_OPEN"));
    await assert.rejects(closed.explain("x"), (error) => hasCode(error, "NOT_OPEN"));
  });

  it("list a pause whose note is damaged", async (t) => {
    const stage = new Stage(t);
    const { queues } = await stage.service();
    for (const [queue, note] of [
      ["a", null],
      ["b", "no json"],
      ["c", "null"],
      ["d", '{"at":"x","reason":7}'],
    ] as const)
      await stage.store.hold(`pause:${queue}`, "somebody", { note });
    assert.deepEqual(
      (await queues.list()).map(({ name, paused }) => [name, paused]),
      ["a", "b", "c", "d"].map((name) => [name, { at: null, reason: null }]),
    );
    assert.equal(await queues.resume("b"), true);
  });

  it("list depth, oldest age and workers of each queue", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const any = stage.task(() => undefined);
    await service.enqueue(any, undefined, { queue: "b", delay: "1h" });
    await service.enqueue(any, undefined, { queue: "a" });
    await stage.clock.advance("90s");
    await service.enqueue(any, undefined, { queue: "a" });
    await stage.worker({ queues: ["other"] });
    await stage.clock.settle();
    const list = await service.queues.list();
    assert.deepEqual(
      list.map(({ name, counts, oldestAge, workers }) => [name, counts.pending, counts.scheduled, oldestAge, workers]),
      [
        ["a", 2, 0, 90_000, 0],
        ["b", 0, 1, null, 0],
      ],
    );
    assert.equal(list[0]?.counts.total, 2);
    await stage.worker({ queues: ["b", "c"] });
    await stage.clock.settle();
    assert.deepEqual(
      (await service.queues.list()).map(({ workers }) => workers),
      [0, 1],
    );
  });
});

describe("a worker", () => {
  it("stops claiming within a second of a pause, and goes on within a second of the end of it", async (t) => {
    const { stage, service, flow, starts } = await stream(t);
    await flow(2 * SECOND);
    const pausedAt = await stage.store.now();
    await service.queues.pause("stream");
    await flow(5 * SECOND);
    const before = await starts();
    assert.ok(
      (before.at(-1) as number) <= pausedAt + SECOND,
      `started ${(before.at(-1) as number) - pausedAt} ms after`,
    );
    assert.ok(before.length < 200, "records were left");
    const resumedAt = await stage.store.now();
    await service.queues.resume("stream");
    await flow(SECOND);
    const after = (await starts()).filter((at) => at > pausedAt + SECOND);
    assert.ok((after[0] as number) - resumedAt <= SECOND, `went on ${(after[0] as number) - resumedAt} ms after`);
    await stage.until("all have run", async () => (await service.counts()).pending === 0, SECOND);
  });

  it("that starts while a queue is paused claims nothing from it, and serves the others", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const any = stage.task(() => undefined);
    await service.queues.pause("frozen");
    const frozen = await service.enqueue(any, undefined, { queue: "frozen", priority: 9 });
    const open = await service.enqueue(any, undefined, { queue: "open" });
    const requests: ClaimRequest[] = [];
    await stage.worker(
      {},
      {
        onCall: ({ method, args }) => {
          if (method === "claim") requests.push(args[0] as ClaimRequest);
          return null;
        },
      },
    );
    await stage.ended(open.id, SECOND);
    await stage.clock.advance("10m");
    const { state, version } = await stage.record(frozen.id);
    assert.deepEqual([state, version], ["pending", 1]);
    assert.ok(requests.length > 2);
    for (const { queueLimits } of requests) assert.deepEqual(queueLimits, { frozen: 0 });
    await service.queues.resume("frozen");
    await stage.ended(frozen.id, SECOND);
  });

  it("wakes when a queue is resumed, however rarely it polls", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    await service.queues.pause("frozen");
    const { id } = await service.enqueue(
      stage.task(() => undefined),
      undefined,
      { queue: "frozen" },
    );
    await stage.worker({ pollInterval: "10m" });
    await stage.clock.advance("1m");
    await service.queues.resume("frozen");
    await stage.ended(id, SECOND);
  });

  it("gives back what it claimed ahead; what runs goes on; the order stays", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const order: number[] = [];
    const quick = stage.task((input: number) => {
      order.push(input);
    });
    const held = gate();
    const slow = stage.task(() => held.promise, { priority: 1 });
    await service.enqueueMany(
      quick,
      Array.from({ length: 200 }, () => -1),
    );
    const worker = await stage.worker({ maxConcurrency: 1 });
    await stage.until("it claims ahead", async () => (await service.counts()).completed === 200);
    const first = await service.enqueue(slow);
    const rest = await service.enqueueMany(
      quick,
      Array.from({ length: 20 }, (_, at) => at),
    );
    await stage.until("some wait", () => worker.status().claimed > 0);
    await service.queues.pause("default");
    // Before the worker's patience with slow elders would give them back anyway.
    await stage.until("they went back", () => worker.status().claimed === 0, 490);
    await stage.clock.advance("1m");
    for (const { id } of rest) {
      const { state, attempt, interruptions, losses } = await stage.record(id);
      assert.deepEqual([state, attempt, interruptions, losses], ["pending", 0, 0, 0]);
    }
    assert.equal((await stage.record(first.id)).state, "running");
    held.open();
    assert.equal((await stage.ended(first.id, SECOND)).state, "completed");
    await service.queues.resume("default");
    await stage.until("all have run", async () => (await service.counts()).pending === 0, 2 * SECOND);
    assert.deepEqual(
      order.slice(200),
      Array.from({ length: 20 }, (_, at) => at),
    );
  });

  it("gives back what a claim brings that was under way", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const { id } = await service.enqueue(stage.task(() => assert.fail("it must not run")));
    await stage.worker(
      {},
      {
        onCall: ({ method, nth }) => (method === "claim" && nth === 1 ? { delayReply: 3 * SECOND } : null),
      },
    );
    await stage.clock.advance(100);
    assert.equal((await stage.record(id)).state, "running");
    await service.queues.pause("default");
    await stage.clock.advance(10 * SECOND);
    const { state, attempt } = await stage.record(id);
    assert.deepEqual([state, attempt], ["pending", 0]);
  });

  it("that cannot read the pauses keeps to the last ones it knows, and says so once", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const any = stage.task(() => undefined);
    await service.queues.pause("frozen");
    let down = false;
    await stage.worker({}, { onCall: ({ method }) => (method === "held" && down ? { lose: "request" } : null) });
    await stage.clock.advance(SECOND);
    down = true;
    const frozen = await service.enqueue(any, undefined, { queue: "frozen" });
    const open = await service.enqueue(any, undefined, { queue: "open" });
    await stage.ended(open.id, SECOND);
    await service.queues.resume("frozen");
    await stage.clock.advance("1m");
    assert.equal((await stage.record(frozen.id)).state, "pending");
    const told = (pattern: RegExp): number => stage.logs.filter(({ message }) => pattern.test(message)).length;
    assert.equal(told(/paused queues cannot be read/u), 1);
    down = false;
    await stage.ended(frozen.id, SECOND);
    assert.equal(told(/paused queues can be read again/u), 1);
  });

  for (const [what, fault] of [
    ["fails", { lose: "request" }],
    ["is never answered", { hang: true }],
  ] as const) {
    it(`claims nothing before it knows the pauses: the first read ${what}`, async (t) => {
      const stage = new Stage(t);
      const service = await stage.service();
      const { id } = await service.enqueue(stage.task(() => undefined));
      let down = true;
      const worker = await stage.worker({}, { onCall: ({ method }) => (method === "held" && down ? fault : null) });
      await stage.clock.advance("30s");
      assert.deepEqual([(await stage.record(id)).state, worker.status().ready], ["pending", false]);
      down = false;
      await stage.ended(id, 3 * SECOND);
      assert.equal(worker.status().ready, true);
    });

    it(`does not wait with its claims for a look at the pauses that ${what}`, async (t) => {
      const stage = new Stage(t);
      const service = await stage.service();
      const any = stage.task(() => undefined);
      let down = false;
      await stage.worker({}, { onCall: ({ method }) => (method === "held" && down ? fault : null) });
      await stage.clock.advance(SECOND);
      down = true;
      await stage.clock.advance("10s");
      for (let n = 0; n < 20; n += 1) await stage.ended((await service.enqueue(any)).id, 50);
    });
  }

  it("is not misled by an answer that was overtaken", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    let slow = 0;
    await stage.worker(
      {},
      {
        onCall: ({ method, nth }) => {
          if (method !== "held" || nth !== 3) return null;
          slow += 1;
          return { delayReply: 5 * SECOND };
        },
      },
    );
    await stage.until("an old answer is under way", () => slow === 1);
    await service.queues.pause("frozen");
    await stage.clock.advance(2 * SECOND);
    const { id } = await service.enqueue(
      stage.task(() => undefined),
      undefined,
      { queue: "frozen" },
    );
    await stage.clock.advance(10 * SECOND);
    assert.equal((await stage.record(id)).version, 1, "it was never claimed");
  });

  it("stops cleanly while queues are paused, and leaves no timer behind", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    await service.queues.pause("default");
    await service.enqueue(stage.task(() => undefined));
    const worker = await stage.worker();
    await stage.clock.advance("1m");
    const began = stage.clock.mono();
    assert.equal(await stage.clock.runUntil(worker.stop()), "clean");
    assert.equal(stage.clock.mono(), began);
    assert.equal(stage.clock.pending, 0);
  });
});

describe("drain", () => {
  it("leaves paused queues alone", async () => {
    await using queue = await createTestQueue();
    await queue.queues.pause("frozen");
    const any = task("queues.drained", () => undefined);
    try {
      const frozen = await queue.enqueue(any, undefined, { queue: "frozen" });
      const open = await queue.enqueue(any);
      await drain(queue);
      assert.deepEqual([(await frozen.refresh()).status, (await open.refresh()).status], ["pending", "completed"]);
    } finally {
      forgetTask(any);
    }
  });
});
