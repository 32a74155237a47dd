/**
 * From times on the wall to instants. Where clocks change, a time on the wall may come twice or never; this is the one
 * place that decides what a schedule does then.
 */
import type { Millis } from "../model/record.ts";
import { changeBetween, type Zone } from "../model/zone.ts";

/**
 * The times on the wall at which a schedule runs, each written as the instant at which a clock of UTC shows it.
 * A wall has no summer time: these are plain calendar dates.
 */
export interface WallTimes {
  /** The first at or after; null: none. */
  from(wall: Millis): Millis | null;
  /** The last at or before; null: none. */
  until(wall: Millis): Millis | null;
}

/** A schedule in a zone. */
export interface WallSchedule {
  readonly zone: Zone;
  readonly times: WallTimes;
  /**
   * Fixed times that clocks skip run once, at the first instant after the gap; those that come twice run the first time.
   * Otherwise elapsed time counts: nothing in a gap, and both passes of a repeated hour.
   */
  readonly fixed: boolean;
}

const DAY: Millis = 86_400_000;

/**
 * How far to look at once. Clocks have been set by up to a day (Samoa, 2011) and never twice within a week, so a span
 * of this length has at most one change, and the changes that matter to an instant are no farther from it.
 */
const SPAN: Millis = 4 * DAY;

/** Rounds of a search: each finds an answer, passes a change of clocks or jumps to the next match. Four is much. */
const ROUNDS = 200;

/** The first instant at or after `start` at which the schedule runs; null: none. */
export function firstFrom(schedule: WallSchedule, start: Millis): Millis | null {
  const { zone, times, fixed } = schedule;
  let from = start;
  for (let round = 0; round < ROUNDS; round++) {
    const offset = zone.offsetAt(from);
    const wall = times.from(from + offset);
    if (wall === null) return null;
    const instant = wall - offset;
    if (instant - from > SPAN) {
      // Nothing lies between, unless the clocks are about to go back and show the last hours once more.
      const same = zone.offsetAt(from + DAY) === offset;
      from = same ? instant - SPAN / 2 : changeBetween(zone, from, from + DAY);
    } else if (zone.offsetAt(instant) === offset) {
      const repeated = fixed ? repeatAt(zone, instant) : null;
      if (repeated === null) return instant;
      from = repeated.end;
    } else {
      const change = changeBetween(zone, from, instant);
      if (fixed && wall <= change + zone.offsetAt(change)) return change;
      from = change;
    }
  }
  return null;
}

/** The last instant at or before `end` at which the schedule runs; null: none. */
export function lastUntil(schedule: WallSchedule, end: Millis): Millis | null {
  const { zone, times, fixed } = schedule;
  let until = end;
  for (let round = 0; round < ROUNDS; round++) {
    const offset = zone.offsetAt(until);
    const wall = times.until(until + offset);
    if (wall === null) return null;
    const instant = wall - offset;
    if (until - instant > SPAN) {
      const same = zone.offsetAt(until - DAY) === offset;
      until = same ? instant + SPAN / 2 : changeBetween(zone, until - DAY, until) - 1;
    } else if (zone.offsetAt(instant) === offset) {
      const repeated = fixed ? repeatAt(zone, instant) : null;
      if (repeated === null) return instant;
      until = repeated.start - 1;
    } else {
      const change = changeBetween(zone, instant, until);
      if (fixed && wall >= change + zone.offsetAt(change - 1)) return change;
      until = change - 1;
    }
  }
  return null;
}

/** The second pass of repeated times on the wall that an instant lies in, if any; `end` is the first instant after it. */
function repeatAt(zone: Zone, instant: Millis): { readonly start: Millis; readonly end: Millis } | null {
  const before = zone.offsetAt(instant - DAY);
  const back = before - zone.offsetAt(instant);
  if (back <= 0) return null;
  const start = changeBetween(zone, instant - DAY, instant);
  return instant < start + back ? { start, end: start + back } : null;
}
