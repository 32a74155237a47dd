/** The one configuration object: what a user writes, its defaults, and the checks that refuse what cannot work. */
import type { Logger } from "../contracts/clock.ts";
import type { QueueBackend } from "../contracts/queue-backend.ts";
import { type Duration, parseDuration, quoted } from "../model/duration.ts";
import { SiderealError } from "../model/errors.ts";
import { checkName, checkNamespace } from "../model/names.ts";
import type { Millis } from "../model/record.ts";
import type { DependencyConfig } from "./dependency.ts";
import type { DependencySources } from "./provision.ts";
import { type RetentionConfig, type RetentionRules, resolveRetention } from "./retention-rules.ts";
import type { SanitizeError } from "./sanitize.ts";

/** Where claimed work runs: in the worker (`local`), or inside the `enqueue` call itself (`immediate`). */
export type ExecutionBackendName = "local" | "immediate";

export interface WorkerConfig {
  /** Claim ahead of free slots only in batches of at least so many, 1 to 500; default 10. */
  readonly batchSize?: number;
  /** Wait between two looks at an idle store, at least 1 ms; default `"100ms"`. It backs off up to ten times that, with jitter. */
  readonly pollInterval?: Duration;
  /** Attempts at once, 1 to 10,000; default 10. */
  readonly maxConcurrency?: number;
  /** Attempts at once per queue; a queue that is not named is bounded by `maxConcurrency` only. */
  readonly queueConcurrency?: Readonly<Record<string, number>>;
  /** How long a claim is valid without renewal, at least 100 ms; default `"30s"`. */
  readonly leaseDuration?: Duration;
  /** Time between renewals, at most half a lease; default a third of it. */
  readonly heartbeatInterval?: Duration;
  /** How long after the last renewal others may take a record over, at least the lease; default the lease. */
  readonly staleAfter?: Duration;
  /** Only these queues; default `[]`: every queue. */
  readonly queues?: readonly string[];
  /** How long a stop waits for running attempts; default `"30s"`. */
  readonly gracefulShutdownTimeout?: Duration;
  /** How long it then waits after aborting them; default `"5s"`. Also how long a handler may ignore its signal before it is called stuck. */
  readonly finalCancelTimeout?: Duration;
  /**
   * Finished records are removed so long after they finished, or where there are more of them: by state, or a duration for
   * all of them; `null` keeps them for ever. Default: completed 7 days, failed and cancelled 30 days, any number.
   */
  readonly retention?: Duration | null | RetentionConfig;
}

/** Given to the plugin, `QueueService` and `Worker` alike. */
export interface QueueConfig<Tx = never> {
  /** Where records live; default `"memory"`. */
  readonly queueBackend?: "memory" | QueueBackend<Tx>;
  /** Default `"local"`. */
  readonly executionBackend?: ExecutionBackendName;
  /** Module paths or globs, relative to the working directory, imported at start. */
  readonly taskModules?: readonly string[];
  /**
   * Whether a start brings the schedules of the registered tasks into the store (default true);
   * `"remove-missing"` also removes those that code made before and no task defines any more.
   */
  readonly initializeSchedules?: boolean | "remove-missing";
  /** Whether the web application's process runs a worker itself, or owns one in a child process; default true. */
  readonly inAppWorker?: boolean | "child-process";
  readonly worker?: WorkerConfig;
  /** Names under which a web application finds the parts, so that one application may hold several. */
  readonly queueServiceKey?: string;
  readonly queueWorkerKey?: string;
  /** Prefix of tables and keys; default `"sidereal"`. */
  readonly namespace?: string;
  /** Name of the recurring task by which `scheduler-health` tells that the scheduler is alive; default `"scheduler.heartbeat"`. */
  readonly schedulerCanaryTask?: string;
  /** Default: warnings and errors as lines on stderr. */
  readonly logger?: Logger;
  /** What handlers get by `ctx.use`; default none. */
  readonly dependencies?: DependencyConfig;
  /** What is kept of a handler's error before it is stored or logged; default all of it, up to 32 KiB. */
  readonly sanitizeError?: SanitizeError;
}

/** The configuration with defaults filled in and durations as milliseconds. */
export interface Settings {
  readonly executionBackend: ExecutionBackendName;
  readonly taskModules: readonly string[];
  readonly initializeSchedules: boolean | "remove-missing";
  readonly inAppWorker: boolean | "child-process";
  readonly queueServiceKey: string;
  readonly queueWorkerKey: string;
  readonly namespace: string;
  readonly schedulerCanaryTask: string;
  readonly worker: WorkerSettings;
  /** Null: handlers have no dependencies. */
  readonly dependencies: DependencySources | null;
  readonly sanitizeError: SanitizeError | null;
}

