/** Cron expressions in English, for people who look at a list of schedules. */
import type { CronField, CronFields } from "./cron-fields.ts";

const WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(" ");
const MONTHS = "January February March April May June July August September October November December".split(" ");

/** More times of day than this are said by their rule instead of one by one. */
const MOST_TIMES = 6;

/** Such as `every 15 minutes from 09:00 to 17:59 from Monday to Friday`, or `at 03:00 on Monday`. */
export function wordsOf(fields: CronFields): string {
  const date = dateOf(fields);
  const times = timesOfDay(fields);
  if (times === undefined) return joined(timeOf(fields), date);
  return joined(`at ${anded(times)}`, date === "" ? "every day" : date);
}

/** The times one by one, unless they are too many or make a rule that is shorter to say. */
function timesOfDay({ second, minute, hour }: CronFields): readonly string[] | undefined {
  const count = second.values.length * minute.values.length * hour.values.length;
  if (count > MOST_TIMES || (onHour(second, minute) && stepOf(hour, 24) !== undefined)) return undefined;
  return hour.values.flatMap((h) =>
    minute.values.flatMap((m) =>
      second.values.map((s) => (isZero(second) ? [h, m] : [h, m, s]).map(twoDigits).join(":")),
    ),
  );
}

function timeOf({ second, minute, hour }: CronFields): string {
  const hours = stepOf(hour, 24);
  if (onHour(second, minute)) {
    if (hours !== undefined) return every(hours, "hour");
    const span = spanOf(hour);
    if (span !== undefined) return `every hour from ${twoDigits(span.first)}:00 to ${twoDigits(span.last)}:00`;
  }
  const minutes = stepOf(minute, 60);
  if (isZero(second)) {
    return minutes === undefined
      ? joined(`at ${numbered("minute", minute)}`, ofHours(hour))
      : joined(every(minutes, "minute"), inHours(hour));
  }
  const seconds = stepOf(second, 60);
  const start = seconds === undefined ? `at ${numbered("second", second)}` : every(seconds, "second");
  if (minutes === 1) return joined(start, seconds === undefined ? "of every minute" : "", inHours(hour));
  return joined(start, `of ${numbered("minute", minute)}`, ofHours(hour));
}

/** After something that goes on all the time. */
function inHours(hour: CronField): string {
  if (stepOf(hour, 24) === 1) return "";
  const span = spanOf(hour);
  if (span === undefined) return `in ${numbered("hour", hour)}`;
  return `from ${twoDigits(span.first)}:00 to ${twoDigits(span.last)}:59`;
}

/** After something that comes in some minutes of an hour. */
function ofHours(hour: CronField): string {
  const within = inHours(hour);
  return within.startsWith("in ") ? `of ${numbered("hour", hour)}` : joined("of every hour", within);
}

function dateOf({ day, month, weekday }: CronFields): string {
  const allDays = day.values.length === 31;
  const allWeekdays = weekday.values.length === 7;
  const within = monthsOf(month);
  // With both restricted either is enough, so one that has every day makes the other one moot.
  if ((allDays && allWeekdays) || (!day.any && !weekday.any && (allDays || allWeekdays))) {
    return within === "" ? "" : `every day ${within}`;
  }
  if (allDays) return joined(weekdaysOf(weekday), within);
  const single = day.values.length === 1 && month.values.length === 1;
  const onDays = single
    ? `on ${day.values[0]} ${MONTHS[(month.values[0] ?? 1) - 1]}`
    : joined(`on ${numbered("day", day)}`, within === "" ? "of the month" : within);
  return allWeekdays ? onDays : joined(onDays, "or", weekdaysOf(weekday), within);
}

function monthsOf({ values }: CronField): string {
  if (values.length === 12) return "";
  const parts = spoken(values, (value) => MONTHS[value - 1] ?? "");
  return parts.length === 1 && values.length > 1 ? `from ${parts[0]}` : `in ${anded(parts)}`;
}

function weekdaysOf({ values }: CronField): string {
  const fromMonday = values.map((value) => (value + 6) % 7).sort((a, b) => a - b);
  const parts = spoken(fromMonday, (value) => WEEKDAYS[value] ?? "");
  return parts.length === 1 && fromMonday.length > 1 ? `from ${parts[0]}` : `on ${anded(parts)}`;
}

function every(step: number, unit: string): string {
  return step === 1 ? `every ${unit}` : `every ${step} ${unit}s`;
}

function numbered(unit: string, { values }: CronField): string {
  return `${unit}${values.length === 1 ? "" : "s"} ${anded(spoken(values, String))}`;
}

/** Three neighbours or more become `a to b`; a long series of equal steps is said by its beginning and end. */
function spoken(values: readonly number[], say: (value: number) => string): readonly string[] {
  const [first = 0, second = 0] = values;
  const last = values.at(-1) ?? 0;
  const step = second - first;
  if (values.length > MOST_TIMES && step > 1 && values.every((value, at) => value === first + at * step)) {
    return [`${say(first)}, ${say(second)}, …, ${say(last)}`];
  }
  const parts: string[] = [];
  for (let at = 0; at < values.length; ) {
    let end = at;
    while (values[end + 1] === (values[end] ?? 0) + 1) end++;
    if (end - at < 2) end = at;
    const text = say(values[at] ?? 0);
    parts.push(end === at ? text : `${text} to ${say(values[end] ?? 0)}`);
    at = end + 1;
  }
  return parts;
}

/** The step of values that go evenly around the clock from 0. */
function stepOf({ values }: CronField, size: number): number | undefined {
  const step = size / values.length;
  return values.every((value, at) => value === at * step) && values.length > 1 ? step : undefined;
}

function spanOf({ values }: CronField): { readonly first: number; readonly last: number } | undefined {
  const [first = 0] = values;
  return values.every((value, at) => value === first + at) ? { first, last: values.at(-1) ?? first } : undefined;
}

function onHour(second: CronField, minute: CronField): boolean {
  return isZero(second) && isZero(minute);
}

function isZero({ values }: CronField): boolean {
  return values.length === 1 && values[0] === 0;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}

function anded(parts: readonly string[]): string {
  const last = parts.at(-1) ?? "";
  return parts.length < 2 ? last : `${parts.slice(0, -1).join(", ")} and ${last}`;
}

function joined(...parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join(" ");
}
