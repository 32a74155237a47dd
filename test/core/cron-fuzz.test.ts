/** A hundred thousand random cron expressions: each has its answer, soon, and forth and back agree. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Cron, parseCron } from "../../src/core/cron.ts";
import type { Millis } from "../../src/model/record.ts";
import { Chance } from "../../src/testing/backend-contract/chance.ts";
import { countLookups } from "./cron/lookups.ts";
import { matcherOf } from "./cron/oracle.ts";
import { type Pattern, randomPattern } from "./cron/patterns.ts";

const DAY = 86_400_000;
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, at) => from + at);
const ANYTHING = {
  minutes: range(0, 59),
  hours: range(0, 23),
  days: [1, 13, 28, 29, 30, 30, 31, 31],
  months: [1, 2, 2, 2, 4, 11],
  weekdays: range(0, 7),
};

/** The next run, after it was compared with what else the expression answers. */
function agrees(cron: Cron, after: Millis, thoroughly: boolean): Millis | null {
  const what = `${cron.expression} in ${cron.timezone} after ${after}`;
  const run = cron.next(after);
  if (run !== null) assert.ok(run > after && run < after + 9 * 366 * DAY && run % 1_000 === 0, `${what}: ${run}`);
  // Croner's calendars are dear, so most expressions answer one question only.
  if (!thoroughly) return run;
  const last = cron.previous(after);
  if (run === null) assert.equal(last, null, what);
  else {
    assert.equal(cron.previous(run), run, what);
    assert.equal(cron.previous(run - 1), last, what);
    assert.ok(last === null || (last <= after && cron.next(last) === run), `${what}: ${last}`);
  }
  return run;
}

/** The first match in UTC from an instant on, second by second of the first day that has one; within nine years. */
function slowly(pattern: Pattern, from: number): number | null {
  const matches = matcherOf(pattern);
  const anyTime = matcherOf({ ...pattern, second: () => true, minute: () => true, hour: () => true });
  for (let day = Math.floor(from / DAY); day < from / DAY + 9 * 366; day++) {
    if (!anyTime(day * DAY)) continue;
    const end = (day + 1) * DAY;
    for (let time = Math.max(day * DAY, Math.ceil(from / 1_000) * 1_000); time < end; time += 1_000) {
      if (matches(time)) return time;
    }
  }
  return null;
}

describe("random cron expressions", () => {
  const ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Tehran"];

  it("each have their next run soon found, which is the previous run at that time", () => {
    const chance = new Chance(2_999);
    let nevers = 0;
    let most = 0;
    countLookups((lookups) => {
      for (let count = 0; count < 100_000; count++) {
        const { text } = randomPattern(chance, ANYTHING, 0.1, chance.often(0.2));
        const cron = parseCron(text, ZONES[count % ZONES.length]);
        const after = chance.below(2 ** 32) * 1_000 + chance.below(1_000);
        const before = lookups();
        if (agrees(cron, after, count % 8 === 0) === null) nevers++;
        most = Math.max(most, lookups() - before);
      }
    });
    assert.ok(nevers > 20 && nevers < 5_000, `${nevers} never run`);
    // Up to five questions, each of one to three lookups; a change of clocks on the way adds one or two.
    assert.ok(most >= 5 && most <= 20, `one took ${most} lookups`);
  });

  it("those in UTC run when a calendar that is walked day by day says", () => {
    const chance = new Chance(7);
    for (let count = 0; count < 1_500; count++) {
      const pattern = randomPattern(chance, ANYTHING, 0.1, chance.often(0.2));
      const after = chance.below(2 ** 32) * 1_000;
      assert.equal(parseCron(pattern.text).next(after), slowly(pattern, after + 1), `${pattern.text} after ${after}`);
    }
  });
});