export interface WorkerSettings {
  readonly batchSize: number;
  readonly pollInterval: Millis;
  readonly maxConcurrency: number;
  readonly queueConcurrency: Readonly<Record<string, number>>;
  readonly leaseDuration: Millis;
  readonly heartbeatInterval: Millis;
  readonly staleAfter: Millis;
  readonly queues: readonly string[];
  readonly gracefulShutdownTimeout: Millis;
  readonly finalCancelTimeout: Millis;
  readonly retention: RetentionRules;
}

/** Marks a checked configuration, so that a command line can tell it from any other object. */
const CONFIG = Symbol.for("sidereal.config");

/**
 * Checks a configuration and returns it, so that a file can export it: `export default defineQueues({ … })`.
 * @throws CONFIG_INVALID, CONFIG_CONFLICT, DURATION_INVALID, NAME_INVALID
 */
export function defineQueues<Tx = never>(config: QueueConfig<Tx>): QueueConfig<Tx> {
  resolveConfig(config);
  return Object.defineProperty({ ...config }, CONFIG, { value: true });
}

/** Whether a value came from `defineQueues`. */
export function isQueueConfig(value: unknown): value is QueueConfig<unknown> {
  return typeof value === "object" && value !== null && CONFIG in value;
}

const SETTINGS = new Set<string>([
  ...["queueBackend", "executionBackend", "taskModules", "inAppWorker", "worker", "queueServiceKey", "queueWorkerKey"],
  "initializeSchedules",
  ...["namespace", "schedulerCanaryTask", "logger", "dependencies", "sanitizeError"],
]);
const WORKER_SETTINGS = new Set<string>([
  ...[
    "batchSize",
    "pollInterval",
    "maxConcurrency",
    "queueConcurrency",
    "leaseDuration",
    "heartbeatInterval",
    "staleAfter",
  ],
  ...["queues", "gracefulShutdownTimeout", "finalCancelTimeout", "retention"],
]);

/** Fills in defaults. @throws CONFIG_INVALID, CONFIG_CONFLICT, DURATION_INVALID, NAME_INVALID */
export function resolveConfig<Tx>(config: QueueConfig<Tx>): Settings {
  known(config, SETTINGS, "The configuration");
  const { queueBackend = "memory", executionBackend = "local", taskModules = [], inAppWorker = true } = config;
  const isBackend = typeof queueBackend === "object" && typeof queueBackend?.claim === "function";
  if (queueBackend !== "memory" && !isBackend) {
    throw invalid("queueBackend", queueBackend, '"memory" or a store made by its factory');
  }
  oneOf(executionBackend, ["local", "immediate"], "executionBackend");
  const { initializeSchedules = true } = config;
  oneOf(initializeSchedules, [true, false, "remove-missing"], "initializeSchedules");
  oneOf(inAppWorker, [true, false, "child-process"], "inAppWorker");
  if (!Array.isArray(taskModules) || taskModules.some((path) => typeof path !== "string" || path === "")) {
    throw invalid("taskModules", taskModules, "an array of module paths or globs");
  }
  const { logger, worker = {}, namespace = "sidereal" } = config;
  if (logger !== undefined && !LEVELS.every((level) => typeof logger?.[level] === "function")) {
    throw invalid("logger", logger, "an object with debug, info, warn and error");
  }
  return {
    executionBackend,
    taskModules,
    initializeSchedules,
    inAppWorker,
    queueServiceKey: key(config.queueServiceKey, "queueServiceKey", "queueService"),
    queueWorkerKey: key(config.queueWorkerKey, "queueWorkerKey", "queueWorker"),
    namespace: checkNamespace(namespace),
    schedulerCanaryTask: checkName(config.schedulerCanaryTask ?? "scheduler.heartbeat", "schedulerCanaryTask"),
    worker: resolveWorker(worker),
    dependencies: sourcesOf(config.dependencies),
    sanitizeError: optionalFunction(config.sanitizeError, "sanitizeError"),
  };
}

const SOURCES = new Set(["provider", "resolver"]);

function sourcesOf(value: DependencyConfig | undefined): DependencySources | null {
  if (value === undefined) return null;
  known(value, SOURCES, "dependencies");
  const { provider = null } = value;
  if (provider !== null && typeof provider.acquire !== "function")
    throw invalid("dependencies.provider", provider, "an object with acquire");
  optionalFunction(provider?.open, "dependencies.provider.open");
  optionalFunction(provider?.close, "dependencies.provider.close");
  const resolver = optionalFunction(value.resolver, "dependencies.resolver");
  return provider === null && resolver === null ? null : { provider, resolver };
}

function optionalFunction<F extends (...args: never) => unknown>(value: F | undefined, what: string): F | null {
  if (value === undefined || typeof value === "function") return value ?? null;
  throw invalid(what, value, "a function");
}

const LEVELS = ["debug", "info", "warn", "error"] as const;

