/** An application that a command line has loaded: it opens nothing, claims nothing and listens nowhere. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import Fastify from "fastify";
import { sqlite } from "../../src/backends/sqlite/index.ts";
import { markCommandLine } from "../../src/host/role.ts";
import { hasCode, memory, QueueService } from "../../src/index.ts";
import { queuePlugin } from "../../src/web/fastify.ts";
import { appWithLog, noted } from "./stage.ts";

markCommandLine();

describe("an application under the command line", () => {
  it("opens no store, has no worker and starts no server", async () => {
    const calls: string[] = [];
    const { app, entries } = appWithLog();
    await app.register(queuePlugin, { queueBackend: noted(memory(), calls) });
    assert.equal(await app.listen({ port: 0 }), "");
    await app.ready();
    assert.equal(app.queueWorker, null);
    assert.equal(app.server.listening, false);
    assert.ok(entries.some(({ level, msg }) => level === 30 && msg.includes("web server is not started")));
    await app.close();
    assert.deepEqual(calls, []);
  });

  it("answers a listen with a callback, from an inner scope too", async () => {
    const app = Fastify();
    after(() => app.close());
    await app.register(async (scope) => {
      await scope.register(queuePlugin, { inAppWorker: false });
    });
    await app.ready();
    const address = await new Promise((resolve, reject) =>
      app.listen({ port: 0 }, (error, where) => (error === null ? resolve(where) : reject(error))),
    );
    assert.equal(address, "");
    assert.equal(app.server.listening, false);
  });

  it("says what to do when listen was called before the plugin was loaded", async () => {
    const app = Fastify();
    after(() => app.close());
    app.register(queuePlugin, { inAppWorker: false });
    await assert.rejects(app.listen({ port: 0 }), (error) => {
      assert.ok(hasCode(error, "APP_INVALID"));
      assert.match(error.message, /await app\.register\(queuePlugin/);
      return true;
    });
    assert.equal(app.server.listening, false);
  });

  it("makes no worker process either", async () => {
    const app = Fastify();
    after(() => app.close());
    await app.register(queuePlugin, { queueBackend: sqlite("never-made.db"), inAppWorker: "child-process" });
    await app.ready();
    assert.equal(app.queueWorker, null);
  });

  it("gives the application the service that the command line has opened", async () => {
    const app = Fastify();
    after(() => app.close());
    await app.register(queuePlugin, {});
    assert.equal(app.queueService.isOpen, false);
    await using service = await new QueueService({}).open();
    const [registration] = app.getDecorator<{ service?: unknown }[]>(Symbol.for("sidereal.plugins"));
    assert.ok(registration);
    registration.service = service;
    assert.equal(app.queueService, service);
  });
});
