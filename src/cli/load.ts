/** Loading the application, and finding in it the queues that a command works on. Starts no server and no worker. */
import { systemClock } from "../host/clock.ts";
import { importModule } from "../host/modules.ts";
import { announcedApplications, markCommandLine } from "../host/role.ts";
import { isQueueConfig, type QueueConfig, type QueueService } from "../index.ts";
import { say } from "./console.ts";
import { EXIT } from "./exits.ts";
import { Fault, summary, trace, usage } from "./faults.ts";
import { type Located, locate, type Surroundings } from "./locate.ts";

/** Where a command finds its queues: a file to look for, or the value itself. */
export interface Source extends Surroundings {
  readonly app: string | undefined;
  readonly service: string | undefined;
  /** What the application gave when it added the commands to a program of its own. */
  readonly given?: unknown;
}

/** The queues, and what to call when the command is done with the application. */
export interface Loaded {
  readonly config: QueueConfig<unknown>;
  /** Gives the application the service that the command opens, under the key where its tasks look for it. */
  lend(service: QueueService<unknown>): void;
  close(): Promise<void>;
}

/** A Fastify application as far as the command line needs it. */
interface WebApp {
  register(...args: never[]): unknown;
  ready(): PromiseLike<unknown>;
  close(): PromiseLike<unknown>;
}

/** One registration of the plugin, as the plugin lists it on the application. */
interface Registration {
  readonly serviceKey: string;
  readonly config: QueueConfig<unknown>;
  service?: QueueService<unknown>;
}

const REGISTRATIONS = Symbol.for("sidereal.plugins");
/** How long an application may take to close. */
const CLOSING = 10_000;
/** The exports that are looked at first, in this order. */
const FIRST = ["default", "app", "queues", "config"];
const USABLE = "a Fastify app with the queue plugin, a defineQueues(...) config, or a function that returns one";

/** Finds, loads and reads the application. @throws Fault */
export async function loadQueues(source: Source): Promise<Loaded> {
  markCommandLine();
  if (source.given !== undefined && source.app === undefined) {
    return queuesOf(source.given, "the application", source.service);
  }
  const located = locate(source.app, source);
  const exported = chosen(exportsOf(await imported(located)), located);
  const where = `${located.file} (${located.origin})`;
  return queuesOf(exported, where, source.service);
}

/** Closes the application, for at most so long: the work is done, and what goes wrong now is worth a warning only. */
export async function closed(loaded: Loaded): Promise<void> {
  let cancel = (): void => {};
  const late = new Promise<"late">((resolve) => {
    cancel = systemClock.after(CLOSING, () => resolve("late"));
  });
  try {
    if ((await Promise.race([loaded.close(), late])) === "late") {
      say(`warning: the application did not close within ${CLOSING / 1_000} s; leaving all the same`);
    }
  } catch (error) {
    say(`warning: the application could not be closed: ${summary(error)}`);
  } finally {
    cancel();
  }
}

async function imported({ file, origin }: Located): Promise<unknown> {
  try {
    return await importModule(file);
  } catch (error) {
    throw threw(error, "the application could not be loaded", `${file} (${origin})`);
  }
}

/** The module's exports by name; those of a CommonJS module stand beside its default. */
function exportsOf(module: unknown): ReadonlyMap<string, unknown> {
  const own = Object.entries(module as object).filter(([name]) => name !== "module.exports" && name !== "__esModule");
  const inner = (module as { default?: unknown }).default;
  const isPlain = typeof inner === "object" && inner !== null && !isUsable(inner);
  return new Map([...(isPlain ? Object.entries(inner) : []), ...own]);
}

