/** What a user writes about a schedule, and the checks that turn it into a definition or refuse it. */
import { type Duration, parseDuration, quoted } from "../model/duration.ts";
import { SiderealError } from "../model/errors.ts";
import { encodeJson } from "../model/json.ts";
import type { JsonText, Millis } from "../model/record.ts";
import { type MisfirePolicy, type OverlapPolicy, SCHEDULE_LIMITS, type ScheduleDefinition } from "../model/schedule.ts";
import { checkTimezone, parseCron } from "./cron.ts";

/** What becomes of ticks that were missed because no worker was there: see `docs/schedules.md`. */
export type Misfire =
  /** Nothing. */
  | "skip"
  /** The newest of them runs, late. */
  | "latest"
  /** The newest `max` (1 to 1,000) of those that are no older than `within`, oldest first. */
  | { readonly all: { readonly max: number; readonly within: Duration } };

/** What becomes of a tick whose predecessor has not ended: see `docs/schedules.md`. */
export type Overlap = OverlapPolicy;

/** When, and how, a schedule makes its ticks. Either `cron` or `interval`. */
export interface ScheduleTiming {
  /** Five fields, or six with seconds first. */
  readonly cron?: string;
  /** Fixed rate, at least 100 ms: on a grid that begins at `startAt`, else at the schedule's creation. */
  readonly interval?: Duration;
  /** IANA name of the zone that `cron` is read in; default `UTC`. */
  readonly timezone?: string;
  /** Each tick is ready so much later at most, by chance, never earlier; default 0. Its nominal instant stays. */
  readonly jitter?: Duration;
  /** No tick before this instant: a Date, or milliseconds since 1970. */
  readonly startAt?: Date | Millis;
  /** No tick after this instant. */
  readonly endAt?: Date | Millis;
  /** So many ticks altogether, at least 1. */
  readonly limit?: number;
  /** Default `latest`. */
  readonly misfire?: Misfire;
  /** Default `skip`. */
  readonly overlap?: Overlap;
}

/**
 * The input of the ticks: may be left out where the task takes none. There it may be anything, because a task whose
 * handler's context is not annotated looks for a moment as if it took none.
 */
export type ScheduledInput<Input> = [Input] extends [void]
  ? { readonly input?: unknown }
  : undefined extends Input
    ? { readonly input?: Input }
    : { readonly input: Input };

/** The schedule of a task, as its definition gives it. */
export type ScheduleOptions<Input = never> = ScheduleTiming & ScheduledInput<Input>;

/** The shortest interval taken. */
export const SHORTEST_INTERVAL: Millis = 100;

const LATEST: Millis = 253_402_300_799_999;

const KNOWN: readonly string[] = [
  ...["cron", "interval", "timezone", "jitter", "startAt", "endAt", "limit", "misfire", "overlap", "input"],
];

/**
 * The definition that the options make.
 * @param who - Begins every message.
 * @param options - Of the enqueues, encoded and checked before.
 * @throws SCHEDULE_INVALID, DURATION_INVALID, INPUT_NOT_JSON, INPUT_TOO_LARGE
 */
