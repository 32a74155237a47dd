/** The door: an enqueue's task, input and options become a draft, or are refused before anything is written. */
import { createHash } from "node:crypto";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { type Duration, parseDuration, quoted } from "../model/duration.ts";
import { SiderealError } from "../model/errors.ts";
import { canonicalIdentity } from "../model/identity.ts";
import { encodeJson } from "../model/json.ts";
import { enqueued } from "../model/lifecycle.ts";
import type { Draft, JsonText, Millis, Origin, TaskPolicy } from "../model/record.ts";
import { parseBackoff } from "../model/retry.ts";
import type { ExecutionBackendName } from "./config.ts";
import { checkTaskOptions, encodeMetadata, isText } from "./task.ts";
import type { EnqueueOptions, Task, TaskOptions } from "./vocabulary.ts";

/** What the door found out. */
export interface Prepared {
  readonly draft: Draft;
  /** The key is reserved beyond the record's end. */
  readonly forever: boolean;
}

const OPTIONS = new Set<string>([
  ...[
    "queue",
    "priority",
    "delay",
    "runAt",
    "expiresIn",
    "expiresAt",
    "retries",
    "backoff",
    "timeout",
    "key",
    "uniqueBy",
  ],
  ...[
    "uniqueUntil",
    "metadata",
    "tags",
    "description",
    "executionBackend",
    "executionProfile",
    "tx",
    "requeueOnShutdown",
  ],
]);

/**
 * Checks everything and makes the draft.
 * @param what - Names the input in messages: `input`, `inputs[3]`.
 * @throws INPUT_NOT_JSON, INPUT_TOO_LARGE, OPTION_INVALID, DURATION_INVALID, NAME_INVALID
 */
export function prepare(
  task: Task,
  input: unknown,
  options: EnqueueOptions<unknown>,
  facts: {
    readonly id: string;
    readonly execution: ExecutionBackendName;
    readonly what: string;
    /** The same options were found to be right just before. */
    readonly checked: boolean;
    readonly origin?: Origin | null;
  },
): Prepared {
  const who = `enqueue of ${task.name}`;
  if (options !== NO_OPTIONS && !facts.checked) checkOptions(options, who);
  const text =
    input === undefined
      ? null
      : encodeJson(input, { what: facts.what, notJson: "INPUT_NOT_JSON", tooLarge: "INPUT_TOO_LARGE" });
  const from = task.options;
  const key = keyOf(task, input, text, options, who);
  const metadata = options.metadata ?? from.metadata;
  const { runAt, readyIn, expiresAt, expiresIn } = timesOf(from, options, who);
  const draft = enqueued({
    id: facts.id,
    taskName: task.name,
    queue: options.queue ?? from.queue ?? "default",
    execution: options.executionBackend ?? from.executionBackend ?? facts.execution,
    executionProfile: options.executionProfile ?? from.executionProfile ?? null,
    priority: options.priority ?? from.priority ?? 0,
    input: text,
    policy: policyOf(task.policy, options, who),
    key,
    metadata: metadata === undefined ? null : encodeMetadata(metadata, who),
    tags: options.tags ?? from.tags ?? NO_TAGS,
    description: options.description ?? from.description ?? null,
    origin: facts.origin ?? null,
    runAt,
    readyIn,
    expiresAt,
    expiresIn,
  });
  return { draft, forever: key !== null && (options.uniqueUntil ?? from.uniqueUntil) === "forever" };
}

const NO_TAGS: readonly string[] = [];

/** The options of an enqueue without any: known to be right. */
export const NO_OPTIONS: EnqueueOptions<unknown> = Object.freeze({});

/**
 * Runs the task's validation.
 * @returns the validated value, which the handler gets; without a schema the input itself.
 * @throws INPUT_INVALID listing up to ten issues with their paths.
 */
export function validated(task: Task, input: unknown, what: string): unknown {
  if (task.schema === null) return input;
  const outcome = task.schema["~standard"].validate(input);
  return outcome instanceof Promise
    ? outcome.then((late) => accepted(task, late, what))
    : accepted(task, outcome, what);
}