function chosen(exports: ReadonlyMap<string, unknown>, { file, exportName, origin }: Located): unknown {
  const names = [...exports.keys()].join(", ") || "none";
  if (exportName !== null) {
    if (exports.has(exportName)) return exports.get(exportName);
    throw usage(`${file} has no export ${exportName}`, `Name one of its exports in ${origin}: ${names}.`, {
      code: "APP_INVALID",
    });
  }
  for (const name of FIRST) {
    const value = exports.get(name);
    if (isUsable(value) || (typeof value === "function" && !isClass(value))) return value;
  }
  const others = [...exports].filter(([, value]) => isUsable(value));
  const makers = [...exports].filter(
    ([name, value]) => typeof value === "function" && /app|server|queue|config/iu.test(name) && !isClass(value),
  );
  const single = others.length > 0 ? others : makers;
  if (single.length === 1) return single[0]?.[1];
  if (single.length > 1) {
    const several = single.map(([name]) => name).join(", ");
    throw usage(`${file} has several exports that could be meant`, `Name one: --app <file>:<export>, of ${several}.`, {
      code: "APP_INVALID",
    });
  }
  // A server's main module often exports nothing; the plugin has told of its application all the same.
  const [announced, ...more] = announcedApplications();
  if (announced !== undefined && more.length === 0) return announced;
  throw new Fault({
    exit: EXIT.failed,
    what: "the application exports nothing that the command line can use",
    where: `${file} (${origin})`,
    why: [`its exports: ${names}`],
    fix: `Export ${USABLE}.`,
    code: "APP_INVALID",
  });
}

async function queuesOf(exported: unknown, where: string, service: string | undefined): Promise<Loaded> {
  const value = await produced(exported, where);
  if (isQueueConfig(value)) {
    const only = { serviceKey: value.queueServiceKey ?? "queueService", config: value };
    return { config: selected([only], service, where).config, lend: () => {}, close: async () => {} };
  }
  if (isWebApp(value)) return ofWebApp(value, where, service);
  throw new Fault({
    exit: EXIT.failed,
    what: `the application's export is ${kindOf(value)}, which the command line cannot use`,
    where,
    fix: `Export ${USABLE}.`,
    code: "APP_INVALID",
  });
}

/** What a function returns, or the value itself; a Fastify app is awaited too, and then its plugins are loaded. */
async function produced(exported: unknown, where: string): Promise<unknown> {
  const isFunction = typeof exported === "function";
  try {
    return await (isFunction ? exported() : exported);
  } catch (error) {
    const what = isFunction ? `function ${exported.name || "(default)"} threw` : "plugins could not be loaded";
    throw threw(error, `the application's ${what}`, where);
  }
}

async function ofWebApp(app: WebApp, where: string, service: string | undefined): Promise<Loaded> {
  try {
    await app.ready();
  } catch (error) {
    throw threw(error, "the web application did not become ready", where);
  }
  const close = async (): Promise<void> => {
    await app.close();
  };
  try {
    const registrations = (app as { [REGISTRATIONS]?: readonly Registration[] })[REGISTRATIONS] ?? [];
    if (registrations.length > 0) {
      const registration = selected(registrations, service, where);
      const lend = (opened: QueueService<unknown>): void => {
        registration.service = opened;
      };
      return { config: registration.config, lend, close };
    }
    throw new Fault({
      exit: EXIT.failed,
      what: "the web application has no queue plugin",
      where,
      fix: 'Register it: await app.register(queuePlugin, { … }), with queuePlugin from "sidereal/fastify".',
      code: "APP_INVALID",
    });
  } catch (error) {
    await close();
    throw error;
  }
}

function selected(all: readonly Registration[], service: string | undefined, where: string): Registration {
  const keys = all.map(({ serviceKey }) => serviceKey).join(", ");
  const found = service === undefined ? all : all.filter(({ serviceKey }) => serviceKey === service);
  const [first] = found;
  if (first !== undefined && found.length === 1) return first;
  const what =
    service === undefined ? "the application has several queue services" : `the application has no service ${service}`;
  throw usage(what, `Choose one with --service: ${keys}.`, { where, code: "APP_INVALID" });
}

/** The fault for an error that the user's own code threw: its words, and the place in that code. */
function threw(error: unknown, what: string, where: string): Fault {
  return new Fault({
    exit: EXIT.failed,
    what,
    where,
    why: trace(error),
    fix: "Mend the application; SIDEREAL_DEBUG=1 shows the whole stack.",
    code: "APP_FAILED",
    cause: error,
  });
}

function isUsable(value: unknown): boolean {
  return isQueueConfig(value) || isWebApp(value);
}

function isWebApp(value: unknown): value is WebApp {
  const app = value as Partial<WebApp> | null;
  if (typeof value !== "object" || app === null) return false;
  return [app.register, app.ready, app.close].every((method) => typeof method === "function");
}

function isClass(value: unknown): boolean {
  return typeof value === "function" && /^class\b/u.test(Function.prototype.toString.call(value));
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  return Array.isArray(value) ? "an array" : "an object of another kind";
}
