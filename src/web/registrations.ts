/** Which queues one Fastify application holds, for the command line to find; and a server that a command line cannot start. */
import type { FastifyInstance } from "fastify";
import { announceApplication } from "../host/role.ts";
import { type Logger, type QueueConfig, type QueueService, SiderealError } from "../index.ts";

/** One registration of the plugin, as the command line sees it. */
export interface Registration {
  readonly serviceKey: string;
  readonly workerKey: string;
  readonly config: QueueConfig<unknown>;
  /** The command line puts the service that it opened here: it then is what the decorator gives to the application. */
  service?: QueueService<unknown>;
}

const REGISTRATIONS: unique symbol = Symbol.for("sidereal.plugins");

/** Adds a registration to the application's list. @throws CONFIG_CONFLICT when a key is taken */
export function enlist(app: FastifyInstance, registration: Registration): void {
  const root = rootOf(app);
  if (!root.hasDecorator(REGISTRATIONS)) root.decorate(REGISTRATIONS, []);
  const list = root.getDecorator<Registration[]>(REGISTRATIONS);
  const taken = new Set(list.flatMap(({ serviceKey, workerKey }) => [serviceKey, workerKey]));
  for (const setting of ["serviceKey", "workerKey"] as const) {
    const key = registration[setting];
    if (!taken.has(key) && !(key in app)) continue;
    const holder = taken.has(key) ? "another queue plugin of this application" : "Fastify or another plugin";
    const name = setting === "serviceKey" ? "queueServiceKey" : "queueWorkerKey";
    throw new SiderealError("CONFIG_CONFLICT", `${name}: app.${key} is taken by ${holder}; give this one its own keys`);
  }
  list.push(registration);
}

/** From now on `listen` starts nothing: a command line loads the application only for its queues, and learns of it here. */
export function disarmServer(app: FastifyInstance, logger: Logger): void {
  const root = rootOf(app);
  announceApplication(root);
  const listen = (...args: readonly unknown[]): Promise<string> | undefined => {
    logger.info("the web server is not started: a command line has loaded this application");
    const callback = args.find((arg) => typeof arg === "function") as ListenCallback | undefined;
    if (callback === undefined) return Promise.resolve("");
    queueMicrotask(() => callback(null, ""));
    return undefined;
  };
  Object.assign(root, { listen });
  // A call that was made before the plugin was loaded is on its way here.
  root.server.listen = (): typeof root.server => {
    const early = new SiderealError(
      "APP_INVALID",
      "The application called listen() before its queue plugin was loaded, and a command line starts no web server; write `await app.register(queuePlugin, …)` above it",
    );
    queueMicrotask(() => root.server.emit("error", early));
    return root.server;
  };
}

type ListenCallback = (error: Error | null, address: string) => void;

/** The instance that `Fastify()` gave: every other has it as its prototype, at some distance. */
function rootOf(app: FastifyInstance): FastifyInstance {
  let root = app;
  for (;;) {
    const parent = Object.getPrototypeOf(root) as FastifyInstance | null;
    if (parent === null || !("listen" in parent)) return root;
    root = parent;
  }
}