function accepted(task: Task, outcome: StandardSchemaV1.Result<unknown>, what: string): unknown {
  if (outcome.issues === undefined) return outcome.value;
  const shown = outcome.issues.slice(0, 10).map((issue) => {
    const path = (issue.path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join(".");
    return `${path === "" ? what : `${what}.${path}`}: ${issue.message}`;
  });
  throw new SiderealError("INPUT_INVALID", `Task ${task.name} refused its input (${shown.join("; ")})`);
}

function checkOptions(options: EnqueueOptions<unknown>, who: string): void {
  if (typeof options !== "object" || options === null) {
    throw new SiderealError("OPTION_INVALID", `${who}: options is ${quoted(options)}, not an object`);
  }
  for (const name of Object.keys(options)) {
    if (!OPTIONS.has(name)) throw new SiderealError("OPTION_INVALID", `${who}: there is no option ${quoted(name)}`);
  }
  checkTaskOptions(options, who);
  const pairs = [
    ["delay", "runAt"],
    ["expiresIn", "expiresAt"],
    ["key", "uniqueBy"],
  ] as const;
  for (const [one, other] of pairs) {
    if (options[one] !== undefined && options[other] !== undefined) {
      throw new SiderealError("OPTION_INVALID", `${who}: ${one} and ${other} exclude each other`);
    }
  }
}

function keyOf(
  task: Task,
  input: unknown,
  text: JsonText | null,
  options: EnqueueOptions<unknown>,
  who: string,
): string | null {
  const from = task.options;
  const by = options.uniqueBy ?? (options.key === undefined && from.key === undefined ? from.uniqueBy : undefined);
  const given = options.key ?? (by === undefined ? (task.keyOf?.(input as never) ?? from.key) : undefined);
  if (given !== undefined) {
    if (isText(given, 500)) return given;
    throw new SiderealError("OPTION_INVALID", `${who}: key is ${quoted(given)}, not a text of 1 to 500 characters`);
  }
  if (by === undefined) {
    if (options.uniqueUntil === undefined) return null;
    throw new SiderealError("OPTION_INVALID", `${who}: uniqueUntil needs key or uniqueBy`);
  }
  if (by === "task") return `task:${task.name}`;
  return `input:${createHash("sha256").update(canonicalIdentity(task.name, text)).digest("hex")}`;
}

function policyOf(policy: TaskPolicy, options: EnqueueOptions<unknown>, who: string): TaskPolicy {
  const { retries, backoff, timeout, requeueOnShutdown } = options;
  if (retries === undefined && backoff === undefined && timeout === undefined && requeueOnShutdown === undefined)
    return policy;
  if (typeof backoff === "function") {
    throw new SiderealError(
      "OPTION_INVALID",
      `${who}: backoff is a function, which cannot be stored with one record; give it to the task`,
    );
  }
  return {
    retries: retries ?? policy.retries,
    backoff: backoff === undefined ? policy.backoff : parseBackoff(backoff, `${who}: backoff`),
    timeout: timeout === undefined ? policy.timeout : parseDuration(timeout, `${who}: timeout`, 1),
    requeueOnShutdown: requeueOnShutdown ?? policy.requeueOnShutdown,
  };
}

interface Times {
  readonly runAt: Millis | null;
  readonly readyIn: Millis;
  readonly expiresAt: Millis | null;
  readonly expiresIn: Millis | null;
}

const AT_ONCE: Times = { runAt: null, readyIn: 0, expiresAt: null, expiresIn: null };

function timesOf(from: TaskOptions, options: EnqueueOptions<unknown>, who: string): Times {
  if (options === NO_OPTIONS && from.delay === undefined && from.expiresIn === undefined) return AT_ONCE;
  const delay = options.runAt === undefined ? (options.delay ?? from.delay) : undefined;
  const expiresIn = options.expiresAt === undefined ? (options.expiresIn ?? from.expiresIn) : undefined;
  const length = (value: Duration | undefined, what: string): Millis | null =>
    value === undefined ? null : parseDuration(value, `${who}: ${what}`);
  return {
    runAt: instant(options.runAt, `${who}: runAt`),
    readyIn: length(delay, "delay") ?? 0,
    expiresAt: instant(options.expiresAt, `${who}: expiresAt`),
    expiresIn: length(expiresIn, "expiresIn"),
  };
}

/** Latest instant taken: the end of the year 9999. */
const LATEST: Millis = 253_402_300_799_999;

/** A point in time as milliseconds; null where there is none. @throws OPTION_INVALID */
export function instant(value: Date | Millis | undefined, what: string): Millis | null {
  if (value === undefined) return null;
  const millis = value instanceof Date ? value.getTime() : value;
  if (typeof millis === "number" && millis >= 0 && millis <= LATEST) return Math.ceil(millis);
  throw new SiderealError("OPTION_INVALID", `${what} is ${quoted(value)}, not a Date or milliseconds since 1970`);
}