export function checkSchedule(value: unknown, who: string, options: JsonText | null = null): ScheduleDefinition {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid(who, `the schedule is ${quoted(value)}, not an object`);
  }
  const unknown = Object.keys(value).find((name) => !KNOWN.includes(name));
  if (unknown !== undefined) {
    throw invalid(who, `there is no part ${quoted(unknown)} of a schedule; there are ${KNOWN.join(", ")}`);
  }
  const given = value as ScheduleTiming & { readonly input?: unknown };
  if ((given.cron === undefined) === (given.interval === undefined)) {
    const found = given.cron === undefined ? "neither" : "both";
    throw invalid(who, `${found} of cron and interval is given; give one of them`);
  }
  const startAt = instant(given.startAt, who, "startAt");
  const endAt = instant(given.endAt, who, "endAt");
  if (startAt !== null && endAt !== null && endAt < startAt) {
    throw invalid(who, `endAt (${iso(endAt)}) is before startAt (${iso(startAt)})`);
  }
  const timezone = named(who, () => checkTimezone(given.timezone ?? "UTC"));
  const { interval, jitter, limit, overlap = "skip" } = given;
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 1)) {
    throw invalid(who, `limit is ${quoted(limit)}, not a whole number of at least 1`);
  }
  if (!OVERLAPS.includes(overlap)) {
    throw invalid(who, `overlap is ${quoted(overlap)}, not ${OVERLAPS.map(quoted).join(" or ")}`);
  }
  return {
    cron: given.cron === undefined ? null : named(who, () => parseCron(given.cron as string, timezone)).expression,
    interval: interval === undefined ? null : parseDuration(interval, `${who}: interval`, SHORTEST_INTERVAL),
    timezone,
    jitter: jitter === undefined ? 0 : parseDuration(jitter, `${who}: jitter`),
    startAt,
    endAt,
    limit: limit ?? null,
    misfire: misfireOf(given.misfire, who),
    overlap,
    input:
      given.input === undefined
        ? null
        : encodeJson(given.input, {
            what: `${who}: input`,
            notJson: "INPUT_NOT_JSON",
            tooLarge: "INPUT_TOO_LARGE",
          }),
    options,
  };
}

/** Refuses tasks whose ticks no worker could run as they are meant. @throws SCHEDULE_INVALID */
export function mustBeSchedulable(
  { executionBackend, uniqueUntil }: { readonly executionBackend?: string; readonly uniqueUntil?: string },
  who: string,
  fallback = "local",
): void {
  if ((executionBackend ?? fallback) === "immediate") {
    throw invalid(who, "an immediate task runs inside the enqueue call, and nobody calls for a tick");
  }
  if (uniqueUntil === "forever") {
    throw invalid(who, "its key is held forever, so that every tick but the first would be a duplicate");
  }
}

const OVERLAPS: readonly Overlap[] = ["allow", "skip", "queue-one", "cancel-running"];

function misfireOf(value: unknown, who: string): MisfirePolicy {
  if (value === undefined) return "latest";
  if (value === "skip" || value === "latest") return value;
  const all = typeof value === "object" && value !== null && "all" in value ? value.all : null;
  if (typeof all !== "object" || all === null || Object.keys(value as object).length !== 1) {
    throw invalid(who, `misfire is ${quoted(value)}, not "skip", "latest" or { all: { max, within } }`);
  }
  const { max, within, ...more } = all as { max?: unknown; within?: unknown };
  const most = SCHEDULE_LIMITS.ticks;
  if (!(Number.isInteger(max) && (max as number) >= 1 && (max as number) <= most) || Object.keys(more).length > 0) {
    throw invalid(who, `misfire.all is ${quoted(all)}, not { max, within } with a max from 1 to ${most}`);
  }
  return { all: { max: max as number, within: parseDuration(within, `${who}: misfire.all.within`) } };
}

function instant(value: unknown, who: string, part: string): Millis | null {
  if (value === undefined) return null;
  const millis = value instanceof Date ? value.getTime() : value;
  if (typeof millis === "number" && millis >= 0 && millis <= LATEST) return Math.ceil(millis);
  throw invalid(who, `${part} is ${quoted(value)}, not a Date or milliseconds since 1970`);
}

const iso = (instant: Millis): string => new Date(instant).toISOString();

/** Says whose schedule it is, where a part of it cannot be understood. */
function named<T>(who: string, understand: () => T): T {
  try {
    return understand();
  } catch (error) {
    if (!(error instanceof SiderealError)) throw error;
    const detail = error.message.slice(0, -error.advice.length).trimEnd();
    throw new SiderealError(error.code, `${who}: ${detail}`, { cause: error });
  }
}

function invalid(who: string, detail: string): SiderealError {
  return new SiderealError("SCHEDULE_INVALID", `${who}: ${detail}`);
}
