/** Handlers' transactions on a real server: what a worker writes that has lost its record, and every other way to be stopped. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { QueueBackend } from "../../src/contracts/queue-backend.ts";
import { QueueService, type Task, type TaskContext, task, Worker, type WorkerConfig } from "../../src/index.ts";
import { hasCode, type SiderealError } from "../../src/model/errors.ts";
import { lapsed } from "../../src/model/lifecycle.ts";
import { gate } from "../core/support/stage.ts";

/** A server, and a connection on it as its client hands it out. */
export interface JointServer<Tx> {
  readonly skip: string | false;
  readonly namespace: string;
  store(): QueueBackend<Tx>;
  /** Writes a name into the table `effects`, which is there. */
  insert(tx: Tx, name: string): Promise<unknown>;
  effects(): Promise<readonly unknown[]>;
}

let tasks = 0;

export function exerciseJoint<Tx>(server: JointServer<Tx>): void {
  const { skip, insert } = server;

  /** A task whose handler does its work in a transaction. */
  function paying(
    body: (tx: Tx, ctx: TaskContext, effect: string) => Promise<unknown>,
    options = {},
  ): [Task<void>, string] {
    tasks += 1;
    const effect = `${server.namespace} ${tasks}`;
    const handler = (_: undefined, ctx: TaskContext): Promise<unknown> =>
      ctx.transaction(async (tx: Tx) => {
        await insert(tx, effect);
        return body(tx, ctx, effect);
      });
    return [task(`joint.${server.namespace}.${tasks}`, options, handler) as Task<void>, effect];
  }

  async function opened(t: TestContext, config: WorkerConfig = {}): Promise<QueueService<Tx>> {
    const { namespace } = server;
    const service = await new QueueService<Tx>({ queueBackend: server.store(), namespace, worker: config }).open();
    t.after(() => service.close());
    return service;
  }

  async function worker(t: TestContext, service: QueueService<Tx>): Promise<Worker> {
    const started = await new Worker(service).start();
    t.after(() => started.stop({ force: true }));
    return started;
  }

  async function countOf(effect: string): Promise<number> {
    return (await server.effects()).filter((name) => name === effect).length;
  }

  describe("ctx.transaction", { skip }, () => {
    it("commits writes and outcome together, and what was enqueued in it runs", async (t) => {
      const service = await opened(t);
      const ids: string[] = [];
      const [next] = paying(async () => "next");
      const [pay, effect] = paying(async (tx, ctx) => {
        ids.push((await service.enqueue(next, undefined, { tx })).id);
        assert.equal((await service.get(ctx.id))?.state, "running");
        assert.equal(await countOf(effect), 0, "nobody else sees it yet");
        await ctx.progress(1, 1, "paid");
        return { paid: true };
      });
      const handle = await service.enqueue(pay);
      await worker(t, service);
      assert.deepEqual(await handle.result({ timeout: "30s" }), { paid: true });
      assert.equal(await countOf(effect), 1);
      assert.equal((await service.get(handle.id))?.progress?.message, "paid");
      assert.equal(await (await service.handle(ids[0] as string))?.result({ timeout: "30s" }), "next");
    });

    it("a worker that has lost its record rolls back: effects happen once", async (t) => {
      // The first worker must not be the one that takes the record again: it would know.
      const [first, second] = [await opened(t, { maxConcurrency: 1 }), await opened(t)];
      const [entered, resume] = [gate(), gate()];
      const codes: unknown[] = [];
      const [pay, effect] = paying(async (_, ctx) => {
        if (ctx.attempt > 1) return "second";
        ctx.signal.addEventListener("abort", () => codes.push((ctx.signal.reason as SiderealError).code));
        entered.open();
        await resume.promise;
        return "first";
      });
      const handle = await first.enqueue(pay);
      const zombie = await worker(t, first);
      await entered.promise;
      // What a reaper does once the lease is over; the first worker does not know of it.
      const from = await second.get(handle.id);
      assert.ok(from);
      const store = server.store();
      await store.open({ namespace: server.namespace });
      t.after(() => store.close());
      assert.deepEqual(await store.apply([{ from, to: lapsed(from, { now: await store.now(), retryIn: 0 }) }]), [true]);
      await worker(t, second);
      assert.equal(await handle.result({ timeout: "30s" }), "second");
      assert.deepEqual(codes, [], "the first worker was not told");
      resume.open();
      await until(() => zombie.status().running === 0);
      assert.equal(await countOf(effect), 1);
      const record = await second.get(handle.id);
      assert.deepEqual([record?.state, record?.result, record?.attempt], ["completed", '"second"', 2]);
    });

    it("is rolled back by a cancel, a timeout and an error, and the connection goes on", async (t) => {
      const service = await opened(t);
      await worker(t, service);
      const entered = gate();
      const stopped = (ctx: TaskContext): Promise<unknown> =>
        new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
      const [cancelled, one] = paying(async (_, ctx) => {
        entered.open();
        await stopped(ctx);
      });
      const handle = await service.enqueue(cancelled);
      await entered.promise;
      await handle.cancel();
      await assert.rejects(handle.result({ timeout: "30s" }), (error) => hasCode(error, "TASK_CANCELLED"));
      const [late, two] = paying((_, ctx) => stopped(ctx), { timeout: "50ms" });
      const slow = await service.enqueue(late);
      await assert.rejects(slow.result({ timeout: "30s" }), (error) => hasCode(error, "TASK_FAILED"));
      const [broken, three] = paying(async (tx) => {
        // Whoever swallows an error of the server has no transaction any more.
        await insert(tx, 0 as unknown as string).catch(() => {});
        throw new Error("no");
      });
      const failing = await service.enqueue(broken);
      await assert.rejects(failing.result({ timeout: "30s" }), (error) => hasCode(error, "TASK_FAILED"));
      for (const effect of [one, two, three]) assert.equal(await countOf(effect), 0);
      const [fine, four] = paying(async () => 1);
      const handles = await service.enqueueMany(
        fine,
        Array.from({ length: 20 }, () => undefined),
      );
      for (const each of handles) assert.equal(await each.result({ timeout: "30s" }), 1);
      assert.equal(await countOf(four), 20);
    });

    it("closing the store breaks what is open: it is rolled back", async (t) => {
      const service = await opened(t);
      const started = await new Worker(service, {}).start();
      const [entered, resume] = [gate(), gate()];
      const [stuck, effect] = paying(async () => {
        entered.open();
        await resume.promise;
      });
      const { id } = await service.enqueue(stuck);
      await entered.promise;
      await started.stop({ force: true });
      await service.close();
      assert.equal(await countOf(effect), 0);
      const again = await opened(t);
      assert.equal((await again.get(id))?.state, "pending");
      await again.cancel(id);
      resume.open();
    });
  });
}

async function until(come: () => boolean): Promise<void> {
  while (!come()) await new Promise((resolve) => setImmediate(resolve));
}
