/**
 * The rule for changing clocks once more, as slowly and plainly as it can be said: walk through real time step by step,
 * look at the clock on the wall, and remember what it has shown. Shares nothing with the code that it judges.
 */
import type { Millis } from "../../../src/model/record.ts";
import type { Pattern } from "./patterns.ts";

/** What the clocks of a zone show at each step of a span of real time. */
export interface Timeline {
  readonly start: Millis;
  readonly step: Millis;
  /** Time on the wall at each step, written as if it were UTC. */
  readonly walls: Float64Array;
}

/** Reads the wall from the parts of a formatted date; the step is a minute or a second, and the start a whole one. */
export function timeline(zone: string, start: Millis, end: Millis, step: Millis): Timeline {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  const walls = new Float64Array((end - start) / step + 1);
  for (let at = 0; at < walls.length; at++) {
    const part: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(start + at * step)) part[type] = Number(value);
    const { year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0 } = part;
    walls[at] = Date.UTC(year, month - 1, day, hour, minute, second);
  }
  return { start, step, walls };
}

/** Where the wall does not go on by one step. */
export function changesOf({ start, step, walls }: Timeline): Millis[] {
  const found: Millis[] = [];
  for (let at = 1; at < walls.length; at++) {
    if (walls[at] !== (walls[at - 1] ?? 0) + step) found.push(start + at * step);
  }
  return found;
}

/** All instants of the timeline, but for its first, at which the pattern runs. */
export function runsOf(pattern: Pattern, { start, step, walls }: Timeline): Millis[] {
  const matches = matcherOf(pattern);
  const runs: Millis[] = [];
  let shown = walls[0] ?? 0;
  for (let at = 1; at < walls.length; at++) {
    const wall = walls[at] ?? 0;
    let run = false;
    if (!pattern.fixed) run = matches(wall);
    // A fixed time runs when the wall first shows it or, if it is skipped, something later.
    else for (; shown < wall; shown += step) run = matches(shown + step) || run;
    if (run) runs.push(start + at * step);
  }
  return runs;
}

/** Whether a pattern has a time on the wall; days are looked up once. */
export function matcherOf({ second, minute, hour, day, month, weekday, either }: Pattern): (wall: Millis) => boolean {
  const hours = Array.from({ length: 24 }, (_, value) => hour(value));
  const minutes = Array.from({ length: 60 }, (_, value) => minute(value));
  const seconds = Array.from({ length: 60 }, (_, value) => second(value));
  const days = new Map<number, boolean>();
  const hasDay = (number: number): boolean => {
    const date = new Date(number * 86_400_000);
    const inMonth = day(date.getUTCDate());
    const inWeek = weekday(date.getUTCDay());
    return month(date.getUTCMonth() + 1) && (either ? inMonth || inWeek : inMonth && inWeek);
  };
  return (wall) => {
    const number = Math.floor(wall / 86_400_000);
    const seconds_ = (wall - number * 86_400_000) / 1_000;
    if (!hours[Math.floor(seconds_ / 3_600)] || !minutes[Math.floor(seconds_ / 60) % 60] || !seconds[seconds_ % 60]) {
      return false;
    }
    const known = days.get(number) ?? hasDay(number);
    days.set(number, known);
    return known;
  };
}
