/** Schedules and the plugin: written when the application is ready, before its worker claims, and by no command line. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import Fastify from "fastify";
import { memory, type QueueConfig, task } from "../../src/index.ts";
import { intercepted } from "../../src/testing/intercept.ts";
import { withTasks } from "../../src/testing/isolation.ts";
import { queuePlugin } from "../../src/web/fastify.ts";

/** An application whose calls to the store are noted. */
async function application(config: Partial<QueueConfig<unknown>>, calls: string[]) {
  const app = Fastify();
  after(() => app.close());
  const queueBackend = intercepted(memory(), (call, send) => {
    calls.push(call.method);
    return send();
  });
  await app.register(queuePlugin, { queueBackend, worker: { pollInterval: 10 }, ...config });
  return app;
}

describe("schedules of a Fastify application", () => {
  for (const inAppWorker of [true, false]) {
    it(`are written once it is ready, also those of tasks defined after the plugin (inAppWorker: ${inAppWorker})`, () =>
      withTasks(async () => {
        const calls: string[] = [];
        const app = await application({ inAppWorker }, calls);
        assert.equal(await app.queueService.schedules.get("web.nightly"), null);
        task("web.nightly", { schedule: { cron: "@daily" } }, async () => {});
        await app.ready();
        const info = await app.queueService.schedules.get("web.nightly");
        assert.deepEqual([info?.origin, info?.state, info?.nextRuns.length], ["code", "active", 3]);
        if (inAppWorker) {
          await app.queueService.enqueue("web.nightly").then((handle) => handle.result());
          const order = calls.filter((method) => method === "advance" || method === "claim");
          assert.deepEqual(order.slice(0, 2), ["advance", "claim"], "schedules first, then the worker");
        }
        await app.close();
      }));
  }

  it("are left out where the configuration says so", () =>
    withTasks(async () => {
      task("web.left", { schedule: { cron: "@daily" } }, async () => {});
      const app = await application({ initializeSchedules: false }, []);
      await app.ready();
      assert.equal(await app.queueService.schedules.get("web.left"), null);
      await app.close();
    }));

  it("keep it from starting when one cannot be, and nothing stays open", () =>
    withTasks(async () => {
      const validate = async () => ({ issues: [{ message: "no" }] });
      const input = { "~standard": { version: 1, vendor: "t", validate } } as const;
      task("web.invalid", { input, schedule: { cron: "@daily", input: {} } }, async () => {});
      const app = await application({ inAppWorker: false }, []);
      await assert.rejects(async () => app.ready(), { code: "INPUT_INVALID" });
      assert.equal(app.queueService.isOpen, false);
    }));
});
