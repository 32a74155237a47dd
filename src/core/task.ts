/** Defining tasks: a name, defaults, a handler, and the types that follow them everywhere. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { parseDuration, quoted } from "../model/duration.ts";
import { SiderealError } from "../model/errors.ts";
import { encodeJson } from "../model/json.ts";
import { checkName } from "../model/names.ts";
import type { JsonText, TaskPolicy } from "../model/record.ts";
import { DEFAULT_BACKOFF, parseBackoff } from "../model/retry.ts";
import type { ScheduleDefinition } from "../model/schedule.ts";
import { callSite } from "./call-site.ts";
import { registry } from "./registry.ts";
import { checkSchedule, mustBeSchedulable, type ScheduleOptions } from "./schedule-options.ts";
import type { Task, TaskHandler, TaskOptions } from "./vocabulary.ts";

/**
 * Defines and registers a task.
 * @throws NAME_INVALID, OPTION_INVALID, DURATION_INVALID, SCHEDULE_INVALID; TASK_DUPLICATE when another place defined the name before.
 */
export function task<Input = void, Output = unknown>(
  name: string,
  handler: TaskHandler<Input, Output>,
): Task<Input, Awaited<Output>>;
export function task<Schema extends StandardSchemaV1, Output = unknown>(
  name: string,
  options: TaskOptions<StandardSchemaV1.InferInput<Schema>> & {
    readonly input: Schema;
    readonly schedule?: ScheduleOptions<StandardSchemaV1.InferInput<Schema>>;
  },
  handler: TaskHandler<StandardSchemaV1.InferOutput<Schema>, Output>,
): Task<StandardSchemaV1.InferInput<Schema>, Awaited<Output>>;
export function task<Input = void, Output = unknown>(
  name: string,
  options: TaskOptions<Input> & { readonly input?: never; readonly schedule?: NoInfer<ScheduleOptions<Input>> },
  handler: TaskHandler<Input, Output>,
): Task<Input, Awaited<Output>>;
export function task(
  name: string,
  first: Definition | TaskHandler<never, unknown>,
  second?: TaskHandler<never, unknown>,
): Task {
  const options = typeof first === "function" ? {} : first;
  const handler = typeof first === "function" ? first : second;
  checkName(name, "The task's name");
  if (typeof handler !== "function") throw invalid(name, "handler", handler, "a function");
  const { input: schema = null, schedule, ...defaults } = checkOptions(name, options);
  const defined: Task = {
    name,
    options: defaults,
    policy: policyOf(name, defaults),
    customBackoff: typeof defaults.backoff === "function" ? defaults.backoff : null,
    schema,
    keyOf: typeof defaults.key === "function" ? defaults.key : null,
    schedule: schedule === undefined ? null : scheduleOf(name, schedule, defaults),
    definedAt: callSite(task),
    run: handler,
  };
  registry.add(defined);
  return defined;
}

/** Where claimed work may run; the type is `ExecutionBackendName`. */
const EXECUTION_BACKENDS: readonly string[] = ["local", "immediate"];

const KNOWN = new Set<string>([
  ...["queue", "priority", "delay", "expiresIn", "retries", "backoff", "timeout", "key", "uniqueBy", "uniqueUntil"],
  ...[
    "metadata",
    "tags",
    "description",
    "executionBackend",
    "executionProfile",
    "requeueOnShutdown",
    "onStaleFailure",
    "input",
    "schedule",
  ],
]);

type Definition = TaskOptions & { readonly input?: StandardSchemaV1; readonly schedule?: ScheduleOptions<unknown> };

function scheduleOf(name: string, schedule: unknown, options: TaskOptions): ScheduleDefinition {
  const who = `Task ${name}: schedule`;
  mustBeSchedulable(options, who);
  return checkSchedule(schedule, who);
}

function checkOptions(name: string, options: Definition): Definition {
  if (typeof options !== "object" || options === null) throw invalid(name, "options", options, "an object");
  for (const option of Object.keys(options)) {
    if (!KNOWN.has(option))
      throw new SiderealError("OPTION_INVALID", `Task ${name}: there is no option ${quoted(option)}`);
  }
  checkTaskOptions(options, `Task ${name}`);
  if (options.key !== undefined && typeof options.key !== "function" && !isText(options.key, 500)) {
    throw invalid(name, "key", options.key, "a text of 1 to 500 characters or a function");
  }
  if (options.onStaleFailure !== undefined && typeof options.onStaleFailure !== "function") {
    throw invalid(name, "onStaleFailure", options.onStaleFailure, "a function");
  }
  if (options.key !== undefined && options.uniqueBy !== undefined) {
    throw new SiderealError("OPTION_INVALID", `Task ${name}: key and uniqueBy exclude each other`);
  }
  if (options.uniqueUntil !== undefined && options.key === undefined && options.uniqueBy === undefined) {
    throw new SiderealError("OPTION_INVALID", `Task ${name}: uniqueUntil needs key or uniqueBy`);
  }
  if (options.input !== undefined && typeof options.input?.["~standard"]?.validate !== "function") {
    throw invalid(name, "input", options.input, "a Standard Schema validator (zod, valibot, arktype, …)");
  }
  return options;
}

