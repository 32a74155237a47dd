/** The plugin in a real Fastify application: what is there when, and what a close does with work under way. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import Fastify from "fastify";
import { sqlite } from "../../src/backends/sqlite/index.ts";
import { hasCode, memory, QueueService, SiderealError, task, Worker } from "../../src/index.ts";
import { queuePlugin } from "../../src/web/fastify.ts";
import { appWithLog, noted, scratchFolder, signal, until } from "./stage.ts";

const folder = scratchFolder();
const quick = { pollInterval: 10 };
const double = task("web.double", async (input: { n: number }) => ({ n: input.n * 2 }));

/** A task that says when it began, and ends when it is told to. */
function gate(name: string) {
  const begun = signal<string>();
  const open = signal();
  const aborted = signal<unknown>();
  const ended = signal<string>();
  const defined = task(name, async (_input: null, ctx) => {
    ctx.signal.addEventListener("abort", () => aborted.happen(ctx.signal.reason));
    begun.happen(ctx.id);
    await Promise.race([open.happened, aborted.happened]);
    ended.happen(ctx.signal.aborted ? "aborted" : "through");
    if (ctx.signal.aborted) throw ctx.signal.reason;
    return "through";
  });
  return { task: defined, begun: begun.happened, open: open.happen, aborted: aborted.happened, ended: ended.happened };
}

for (const store of ["memory", "sqlite"] as const) {
  const backend = (name: string) => (store === "memory" ? memory() : sqlite(join(folder, `${name}.db`)));

  describe(`a Fastify application with a queue (${store})`, () => {
    it("enqueues from a route and answers with the result, without listening", async () => {
      const app = Fastify();
      after(() => app.close());
      await app.register(queuePlugin, { queueBackend: backend("route"), worker: quick });
      app.post<{ Body: { n: number } }>("/double", async (request) => {
        const handle = await app.queueService.enqueue(double, request.body);
        const { n } = await handle.result({ timeout: "5s" });
        return { n, outcome: handle.outcome };
      });
      const response = await app.inject({ method: "POST", url: "/double", payload: { n: 21 } });
      assert.deepEqual(response.json(), { n: 42, outcome: "created" });
    });

    it("has an open service after register, and a worker that claims once the application is ready", async () => {
      const calls: string[] = [];
      const app = Fastify();
      await app.register(queuePlugin, { queueBackend: noted(backend("order"), calls), worker: quick });
      assert.ok(app.queueService.isOpen);
      assert.ok(app.queueWorker instanceof Worker);
      assert.equal(app.queueWorker.status().state, "new");
      const handle = await app.queueService.enqueue(double, { n: 1 });
      assert.deepEqual(calls, ["open"]);
      app.addHook("onReady", async () => void calls.push("ready"));
      await app.ready();
      assert.deepEqual(await handle.result({ timeout: "5s" }), { n: 2 });
      assert.equal(app.queueWorker.status().state, "running");
      await app.close();
      assert.equal(app.queueWorker.status().state, "stopped");
      assert.equal(app.queueService.isOpen, false);
      assert.deepEqual([...new Set(calls)].sort(), ["claim", "close", "open", "ready"]);
      assert.equal(calls.at(-1), "close");
    });

    it("drains what runs when it closes", async () => {
      const slow = gate(`web.drained.${store}`);
      const calls: string[] = [];
      const app = Fastify();
      await app.register(queuePlugin, { queueBackend: noted(backend("drain"), calls), worker: quick });
      await app.ready();
      await app.queueService.enqueue(slow.task, null);
      await slow.begun;
      const closing = app.close().then(() => calls.push("closed"));
      await until("the worker stops", () => app.queueWorker?.status().state === "stopping");
      assert.notEqual(calls.at(-1), "close");
      slow.open();
      await closing;
      assert.equal(await slow.ended, "through");
      assert.deepEqual(calls.slice(-2), ["close", "closed"]);
    });

    it("still answers requests that wait for a result while it closes", async () => {
      const slow = gate(`web.answered.${store}`);
      const app = Fastify();
      await app.register(queuePlugin, { queueBackend: backend("answered"), worker: quick });
      app.get("/wait", async () => (await app.queueService.enqueue(slow.task, null)).result({ timeout: "5s" }));
      const address = await app.listen({ port: 0, host: "127.0.0.1" });
      const response = fetch(`${address}/wait`, { headers: { connection: "close" } });
      await slow.begun;
      const closing = app.close();
      slow.open();
      assert.equal(await (await response).text(), "through");
      await closing;
    });

    it("closes when it never became ready", async () => {
      const calls: string[] = [];
      const app = Fastify();
      await app.register(queuePlugin, { queueBackend: noted(backend("unready"), calls), worker: quick });
      await app.queueService.enqueue(double, { n: 1 });
      await app.close();
      assert.deepEqual(calls, ["open", "close"]);
    });
  });
}

