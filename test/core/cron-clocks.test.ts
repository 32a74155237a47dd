/**
 * Cron expressions where clocks change, against a walk through real time: real zones and years, every time of day, and
 * random expressions around the change.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Cron, parseCron } from "../../src/core/cron.ts";
import type { Millis } from "../../src/model/record.ts";
import { Chance } from "../../src/testing/backend-contract/chance.ts";
import { changesOf, runsOf, type Timeline, timeline } from "./cron/oracle.ts";
import { exactly, type Near, type Pattern, pattern, randomPattern, star, stepped } from "./cron/patterns.ts";

const MINUTE: Millis = 60_000;
const HOUR: Millis = 3_600_000;
const DAY: Millis = 86_400_000;

/** Changes that all runtimes' tables agree on: by how much the wall jumps, in minutes. */
const CHANGES: readonly (readonly [zone: string, at: string, jump: number])[] = [
  ["America/New_York", "2024-03-10T07:00Z", 60],
  ["America/New_York", "2024-11-03T06:00Z", -60],
  ["Australia/Lord_Howe", "2024-04-06T15:00Z", -30],
  ["Australia/Lord_Howe", "2024-10-05T15:30Z", 30],
  ["Africa/Cairo", "2023-04-27T22:00Z", 60],
  ["Africa/Cairo", "2023-10-26T21:00Z", -60],
  ["Pacific/Apia", "2011-12-30T10:00Z", 24 * 60],
  ["Pacific/Apia", "2012-03-31T14:00Z", -60],
  ["America/Santiago", "2023-04-02T03:00Z", -60],
  ["America/Santiago", "2023-09-03T04:00Z", 60],
  ["Europe/Berlin", "2024-03-31T01:00Z", 60],
  ["Europe/Berlin", "2024-10-27T01:00Z", -60],
  ["Europe/London", "2024-03-31T01:00Z", 60],
  ["Europe/London", "2024-10-27T01:00Z", -60],
  ["Asia/Kolkata", "2024-06-01T00:00Z", 0],
  ["Asia/Tehran", "2021-03-21T20:30Z", 60],
  ["Asia/Tehran", "2021-09-21T19:30Z", -60],
  ["Pacific/Chatham", "2024-04-06T14:00Z", -60],
  ["Pacific/Chatham", "2024-09-28T14:00Z", 60],
  ["America/Sao_Paulo", "2018-02-18T02:00Z", -60],
  ["America/Sao_Paulo", "2018-11-04T03:00Z", 60],
  ["Africa/Casablanca", "2024-03-10T02:00Z", -60],
  ["Africa/Casablanca", "2024-04-14T02:00Z", 60],
  ["Antarctica/Troll", "2024-03-31T01:00Z", 120],
  ["Antarctica/Troll", "2024-10-27T01:00Z", -120],
  ["Antarctica/Casey", "2010-03-04T15:00Z", -180],
  ["America/Caracas", "2016-05-01T07:00Z", 30],
  ["Pacific/Kwajalein", "1993-08-21T12:00Z", 24 * 60],
  ["UTC", "2024-03-01T00:00Z", 0],
];

/** Runs on either side of the change that are compared; of expressions that run more often, the rest tells nothing new. */
const MANY = 120;

/** All answers of `next` and of `previous` around the change are those of the walk. */
function compare(cron: Cron, runs: readonly Millis[], { start, step, walls }: Timeline, change: Millis): void {
  const after = runs.findIndex((run) => run > change);
  const middle = after < 0 ? runs.length : after;
  const wanted = runs.slice(Math.max(0, middle - MANY), middle + MANY);
  const first = middle > MANY ? (runs[middle - MANY - 1] ?? start) : start;
  const last = middle + MANY < runs.length ? (wanted.at(-1) ?? start) : start + (walls.length - 1) * step;
  const what = `${cron.expression} in ${cron.timezone}`;
  const forward: Millis[] = [];
  for (let run = cron.next(first); run !== null && run <= last; run = cron.next(run)) {
    if (run <= (forward.at(-1) ?? first)) assert.fail(`${what}: next went from ${forward.at(-1)} to ${run}`);
    forward.push(run);
  }
  same(forward, wanted, `next of ${what}`);
  const backward: Millis[] = [];
  for (let run = cron.previous(last); run !== null && run > first; run = cron.previous(run - 1)) backward.push(run);
  same(backward.reverse(), wanted, `previous of ${what}`);
}

