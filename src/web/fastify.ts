/** `sidereal/fastify`: a queue that lives and ends with a Fastify application. */
import type { FastifyInstance, FastifyPluginAsync } from "fastify";
import fastifyPlugin from "fastify-plugin";
import { isCommandLine } from "../host/role.ts";
import { type QueueConfig, type QueueService, SiderealError } from "../index.ts";
import { AppQueue, type QueueWorker } from "./app-queue.ts";
import { fastifyLogger } from "./logger.ts";
import { disarmServer, enlist, type Registration } from "./registrations.ts";

export type { QueueHealth, QueueWorker } from "./app-queue.ts";
export type { ChildWorker, ChildWorkerHealth, ChildWorkerStatus } from "./child-worker.ts";

/** What the plugin takes: the one configuration of the package, and what only a web application has. */
export interface QueuePluginOptions extends QueueConfig<unknown> {
  /**
   * Path of a route for health checks, such as `"/healthz"`: GET answers 200 or 503 with the worker's health as JSON, or,
   * where no worker is in or beside this process, the service's. Default: none.
   */
  readonly healthRoute?: string;
}

declare module "fastify" {
  interface FastifyInstance {
    /** The queue service under its default key; open as soon as `await app.register(queuePlugin, …)` returns. */
    queueService: QueueService<unknown>;
    /** The worker under its default key; null where `inAppWorker` is false, and under the command line. */
    queueWorker: QueueWorker | null;
  }
}

/**
 * Gives an application a queue: `await app.register(queuePlugin, { queueBackend: sqlite("queue.db") })`.
 *
 * While it is registered, task modules are imported and the store is opened, so that `app.queueService` works in the next
 * line. The worker starts when the application is ready (`onReady`), with every other plugin in place. When the
 * application closes, and its last request is answered, the worker drains, and then the store is closed.
 * @throws from `register`: CONFIG_INVALID, CONFIG_CONFLICT, TASK_MODULE_…, STORE_…; from `ready` and `listen`: WORKER_FAILED
 */
export const queuePlugin: FastifyPluginAsync<QueuePluginOptions> = fastifyPlugin(
  registerQueue as FastifyPluginAsync<QueuePluginOptions>,
  { name: "sidereal", fastify: "5.x" },
);

async function registerQueue(app: FastifyInstance, options: QueuePluginOptions): Promise<void> {
  const { healthRoute, ...others } = options;
  const config: QueueConfig<unknown> = healthRoute === undefined ? options : others;
  const logger = config.logger ?? fastifyLogger(app.log);
  const role = isCommandLine() ? "command-line" : "server";
  const queue = new AppQueue(config, { logger, role, frameworkDeadline: app.initialConfig.pluginTimeout });
  const { queueServiceKey: serviceKey, queueWorkerKey: workerKey } = queue.service.settings;
  const registration: Registration = { serviceKey, workerKey, config };
  enlist(app, registration);
  app.decorate(serviceKey as string, { getter: () => registration.service ?? queue.service });
  app.decorate<QueueWorker | null, string>(workerKey, queue.worker);
  if (role === "command-line") {
    disarmServer(app, logger);
    return;
  }
  if (healthRoute !== undefined) addHealthRoute(app, healthRoute, queue);
  app.addHook("onClose", () => queue.close());
  app.addHook("onReady", () => queue.startWorker());
  await queue.open();
}

/** @throws CONFIG_INVALID, CONFIG_CONFLICT */
function addHealthRoute(app: FastifyInstance, url: string, queue: AppQueue): void {
  if (typeof url !== "string" || !url.startsWith("/"))
    throw new SiderealError("CONFIG_INVALID", `healthRoute is ${JSON.stringify(url)}, not a path that begins with /`);
  if (app.hasRoute({ method: "GET", url }))
    throw new SiderealError("CONFIG_CONFLICT", `healthRoute: the application has a route GET ${url} already`);
  // Asked every few seconds, for ever: only what goes wrong is worth a line.
  app.get(url, { logLevel: "warn" }, async (_request, reply) => {
    const health = await queue.health();
    return reply
      .code(health.healthy ? 200 : 503)
      .header("cache-control", "no-store")
      .send(health);
  });
}
