/** Cron expressions in a time zone: when they run next, when they ran last, and how to say it. */
import { Cron as Calendar } from "croner";
import { quoted } from "../model/duration.ts";
import { SiderealError } from "../model/errors.ts";
import type { Millis } from "../model/record.ts";
import { zoneNamed } from "../model/zone.ts";
import { type CronFields, parseFields } from "./cron-fields.ts";
import { firstFrom, lastUntil, type WallSchedule, type WallTimes } from "./cron-search.ts";
import { wordsOf } from "./cron-words.ts";

/**
 * A cron expression in a zone.
 *
 * Where clocks change, the rule is that of Debian's cron. An expression whose minute and hour both begin with something
 * else than `*` has *fixed* times: one that is skipped runs once, at the first instant after the gap (several that are
 * skipped together run once together), one that comes twice runs the first time only. Every other expression follows
 * elapsed time: it does not run in a gap and runs in both passes of a repeated hour. A seconds field does not matter to
 * this. Gaps of any length count, a skipped day too.
 */
export interface Cron {
  /** As given, without the space around it. */
  readonly expression: string;
  /** IANA name. */
  readonly timezone: string;
  /**
   * The first time after this instant; so repeated calls go strictly forward.
   * @param after - Milliseconds since 1970; earlier instants and infinities are allowed.
   * @returns null if it never runs again before 2999-12-31 (UTC), which is as far as is looked
   * @throws OPTION_INVALID for NaN and what is no number
   */
  next(after: Millis): Millis | null;
  /**
   * The last time at or before this instant; `previous(next(t))` is `next(t)`.
   * @param atOrBefore - Milliseconds since 1970; later instants and infinities are allowed.
   * @returns null if there is none since 1970
   * @throws OPTION_INVALID for NaN and what is no number
   */
  previous(atOrBefore: Millis): Millis | null;
  /** In English, for people: `every 15 minutes`, `at 03:00 on Monday`. */
  readonly words: string;
}

/** Croner looks no farther than the year 2999; a day is left for zones ahead of UTC. */
const LAST: Millis = Date.UTC(2999, 11, 31) - 1;

const DAYS_IN_MONTH = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** A calendar of croner takes 80 kB and is made in some 20 µs: few are kept, for all zones. */
const CALENDARS = 100;
const calendars = new Map<string, Calendar>();

/**
 * Understands a cron expression.
 *
 * Five fields (minute, hour, day of month, month, weekday) or six with seconds first; `*`, numbers, ranges, lists and
 * steps in each, names of months and weekdays in any case, `?` in one of the day fields; `n/step` runs to the field's
 * greatest value. If both day fields are restricted, a day matches when either does. Aliases: `@yearly @annually
 * @monthly @weekly @daily @midnight @hourly`.
 * @param expression - At most 200 characters.
 * @param timezone - IANA name; default `UTC`.
 * @throws SCHEDULE_INVALID which part of which field is wrong and what is allowed
 */
export function parseCron(expression: string, timezone = "UTC"): Cron {
  const fields = parseFields(expression);
  const zone = zoneNamed(timezone);
  const fixed = !(fields.minute.text.startsWith("*") || fields.hour.text.startsWith("*"));
  const schedule: WallSchedule = { zone, times: wallTimes(fields), fixed };
  return {
    expression: fields.expression,
    timezone: zone.name,
    words: wordsOf(fields),
    next: (after) => {
      const from = Math.max(0, Math.floor(checkInstant(after, "next")) + 1);
      const found = from > LAST ? null : firstFrom(schedule, from);
      return found === null || found > LAST ? null : found;
    },
    previous: (atOrBefore) => {
      const until = Math.min(LAST, Math.floor(checkInstant(atOrBefore, "previous")));
      const found = until < 0 ? null : lastUntil(schedule, until);
      return found === null || found < 0 ? null : found;
    },
  };
}

/**
 * Checks the name of a time zone.
 * @returns its name; the usual spelling unless it is an alias
 * @throws SCHEDULE_INVALID
 */
export function checkTimezone(timezone: unknown): string {
  return zoneNamed(timezone).name;
}

function checkInstant(value: unknown, method: string): Millis {
  if (typeof value === "number" && !Number.isNaN(value)) return value;
  throw new SiderealError(
    "OPTION_INVALID",
    `${method}() of a cron expression got ${quoted(value)}, and a number of milliseconds since 1970 is allowed`,
  );
}

/** Croner enumerates the calendar, in UTC only: its own rule for changing clocks knows neither skipped days nor `1-59/2`. */
function wallTimes(fields: CronFields): WallTimes {
  if (!canMatch(fields)) return { from: () => null, until: () => null };
  const { second, minute, hour, day, month, weekday } = fields;
  const pattern = [second, minute, hour, day, month, weekday]
    .map(({ any, values }) => (any ? "*" : values.join(",")))
    .join(" ");
  return {
    from: (wall) =>
      calendarOf(pattern)
        .nextRun(new Date(wall - 1))
        ?.getTime() ?? null,
    until: (wall) =>
      calendarOf(pattern)
        .previousRuns(1, new Date(wall + 1))[0]
        ?.getTime() ?? null,
  };
}

function calendarOf(pattern: string): Calendar {
  let calendar = calendars.get(pattern);
  if (calendar === undefined) {
    calendar = new Calendar(pattern, { mode: "6-part", utcOffset: 0 });
    if (calendars.size >= CALENDARS) calendars.clear();
    calendars.set(pattern, calendar);
  }
  return calendar;
}

/** Whether there is such a day at all; croner would look for 30 February until the year 3000. */
function canMatch({ day, month, weekday }: CronFields): boolean {
  const first = day.values[0] ?? 1;
  return !weekday.any || month.values.some((number) => first <= (DAYS_IN_MONTH[number - 1] ?? 31));
}
