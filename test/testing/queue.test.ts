/** Test queues, inline mode, draining and isolation, over the real core. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { memory, QueueService, task, Worker } from "../../src/index.ts";
import { createTestQueue, drain, faulty, forgetTask, VirtualClock, withTasks } from "../../src/testing/index.ts";

const ran: string[] = [];
const double = task("testing.double", (input: { n: number }) => {
  ran.push(`double ${input.n}`);
  return input.n * 2;
});
const flaky = task("testing.flaky", { retries: 3, backoff: { type: "fixed", delay: "1h" } }, (input: number, ctx) => {
  if (ctx.attempt <= input) throw new Error(`attempt ${ctx.attempt} fails`);
  return ctx.attempt;
});
const sleepy = task("testing.sleepy", (_: void, ctx) => (ctx.attempt === 1 ? ctx.snooze("30d") : "awake"));
const endless = task("testing.endless", (_: void, ctx) => ctx.service.enqueue("testing.endless", 1).then(() => 1));
const slow = task("testing.slow", async () => {
  await new Promise<void>((resolve) => setImmediate(resolve));
  return "slow";
});
const deaf = task("testing.deaf", () => new Promise<never>(() => {}));

after(() => [double, flaky, sleepy, endless, slow, deaf].forEach(forgetTask));

describe("createTestQueue", () => {
  it("keeps time, ids and log to itself", async () => {
    const made = async () => {
      await using queue = await createTestQueue({ seed: 4, startAt: new Date("2031-01-01T00:00:00Z") });
      const handle = await queue.enqueue(double, { n: 1 });
      return { id: handle.id, createdAt: handle.record?.createdAt };
    };
    const first = await made();
    assert.deepEqual(first, await made());
    assert.equal(first.createdAt, Date.UTC(2031, 0, 1));
  });

  it("has a worker on demand, whose waits are the test's to end", async () => {
    await using queue = await createTestQueue();
    const worker = await queue.worker();
    const handle = await queue.enqueue(double, { n: 4 }, { delay: "2h" });
    await queue.clock.advance("119m");
    assert.equal((await handle.refresh()).status, "scheduled");
    await queue.clock.advance("2m");
    assert.equal((await handle.refresh()).status, "completed");
    assert.equal(await handle.result(), 8);
    assert.equal(worker.status().ready, true);
  });

  it("closes with a handler that never ends", async () => {
    const queue = await createTestQueue();
    await queue.worker();
    await queue.enqueue(deaf);
    await queue.clock.settle();
    await queue.close();
    assert.ok(queue.logs.some(({ message }) => message.includes("ignores the shutdown")));
    assert.equal(queue.clock.pending, 0, "no timer is left behind");
  });

  it("inline: the handle is finished when enqueue returns, failures included", async () => {
    await using queue = await createTestQueue({ inline: true });
    const good = await queue.enqueue(double, { n: 21 });
    assert.equal(good.status, "completed");
    assert.equal(await good.result(), 42);
    const bad = await queue.enqueue(flaky, 9);
    assert.equal(bad.status, "failed");
    assert.equal(bad.record?.error?.message, "attempt 4 fails");
    await assert.rejects(bad.result(), { code: "TASK_FAILED" });
  });
});

describe("drain", () => {
  it("runs what is due, and leaves what is scheduled", async () => {
    await using queue = await createTestQueue();
    await queue.enqueueMany(double, [{ n: 1 }, { n: 2 }, { n: 3 }]);
    const failing = await queue.enqueue(flaky, 2);
    await queue.enqueue(double, { n: 4 }, { delay: "1d" });
    assert.deepEqual(await queue.drain(), {
      attempts: 4,
      completed: 3,
      failed: 0,
      cancelled: 0,
      retried: 1,
      released: 0,
    });
    assert.equal((await failing.refresh()).status, "scheduled");
    assert.deepEqual(await queue.drain(), {
      attempts: 0,
      completed: 0,
      failed: 0,
      cancelled: 0,
      retried: 0,
      released: 0,
    });
  });

  it("withScheduled: moves time through retries, delays and snoozes", async () => {
    await using queue = await createTestQueue();
    const began = queue.clock.wall();
    const flakyHandle = await queue.enqueue(flaky, 2);
    await queue.enqueue(flaky, 9);
    await queue.enqueue(sleepy);
    await queue.enqueue(double, { n: 1 }, { delay: "10d" });
    const report = await queue.drain({ withScheduled: true });
    assert.deepEqual(report, { attempts: 10, completed: 3, failed: 1, cancelled: 0, retried: 5, released: 1 });
    assert.equal(await flakyHandle.result(), 3);
    assert.ok(queue.clock.wall() - began >= 30 * 86_400_000);
  });

  it("works beside a worker of the queue, and with handlers that do real work", async () => {
    await using queue = await createTestQueue();
    await queue.worker();
    await queue.enqueueMany(
      slow,
      Array.from({ length: 30 }, () => undefined),
    );
    await queue.drain();
    assert.equal((await queue.counts()).completed, 30);
  });

  it("drains any service, on the process' own clock", async () => {
    await using service = await new QueueService({ queueBackend: memory() }).open();
    await service.enqueueMany(
      slow,
      Array.from({ length: 25 }, () => undefined),
    );
    const handle = await service.enqueue(flaky, 1, { backoff: { type: "fixed", delay: 5, jitter: 0 } });
    const report = await drain(service, { withScheduled: true });
    assert.equal(report.completed, 26);
    assert.equal(report.retried, 1);
    assert.equal(await handle.result(), 2);
  });

  it("lets time pass when a lost report must be sent again", async () => {
    await using queue = await createTestQueue({
      backend: (clock) =>
        faulty(memory({ clock }), {
          clock,
          onCall: ({ method, nth }) => (method === "apply" && nth <= 2 ? { lose: "request" } : null),
        }),
    });
    const handle = await queue.enqueue(double, { n: 5 });
    assert.equal((await queue.drain()).completed, 1);
    assert.equal(await handle.result(), 10);
  });

  it("ends at the limit, and says what is left", async () => {
    await using queue = await createTestQueue();
    await queue.enqueue(endless);
    await assert.rejects(queue.drain({ limit: 50 }), (error: { code?: string; message: string }) => {
      assert.equal(error.code, "ASSERTION_FAILED");
      assert.match(error.message, /more than 50 attempts. Left are .*\n {2}testing\.endless \(/u);
      return true;
    });
  });

  it("ends at the timeout when a handler never does", async () => {
    await using queue = await createTestQueue();
    await queue.enqueue(deaf);
    await assert.rejects(queue.drain({ timeout: 30 }), /not done within 30 ms. Left are 1 running/u);
  });

  it("says that nobody here can run a task", async () => {
    await using queue = await createTestQueue();
    await withTasks(async () => {
      const gone = task("testing.gone", () => 1);
      await queue.enqueue(gone);
    });
    await assert.rejects(queue.drain(), /no task here can run. Left are 0 running, 1 due.*testing\.gone/su);
  });

  it("needs an open service", async () => {
    await assert.rejects(drain(new QueueService()), { code: "NOT_OPEN" });
  });
});

describe("isolation", () => {
  it("forgets the tasks of a scope, also when it throws", async () => {
    const define = () => task("testing.scoped", () => 1);
    await withTasks(define);
    await assert.rejects(
      withTasks(() => {
        task("testing.scoped", () => 2);
        throw new Error("scope");
      }),
      /scope/u,
    );
    const again = task("testing.scoped", () => 3);
    assert.equal(forgetTask(again), true);
    assert.equal(forgetTask("testing.scoped"), false);
  });

  it("a worker of its own runs on the queue's clock", async () => {
    const clock = new VirtualClock();
    const service = await new QueueService({ queueBackend: memory({ clock }) }, { clock }).open();
    const worker = await new Worker(service).start();
    const handle = await service.enqueue(double, { n: 8 });
    await clock.settle();
    assert.equal((await handle.refresh()).status, "completed");
    await clock.runUntil(worker.stop());
    await service.close();
    assert.equal(clock.pending, 0);
  });
});
