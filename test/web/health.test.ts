/** The health route: what it answers while the store goes away and comes back, the loop is blocked, the worker is elsewhere. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import Fastify, { type FastifyInstance } from "fastify";
import { hasCode, memory, SiderealError, task, type WorkerHealth } from "../../src/index.ts";
import { type Fault, faulty } from "../../src/testing/faulty.ts";
import { type QueuePluginOptions, queuePlugin } from "../../src/web/fastify.ts";
import { appWithLog, noted, until } from "./stage.ts";

const ROUTE = "/healthz";

async function served(options: QueuePluginOptions): Promise<FastifyInstance> {
  const app = Fastify();
  after(() => app.close());
  await app.register(queuePlugin, { healthRoute: ROUTE, ...options });
  return app;
}

/** Status and body; the type is what the test expects. */
async function asked<T = WorkerHealth>(app: FastifyInstance): Promise<{ readonly status: number; readonly body: T }> {
  const { statusCode, body, headers } = await app.inject(ROUTE);
  assert.equal(headers["cache-control"], "no-store");
  return { status: statusCode, body: JSON.parse(body) };
}

/** A memory store that can be taken away. */
function outage(fault: Fault) {
  let away = false;
  const code = { code: "STORE_UNAVAILABLE" } as const;
  const store = faulty(memory(), { onCall: () => (away ? { ...code, ...fault } : null) });
  const be = (now: "away" | "here"): void => {
    away = now === "away";
  };
  return { store, be };
}

describe("the health route", () => {
  it("is not there unless it is asked for", async () => {
    const app = Fastify();
    after(() => app.close());
    await app.register(queuePlugin);
    assert.equal((await app.inject(ROUTE)).statusCode, 404);
  });

  it("answers for the worker: 200 once it claims, 503 while the store is away, 200 when it is back, 503 when it stops", async () => {
    const { store, be } = outage({ lose: "request" });
    const app = await served({ queueBackend: store });
    await until("it claims", async () => (await asked(app)).status === 200);
    const { body } = await asked(app);
    assert.deepEqual([body.healthy, body.reasons, body.worker], [true, [], app.queueWorker?.id]);
    be("away");
    await until("it is noticed", async () => (await asked(app)).status === 503, 60_000);
    assert.match((await asked(app)).body.reasons.join(), /^no claim was answered by the store for \d+ ms$/);
    be("here");
    await until("it is back", async () => (await asked(app)).status === 200, 60_000);
    await app.queueWorker?.stop();
    assert.deepEqual((await asked(app)).body.reasons, ["the worker is stopped"]);
  });

  it("names the task that blocked the event loop", async () => {
    const app = await served({ worker: { pollInterval: 10 } });
    await app.ready();
    const block = task("health.block", async () => {
      const end = performance.now() + 1_200;
      while (performance.now() < end);
    });
    await (await app.queueService.enqueue(block)).result({ timeout: "30s" });
    const named = async (): Promise<boolean> =>
      (await asked(app)).body.eventLoop.blocks.some(({ ms, tasks }) => ms >= 200 && tasks.includes("health.block"));
    await until("the block is reported", named);
    assert.ok((await asked(app)).body.eventLoop.blockedMs >= 200);
  });

  for (const [how, fault, reason] of [
    ["refuses", { lose: "request" }, /^the memory store did not answer \(STORE_UNAVAILABLE\)$/],
    ["hangs", { hang: true }, /^the memory store did not answer within 2000 ms$/],
  ] as const) {
    it(`without a worker answers whether the store does: it ${how}`, async () => {
      const { store, be } = outage(fault);
      const app = await served({ queueBackend: store, inAppWorker: false });
      const first = await asked<object>(app);
      assert.equal(first.status, 200);
      assert.deepEqual(Object.keys(first.body), ["healthy", "reasons", "store", "roundTrip"]);
      be("away");
      const second = await asked(app);
      assert.deepEqual([second.status, second.body.reasons.length], [503, 1]);
      assert.match(second.body.reasons.join(), reason);
      be("here");
      assert.equal((await asked(app)).status, 200);
    });
  }

  it("tells no secret of a driver's error", async () => {
    let refused = false;
    const store = memory();
    const now = (): Promise<number> =>
      refused
        ? Promise.reject(new SiderealError("STORE_UNAVAILABLE", "postgres://joe:hunter2@db refused"))
        : store.now();
    const app = await served({ queueBackend: noted(store, [], { now }), inAppWorker: false });
    await app.ready();
    refused = true;
    const { status, body } = await asked(app);
    assert.equal(status, 503);
    assert.doesNotMatch(JSON.stringify(body), /hunter2|postgres/);
  });

  it("is refused where it cannot be: no path, or one that is taken", async () => {
    for (const healthRoute of ["healthz", "", 5]) {
      const { app } = appWithLog();
      const registered = app.register(queuePlugin, { healthRoute } as QueuePluginOptions);
      await assert.rejects(
        async () => registered,
        (error) => hasCode(error, "CONFIG_INVALID") && /healthRoute/.test(error.message),
      );
    }
    const app = Fastify();
    after(() => app.close());
    app.get(ROUTE, () => "mine");
    const registered = app.register(queuePlugin, { healthRoute: ROUTE });
    await assert.rejects(
      async () => registered,
      (error) => hasCode(error, "CONFIG_CONFLICT"),
    );
  });

  it("writes nothing to the log when it is asked", async () => {
    const { app, entries } = appWithLog();
    await app.register(queuePlugin, { healthRoute: ROUTE });
    await app.ready();
    await until("it claims", async () => (await app.inject(ROUTE)).statusCode === 200);
    assert.deepEqual(
      entries.filter(({ msg }) => msg.includes("request")),
      [],
    );
  });
});