function resolveWorker(config: WorkerConfig): WorkerSettings {
  known(config, WORKER_SETTINGS, "worker");
  const time = (name: keyof WorkerConfig, fallback: Duration, least = 0): Millis =>
    parseDuration(config[name] === undefined ? fallback : config[name], `worker.${name}`, least);
  const leaseDuration = time("leaseDuration", "30s", 100);
  const { queues = [], queueConcurrency = {}, batchSize = 10, maxConcurrency = 10 } = config;
  if (!Array.isArray(queues)) throw invalid("worker.queues", queues, "an array of queue names");
  for (const queue of queues) checkName(queue, "worker.queues");
  const settings: WorkerSettings = {
    batchSize: whole(batchSize, 1, 500, "worker.batchSize"),
    pollInterval: time("pollInterval", 100, 1),
    maxConcurrency: whole(maxConcurrency, 1, 10_000, "worker.maxConcurrency"),
    queueConcurrency: caps(queueConcurrency, queues),
    leaseDuration,
    heartbeatInterval: time("heartbeatInterval", Math.floor(leaseDuration / 3), 1),
    staleAfter: time("staleAfter", leaseDuration, 1),
    queues,
    gracefulShutdownTimeout: time("gracefulShutdownTimeout", "30s"),
    finalCancelTimeout: time("finalCancelTimeout", "5s"),
    retention: resolveRetention(config.retention),
  };
  if (settings.heartbeatInterval > leaseDuration / 2) {
    throw conflict(
      "worker.heartbeatInterval",
      settings.heartbeatInterval,
      "at most half of worker.leaseDuration",
      leaseDuration,
    );
  }
  if (settings.staleAfter < leaseDuration) {
    throw conflict("worker.staleAfter", settings.staleAfter, "at least worker.leaseDuration", leaseDuration);
  }
  return settings;
}

function caps(value: unknown, queues: readonly string[]): Readonly<Record<string, number>> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalid("worker.queueConcurrency", value, "an object of caps by queue name");
  for (const [queue, cap] of Object.entries(value)) {
    checkName(queue, "worker.queueConcurrency");
    whole(cap, 1, 10_000, `worker.queueConcurrency.${queue}`);
    if (queues.length > 0 && !queues.includes(queue)) {
      throw new SiderealError(
        "CONFIG_CONFLICT",
        `worker.queueConcurrency names ${queue}, which is not one of worker.queues`,
      );
    }
  }
  return value as Readonly<Record<string, number>>;
}

function key(value: unknown, name: string, fallback: string): string {
  if (value === undefined) return fallback;
  if (typeof value === "string" && /^[A-Za-z_$][\w$]*$/u.test(value)) return value;
  throw invalid(name, value, "a JavaScript identifier");
}

function known(value: unknown, names: ReadonlySet<string>, what: string): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(what, value, "an object");
  for (const name of Object.keys(value)) {
    if (names.has(name)) continue;
    const near = nearest(name, names);
    const hint = near === null ? `Allowed are ${[...names].join(", ")}` : `Did you mean ${near}?`;
    throw new SiderealError("CONFIG_INVALID", `${what} has no setting ${quoted(name)}. ${hint}`);
  }
}

/** The setting that was probably meant: written in another style, in the wrong place, or mistyped. */
function nearest(name: string, names: ReadonlySet<string>): string | null {
  const plain = (text: string): string => text.toLowerCase().replace(/[^a-z]/gu, "");
  const given = plain(name);
  const candidates = new Map<string, string>([...names].map((other) => [plain(other), other]));
  for (const other of WORKER_SETTINGS) {
    candidates.set(`worker${plain(other)}`, names === WORKER_SETTINGS ? other : `worker.${other}`);
    if (names !== WORKER_SETTINGS) candidates.set(plain(other), `worker.${other}`);
  }
  const exact = candidates.get(given);
  if (exact !== undefined) return exact;
  return [...candidates].find(([other]) => isOneSlip(given, other))?.[1] ?? null;
}

/** Whether two words differ by at most two letters that were added, left out or changed at one place. */
function isOneSlip(one: string, other: string): boolean {
  if (Math.min(one.length, other.length) < 4 || Math.abs(one.length - other.length) > 2) return false;
  let start = 0;
  while (start < one.length && one[start] === other[start]) start += 1;
  let end = 0;
  while (end < Math.min(one.length, other.length) - start && one.at(-1 - end) === other.at(-1 - end)) end += 1;
  return Math.max(one.length, other.length) - start - end <= 2;
}

function whole(value: unknown, least: number, most: number, what: string): number {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
  throw invalid(what, value, `a whole number from ${least} to ${most}`);
}

function oneOf(value: unknown, allowed: readonly unknown[], what: string): void {
  if (!allowed.includes(value)) throw invalid(what, value, allowed.map(quoted).join(" or "));
}

function invalid(what: string, value: unknown, expected: string): SiderealError {
  return new SiderealError("CONFIG_INVALID", `${what} is ${quoted(value)}, not ${expected}`);
}

function conflict(what: string, value: Millis, rule: string, other: Millis): SiderealError {
  return new SiderealError("CONFIG_CONFLICT", `${what} is ${value} ms but must be ${rule} (${other} ms)`);
}