/** The checks that a task's defaults and an enqueue's options share. @throws OPTION_INVALID, NAME_INVALID, DURATION_INVALID */
export function checkTaskOptions(options: Omit<TaskOptions, "key">, who: string): void {
  const { queue, priority, retries, delay, expiresIn, timeout, backoff, uniqueBy, uniqueUntil, tags, description } =
    options;
  if (queue !== undefined) checkName(queue, `${who}: queue`);
  if (priority !== undefined) whole(priority, -1_000, 1_000, `${who}: priority`);
  if (retries !== undefined) whole(retries, 0, 1_000, `${who}: retries`);
  if (delay !== undefined) parseDuration(delay, `${who}: delay`);
  if (expiresIn !== undefined) parseDuration(expiresIn, `${who}: expiresIn`);
  if (timeout !== undefined) parseDuration(timeout, `${who}: timeout`, 1);
  if (backoff !== undefined) parseBackoff(backoff, `${who}: backoff`);
  oneOf(uniqueBy, ["task", "input"], `${who}: uniqueBy`);
  oneOf(uniqueUntil, ["terminal", "forever"], `${who}: uniqueUntil`);
  oneOf(options.requeueOnShutdown, [true, false], `${who}: requeueOnShutdown`);
  oneOf(options.executionBackend, EXECUTION_BACKENDS, `${who}: executionBackend`);
  if (options.executionProfile !== undefined) checkName(options.executionProfile, `${who}: executionProfile`);
  if (options.metadata !== undefined) encodeMetadata(options.metadata, who);
  if (tags !== undefined && !(Array.isArray(tags) && tags.length <= 20 && tags.every((tag) => isText(tag, 200)))) {
    throw new SiderealError(
      "OPTION_INVALID",
      `${who}: tags is ${quoted(tags)}, not up to 20 texts of 1 to 200 characters`,
    );
  }
  if (description !== undefined && !isText(description, 1_000)) {
    throw new SiderealError(
      "OPTION_INVALID",
      `${who}: description is ${quoted(description)}, not a text of 1 to 1,000 characters`,
    );
  }
}

/** Metadata as stored. @throws INPUT_NOT_JSON, OPTION_INVALID */
export function encodeMetadata(metadata: unknown, who: string): JsonText {
  if (typeof metadata !== "object" || metadata === null || Array.isArray(metadata)) {
    throw new SiderealError("OPTION_INVALID", `${who}: metadata is ${quoted(metadata)}, not an object`);
  }
  const text = encodeJson(metadata, {
    what: `${who}: metadata`,
    notJson: "INPUT_NOT_JSON",
    tooLarge: "INPUT_TOO_LARGE",
  });
  if (text.length <= 65_536) return text;
  throw new SiderealError("OPTION_INVALID", `${who}: metadata has ${text.length} characters of JSON, more than 65,536`);
}

/** Whether a value is a text that every store keeps: no NUL, no lone surrogate, 1 to `most` characters. */
export function isText(value: unknown, most: number): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= most && !/[\0\p{Surrogate}]/u.test(value);
}

function policyOf(name: string, options: TaskOptions): TaskPolicy {
  return {
    retries: options.retries ?? 0,
    backoff: options.backoff === undefined ? DEFAULT_BACKOFF : parseBackoff(options.backoff, `Task ${name}: backoff`),
    timeout: options.timeout === undefined ? null : parseDuration(options.timeout, `Task ${name}: timeout`, 1),
    requeueOnShutdown: options.requeueOnShutdown ?? true,
  };
}

function whole(value: unknown, least: number, most: number, what: string): void {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return;
  throw new SiderealError("OPTION_INVALID", `${what} is ${quoted(value)}, not a whole number from ${least} to ${most}`);
}

function oneOf(value: unknown, allowed: readonly unknown[], what: string): void {
  if (value === undefined || allowed.includes(value)) return;
  throw new SiderealError("OPTION_INVALID", `${what} is ${quoted(value)}, not ${allowed.map(quoted).join(" or ")}`);
}

function invalid(name: string, option: string, value: unknown, expected: string): SiderealError {
  return new SiderealError("OPTION_INVALID", `Task ${name}: ${option} is ${quoted(value)}, not ${expected}`);
}