describe("a close with work under way", () => {
  it("hands a long task back to the queue when the grace is over", async () => {
    const path = join(folder, "handback.db");
    const slow = gate("web.handback");
    const app = Fastify();
    await app.register(queuePlugin, {
      queueBackend: sqlite(path),
      worker: { ...quick, gracefulShutdownTimeout: 20, finalCancelTimeout: "2s" },
    });
    await app.ready();
    const { id } = await app.queueService.enqueue(slow.task, null);
    await slow.begun;
    await app.close();
    assert.ok(hasCode(await slow.aborted, "SHUTDOWN"));
    await using service = await new QueueService({ queueBackend: sqlite(path) }).open();
    const record = await service.get(id);
    assert.equal(record?.state, "pending");
    assert.equal(record?.failures, 0);
  });

  it("hears a cancel while it drains", async () => {
    const path = join(folder, "cancel.db");
    const slow = gate("web.cancelled");
    const app = Fastify();
    await app.register(queuePlugin, { queueBackend: sqlite(path), worker: quick });
    await app.ready();
    const { id } = await app.queueService.enqueue(slow.task, null);
    await slow.begun;
    const closing = app.close();
    await until("the worker stops", () => app.queueWorker?.status().state === "stopping");
    await using service = await new QueueService({ queueBackend: sqlite(path) }).open();
    assert.equal(await service.cancel(id, { reason: "enough" }), "requested");
    await closing;
    assert.equal((await service.get(id))?.state, "cancelled");
  });

  it("closes the store although the worker's stop fails", async () => {
    const calls: string[] = [];
    const { app, entries } = appWithLog();
    await app.register(queuePlugin, { queueBackend: noted(memory(), calls), worker: quick });
    await app.ready();
    const worker = app.queueWorker as Worker;
    const stop = worker.stop.bind(worker);
    worker.stop = async () => {
      await stop();
      throw new Error("no stop");
    };
    await assert.rejects(app.close(), /no stop/);
    assert.equal(calls.at(-1), "close");
    assert.ok(entries.some(({ msg }) => msg.includes("stopping the worker failed")));
  });
});

describe("a start that fails", () => {
  it("rejects register with the store's error", async () => {
    const app = Fastify();
    const open = () => Promise.reject(new SiderealError("STORE_UNAVAILABLE", "not there"));
    await assert.rejects(
      async () => app.register(queuePlugin, { queueBackend: noted(memory(), [], { open }) }),
      (error) => hasCode(error, "STORE_UNAVAILABLE"),
    );
    await app.close();
  });

  it("closes what was opened when the worker cannot start", async () => {
    const calls: string[] = [];
    const signals = {
      subscribe: (): never => {
        throw new Error("no signals");
      },
    };
    const app = Fastify();
    await app.register(queuePlugin, { queueBackend: noted(memory(), calls, { signals }), worker: quick });
    await assert.rejects(async () => app.ready(), /no signals/);
    assert.equal(app.queueService.isOpen, false);
    assert.equal(calls.at(-1), "close");
    await app.close();
  });

  it("rejects register when a task module is missing", async () => {
    const calls: string[] = [];
    const app = Fastify();
    await assert.rejects(
      async () =>
        app.register(queuePlugin, { queueBackend: noted(memory(), calls), taskModules: ["no/such/module.ts"] }),
      (error) => hasCode(error, "TASK_MODULE_MISSING"),
    );
    assert.deepEqual(calls, []);
    await app.close();
  });
});

describe("the plugin's log", () => {
  it("is the application's own, errors under err", async () => {
    const { app, entries } = appWithLog();
    let isDown = true;
    const store = memory();
    const claim: typeof store.claim = (request) =>
      isDown ? Promise.reject(new SiderealError("STORE_UNAVAILABLE", "not there")) : store.claim(request);
    await app.register(queuePlugin, { queueBackend: noted(store, [], { claim }), worker: quick });
    await app.ready();
    await until("the trouble is logged", () => entries.some(({ msg }) => msg.includes("cannot be asked")));
    isDown = false;
    await until("the relief is logged", () => entries.some(({ msg }) => msg.includes("answers again")));
    const trouble = entries.find(({ msg }) => msg.includes("cannot be asked"));
    assert.equal(trouble?.level, 50);
    assert.equal((trouble?.["err"] as { code?: string } | undefined)?.code, "STORE_UNAVAILABLE");
    assert.equal(trouble?.["worker"], app.queueWorker?.id);
  });

  it("is the configuration's, where there is one", async () => {
    const { app, entries } = appWithLog();
    const heard: string[] = [];
    const note = (message: string): void => void heard.push(message);
    const claim = () => Promise.reject(new SiderealError("STORE_UNAVAILABLE", "not there"));
    await app.register(queuePlugin, {
      queueBackend: noted(memory(), [], { claim }),
      worker: quick,
      logger: { debug: note, info: note, warn: note, error: note },
    });
    await app.ready();
    await until("the trouble is logged", () => heard.some((message) => message.includes("cannot be asked")));
    assert.ok(!entries.some(({ msg }) => msg.includes("cannot be asked")));
  });
});
