/** Keys: several queues in one application, and what is refused when the plugin is registered. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import Fastify, { type FastifyInstance } from "fastify";
import { sqlite } from "../../src/backends/sqlite/index.ts";
import { defineQueues, type ErrorCode, memory, type QueueService, SiderealError, task } from "../../src/index.ts";
import { type QueuePluginOptions, type QueueWorker, queuePlugin } from "../../src/web/fastify.ts";
import { scratchFolder } from "./stage.ts";

declare module "fastify" {
  interface FastifyInstance {
    mailQueue: QueueService;
  }
}

const folder = scratchFolder();
const quick = { pollInterval: 10 };
const whoami = task("web.whoami", async (_input: null, ctx) => ({ queue: ctx.queue }));

function application(): FastifyInstance {
  const app = Fastify();
  after(() => app.close());
  return app;
}

async function refused(
  app: FastifyInstance,
  options: QueuePluginOptions,
  code: ErrorCode,
  words: RegExp,
): Promise<void> {
  await assert.rejects(
    async () => app.register(queuePlugin, options),
    (error) => {
      assert.ok(error instanceof SiderealError, String(error));
      assert.equal(error.code, code);
      assert.match(error.message, words);
      return true;
    },
  );
}

describe("several queues in one application", () => {
  it("live side by side under their own keys", async () => {
    const app = application();
    await app.register(queuePlugin, { worker: quick });
    await app.register(queuePlugin, {
      queueBackend: sqlite(join(folder, "mail.db")),
      queueServiceKey: "mailQueue",
      queueWorkerKey: "mailWorker",
      worker: quick,
    });
    const first = await app.queueService.enqueue(whoami, null);
    const second = await app.mailQueue.enqueue(whoami, null, { queue: "mail" });
    await app.ready();
    assert.deepEqual(await first.result({ timeout: "5s" }), { queue: "default" });
    assert.deepEqual(await second.result({ timeout: "5s" }), { queue: "mail" });
    assert.equal((await app.queueService.counts()).total, 1);
    assert.equal((await app.mailQueue.counts()).total, 1);
    const worker = app.getDecorator<QueueWorker>("mailWorker");
    assert.notEqual(worker.id, app.queueWorker?.id);
    assert.equal(app.getDecorator<QueueService>("mailQueue"), app.mailQueue);
    await app.close();
    assert.equal(app.queueService.isOpen || app.mailQueue.isOpen, false);
  });

  it("are listed for the command line, in order", async () => {
    const app = application();
    const config = defineQueues({ inAppWorker: false });
    await app.register(queuePlugin, config);
    await app.register(async (scope) => {
      await scope.register(queuePlugin, {
        queueServiceKey: "inner",
        queueWorkerKey: "innerWorker",
        inAppWorker: false,
      });
    });
    await app.ready();
    const list = app.getDecorator<{ serviceKey: string; workerKey: string; config: unknown }[]>(
      Symbol.for("sidereal.plugins"),
    );
    assert.deepEqual(
      list.map(({ serviceKey, workerKey }) => [serviceKey, workerKey]),
      [
        ["queueService", "queueWorker"],
        ["inner", "innerWorker"],
      ],
    );
    assert.equal(list[0]?.config, config);
    assert.equal(app.hasDecorator("inner"), false);
  });

  it("are seen in every scope below", async () => {
    const app = application();
    await app.register(queuePlugin, { inAppWorker: false });
    await app.register(async (scope) => assert.equal(scope.queueService, app.queueService));
    await app.ready();
    assert.equal(app.queueWorker, null);
  });
});

describe("registering is refused", () => {
  it("for a key that another registration has", async () => {
    const app = application();
    await app.register(queuePlugin, { inAppWorker: false });
    await refused(
      app,
      { inAppWorker: false },
      "CONFIG_CONFLICT",
      /queueServiceKey: app\.queueService is taken by another queue/,
    );
    assert.ok(app.queueService.isOpen);
  });

  it("for a worker key that another registration has", async () => {
    const app = application();
    await app.register(queuePlugin, { inAppWorker: false });
    await refused(app, { queueServiceKey: "other" }, "CONFIG_CONFLICT", /queueWorkerKey: app\.queueWorker is taken/);
  });

  it("for a key of Fastify's own", () =>
    refused(application(), { queueServiceKey: "log" }, "CONFIG_CONFLICT", /app\.log is taken by Fastify/));

  it("for one key for both", () =>
    refused(application(), { queueServiceKey: "q", queueWorkerKey: "q" }, "CONFIG_CONFLICT", /are both q/));

  it("for immediate execution with a worker", () =>
    refused(application(), { executionBackend: "immediate" }, "CONFIG_CONFLICT", /inside enqueue.*inAppWorker: false/));

  it("for a worker process over memory", () =>
    refused(
      application(),
      { queueBackend: memory(), inAppWorker: "child-process" },
      "CONFIG_CONFLICT",
      /memory store lives in this process/,
    ));

  it("for a setting that does not exist", () =>
    refused(application(), { prefix: "/queue" } as QueuePluginOptions, "CONFIG_INVALID", /no setting "prefix"/));

  it("for a value that is not allowed", () =>
    refused(application(), { worker: { maxConcurrency: 0 } }, "CONFIG_INVALID", /worker\.maxConcurrency is 0/));
});

it("immediate execution works without a worker", async () => {
  const app = application();
  await app.register(queuePlugin, { executionBackend: "immediate", inAppWorker: false });
  const handle = await app.queueService.enqueue(whoami, null);
  assert.equal(handle.status, "completed");
});
