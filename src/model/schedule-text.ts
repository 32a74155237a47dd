/** The text of a schedule in its row, and back. What cannot be read is refused with the place, and harms no other row. */
import type { JsonText } from "./record.ts";
import type { MisfirePolicy, Schedule, ScheduleDefinition } from "./schedule.ts";

/** Grows when an older reader would misunderstand the text. */
const FORMAT = 1;

/** The body of a schedule's row. */
export function encodeSchedule(schedule: Schedule): JsonText {
  return JSON.stringify({ format: FORMAT, ...schedule });
}

/** A definition as text, equal for equal definitions. */
export function encodeDefinition({ misfire, ...rest }: ScheduleDefinition): JsonText {
  const all = typeof misfire === "object" ? [misfire.all.max, misfire.all.within] : misfire;
  const members = Object.entries({ ...rest, misfire: all }).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(members);
}

/** Whether a newer version of this package wrote the text: it is sound, and not ours to replace. */
export function isForeign(text: JsonText): boolean {
  try {
    const body: unknown = JSON.parse(text);
    return isObject(body) && "format" in body && isWhole(body.format) && body.format > FORMAT;
  } catch {
    return false;
  }
}

/** Reads a row's body. @throws Error saying which part is damaged, or that a newer version wrote it */
export function decodeSchedule(text: JsonText): Schedule {
  const body = new Parts(JSON.parse(text), "schedule");
  const format = body.get("format", isWhole);
  if (format !== FORMAT) throw new Error(`format ${format} was written by another version`);
  const last = body.get("last", optional(isObject));
  const parts = last === null ? null : new Parts(last, "last");
  return {
    taskName: body.get("taskName", isText),
    origin: body.get("origin", oneOf("code", "runtime")),
    definition: decodeDefinition(new Parts(body.get("definition", isObject), "definition")),
    createdAt: body.get("createdAt", isWhole),
    pausedAt: body.get("pausedAt", optional(isWhole)),
    cursor: body.get("cursor", isWhole),
    next: body.get("next", optional(isWhole)),
    count: body.get("count", isWhole),
    waiting: body.get("waiting", listOf(isWhole)),
    live: body.get("live", listOf(isText)),
    last: parts && { id: parts.get("id", isText), scheduledFor: parts.get("scheduledFor", isWhole) },
    problem: body.get("problem", optional(isText)),
  };
}

function decodeDefinition(parts: Parts): ScheduleDefinition {
  const definition: ScheduleDefinition = {
    cron: parts.get("cron", optional(isText)),
    interval: parts.get("interval", optional(isCount)),
    timezone: parts.get("timezone", isText),
    jitter: parts.get("jitter", isWhole),
    startAt: parts.get("startAt", optional(isWhole)),
    endAt: parts.get("endAt", optional(isWhole)),
    limit: parts.get("limit", optional(isWhole)),
    misfire: parts.get("misfire", isMisfire),
    overlap: parts.get("overlap", oneOf("allow", "skip", "queue-one", "cancel-running")),
    input: parts.get("input", optional(isJson)),
    options: parts.get("options", optional(isJson)),
  };
  if ((definition.cron === null) === (definition.interval === null)) throw new Error("definition: cron or interval");
  return definition;
}

type Check<T> = (value: unknown) => value is T;

const isText: Check<string> = (value): value is string => typeof value === "string" && value.length > 0;
const isWhole: Check<number> = (value): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isCount: Check<number> = (value): value is number => isWhole(value) && value > 0;
const isObject: Check<object> = (value): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isJson: Check<JsonText> = (value): value is JsonText => {
  if (typeof value !== "string") return false;
  try {
    JSON.parse(value);
    return true;
  } catch {
    return false;
  }
};

const isMisfire: Check<MisfirePolicy> = (value): value is MisfirePolicy => {
  if (value === "skip" || value === "latest") return true;
  const all = isObject(value) && "all" in value ? value.all : null;
  return isObject(all) && "max" in all && "within" in all && isWhole(all.max) && isWhole(all.within);
};

function optional<T>(check: Check<T>): Check<T | null> {
  return (value): value is T | null => value === null || check(value);
}

function listOf<T>(check: Check<T>): Check<readonly T[]> {
  return (value): value is readonly T[] => Array.isArray(value) && value.every(check);
}

function oneOf<const T extends string>(...allowed: readonly T[]): Check<T> {
  return (value): value is T => allowed.includes(value as T);
}

/** The members of one object of the text. */
class Parts {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #where: string;

  constructor(value: unknown, where: string) {
    if (!isObject(value)) throw new Error(`${where} is no object`);
    this.#values = value as Readonly<Record<string, unknown>>;
    this.#where = where;
  }

  get<T>(name: string, check: Check<T>): T {
    const value = Object.hasOwn(this.#values, name) ? this.#values[name] : undefined;
    if (check(value)) return value;
    throw new Error(`${this.#where}: ${name} is damaged`);
  }
}
