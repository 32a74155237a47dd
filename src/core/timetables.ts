/** From a schedule's definition to its timetable; expressions are understood once. */
import { formatDuration } from "../model/duration.ts";
import type { Millis } from "../model/record.ts";
import type { ScheduleDefinition } from "../model/schedule.ts";
import { grid, type Timetable, within } from "../model/timetable.ts";
import { type Cron, parseCron } from "./cron.ts";

/** Expressions remembered at most; then all are forgotten. */
const MOST = 1_000;
const known = new Map<string, Cron>();

/** When a definition's ticks come. @throws SCHEDULE_INVALID for an expression or zone that this runtime does not know */
export function timetableOf(definition: ScheduleDefinition, createdAt: Millis): Timetable {
  const { cron, interval, startAt, endAt } = definition;
  if (cron !== null) return within(cronOf(cron, definition.timezone), startAt, endAt);
  // On a grid that begins at the creation the first tick comes one interval later.
  return within(grid(interval as Millis, startAt ?? createdAt), startAt ?? createdAt + 1, endAt);
}

/** A definition in words: `at 03:00 every day`, `every 5m`. */
export function wordsOf({ cron, interval, timezone }: ScheduleDefinition): string {
  return cron === null ? `every ${formatDuration(interval as Millis)}` : cronOf(cron, timezone).words;
}

function cronOf(expression: string, timezone: string): Cron {
  const name = `${timezone} ${expression}`;
  let cron = known.get(name);
  if (cron === undefined) {
    cron = parseCron(expression, timezone);
    if (known.size >= MOST) known.clear();
    known.set(name, cron);
  }
  return cron;
}
