/** Timetables: the nominal instants of a schedule, looked at forwards and backwards. Nothing here knows a calendar. */
import type { Millis } from "./record.ts";

/** A strictly increasing series of instants. Both looks agree: `previous(next(t)) === next(t)`. */
export interface Timetable {
  /** The first instant after this one; null: never again. */
  next(after: Millis): Millis | null;
  /** The last instant at or before this one; null: there is none. */
  previous(atOrBefore: Millis): Millis | null;
}

/** Every `interval` ms, on a grid through `anchor`, without end in both directions. */
export function grid(interval: Millis, anchor: Millis): Timetable {
  const previous = (atOrBefore: Millis): Millis => anchor + Math.floor((atOrBefore - anchor) / interval) * interval;
  return { previous, next: (after) => previous(after) + interval };
}

/** The instants of a timetable from `first` to `last`, both included; null: no bound on that side. */
export function within(timetable: Timetable, first: Millis | null, last: Millis | null): Timetable {
  const inside = (instant: Millis | null): Millis | null =>
    instant === null || (first !== null && instant < first) || (last !== null && instant > last) ? null : instant;
  return {
    next: (after) => inside(timetable.next(first === null ? after : Math.max(after, first - 1))),
    previous: (atOrBefore) => inside(timetable.previous(last === null ? atOrBefore : Math.min(atOrBefore, last))),
  };
}