function same(actual: readonly Millis[], wanted: readonly Millis[], what: string): void {
  if (actual.length === wanted.length && actual.every((run, at) => run === wanted[at])) return;
  const said = (runs: readonly Millis[], others: readonly Millis[]): string[] =>
    runs.filter((run) => !others.includes(run)).map((run) => new Date(run).toISOString());
  assert.deepEqual({ extra: said(actual, wanted), missing: said(wanted, actual) }, { extra: [], missing: [] }, what);
  assert.deepEqual(actual, wanted, what);
}

/** `next` and `previous` from instants that are no runs. */
function probe(cron: Cron, wanted: readonly Millis[], { start, step, walls }: Timeline, chance: Chance): void {
  const [first, last] = [wanted[0] ?? 0, wanted.at(-1) ?? 0];
  for (let count = 0; count < 12; count++) {
    const instant = start + chance.below((walls.length - 1) * step);
    const what = `${cron.expression} in ${cron.timezone} at ${new Date(instant).toISOString()}`;
    if (instant < last)
      assert.equal(
        cron.next(instant),
        wanted.find((run) => run > instant),
        `next of ${what}`,
      );
    if (instant >= first && wanted.length > 0) {
      assert.equal(
        cron.previous(instant),
        wanted.findLast((run) => run <= instant),
        `previous of ${what}`,
      );
    }
  }
}

/** The values that the wall shows around a change. */
function nearChange({ start, step, walls }: Timeline, change: Millis): Near {
  const at = Math.round((change - start) / step);
  const dates = [-120, -30, -1, 0, 30, 120].map((offset) => new Date(walls[at + (offset * MINUTE) / step] ?? 0));
  const skipped = [...dates, ...dates.map((date) => new Date(date.getTime() + 12 * HOUR))];
  return {
    minutes: [0, 1, 15, 29, 30, 31, 45, 59],
    hours: [...dates, new Date((walls[at - 1] ?? 0) + 30 * MINUTE)].map((date) => date.getUTCHours()),
    days: skipped.map((date) => date.getUTCDate()),
    weekdays: skipped.map((date) => date.getUTCDay()),
    months: dates.map((date) => date.getUTCMonth() + 1),
  };
}

describe("where clocks change, cron expressions run as a walk through real time says", () => {
  for (const [zone, at, jump] of CHANGES) {
    const change = Date.parse(at);
    const minutes = timeline(zone, change - 2 * DAY, change + 2 * DAY, MINUTE);

    it(`${zone} ${at} (${jump} min)`, () => {
      assert.deepEqual(changesOf(minutes), jump === 0 ? [] : [change], "the runtime's tables have another change");
      const chance = new Chance(change / MINUTE);
      const near = nearChange(minutes, change);
      const close = new Set(near.hours.flatMap((hour) => [hour, (hour + 23) % 24, (hour + 1) % 24]));
      for (let time = 0; time < 24 * 60; time++) {
        if (!close.has(Math.floor(time / 60)) && time % 7 !== 0) continue;
        const daily = pattern({ minute: exactly(time % 60), hour: exactly(Math.floor(time / 60)) });
        compare(parseCron(daily.text, zone), runsOf(daily, minutes), minutes, change);
      }
      const hourly = [0, 29, 30, 59].map((minute) => pattern({ minute: exactly(minute), hour: star }));
      const wild: readonly Pattern[] = [
        ...hourly,
        pattern({ minute: stepped(15), hour: star }),
        pattern({ minute: exactly(30), hour: stepped(2) }),
        pattern({ minute: stepped(30), hour: exactly(near.hours[2] ?? 0) }),
        ...Array.from({ length: 200 }, () => randomPattern(chance, near, 0.03)),
      ];
      for (const one of wild) {
        const cron = parseCron(one.text, zone);
        const wanted = runsOf(one, minutes);
        compare(cron, wanted, minutes, change);
        probe(cron, wanted, minutes, chance);
      }
    });

    it(`${zone} ${at}: expressions with seconds`, () => {
      const seconds = timeline(zone, change - HOUR, change + 2.25 * HOUR, 1_000);
      const chance = new Chance(change / MINUTE + 1);
      const near = nearChange(seconds, change);
      for (let count = 0; count < 30; count++) {
        const one = randomPattern(chance, near, 0.02, true);
        compare(parseCron(one.text, zone), runsOf(one, seconds), seconds, change);
      }
    });
  }
});
