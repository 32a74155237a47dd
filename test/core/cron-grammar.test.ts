/** What cron expressions may be: every construct with what it means, and every refusal with the part that it names. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseCron } from "../../src/core/cron.ts";
import { type CronFields, parseFields } from "../../src/core/cron-fields.ts";
import { hasCode, SiderealError } from "../../src/model/errors.ts";
import { Chance } from "../../src/testing/backend-contract/chance.ts";
import { randomPattern } from "./cron/patterns.ts";

type Values = Readonly<Partial<Record<Exclude<keyof CronFields, "expression">, readonly number[]>>>;

const range = (from: number, to: number, step = 1): number[] =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, at) => from + at * step);

const ALL: Required<Values> = {
  second: [0],
  minute: range(0, 59),
  hour: range(0, 23),
  day: range(1, 31),
  month: range(1, 12),
  weekday: range(0, 6),
};

/** Fields that are left out take everything; the second is 0. */
const TAKEN: readonly (readonly [expression: string, values: Values])[] = [
  ["* * * * *", {}],
  ["5 4 3 2 1", { minute: [5], hour: [4], day: [3], month: [2], weekday: [1] }],
  ["05 004 3 2 1", { minute: [5], hour: [4], day: [3], month: [2], weekday: [1] }],
  ["59 23 31 12 6", { minute: [59], hour: [23], day: [31], month: [12], weekday: [6] }],
  ["3,1,2,1 * * * *", { minute: [1, 2, 3] }],
  ["10-12 * * * *", { minute: [10, 11, 12] }],
  ["7-7 * * * *", { minute: [7] }],
  ["*/15 * * * *", { minute: [0, 15, 30, 45] }],
  ["*/7 * * * *", { minute: range(0, 56, 7) }],
  ["*/100 * * * *", { minute: [0] }],
  ["10-30/10 * * * *", { minute: [10, 20, 30] }],
  ["50/4 * * * *", { minute: [50, 54, 58] }],
  ["0/20,5-6,59 * * * *", { minute: [0, 5, 6, 20, 40, 59] }],
  ["*,5 * * * *", {}],
  ["* * */10 */5 *", { day: [1, 11, 21, 31], month: [1, 6, 11] }],
  ["* * 5/10 10/1 *", { day: [5, 15, 25], month: [10, 11, 12] }],
  ["* * * JUL WED", { month: [7], weekday: [3] }],
  ["* * * jan,Dec,mAR sun,SAT", { month: [1, 3, 12], weekday: [0, 6] }],
  ["* * * FEB-APR MON-FRI", { month: [2, 3, 4], weekday: [1, 2, 3, 4, 5] }],
  ["* * * FEB-11/3 2-THU/2", { month: [2, 5, 8, 11], weekday: [2, 4] }],
  ["* * * * 0", { weekday: [0] }],
  ["* * * * 7", { weekday: [0] }],
  ["* * * * FRI-7", { weekday: [0, 5, 6] }],
  ["* * * * 0-7", {}],
  ["* * * * */2", { weekday: [0, 2, 4, 6] }],
  ["* * * * 5/1", { weekday: [0, 5, 6] }],
  ["0 0 ? * MON", { minute: [0], hour: [0], weekday: [1] }],
  ["0 0 1 * ?", { minute: [0], hour: [0], day: [1] }],
  ["0 0 ? * *", { minute: [0], hour: [0] }],
  ["*/10 30 12 * * ?", { second: range(0, 50, 10), minute: [30], hour: [12] }],
  ["* * * * * *", { second: range(0, 59) }],
  [" \t5  4\t* * * \n", { minute: [5], hour: [4] }],
  ["@yearly", { minute: [0], hour: [0], day: [1], month: [1] }],
  ["@Annually", { minute: [0], hour: [0], day: [1], month: [1] }],
  ["@monthly", { minute: [0], hour: [0], day: [1] }],
  ["@WEEKLY", { minute: [0], hour: [0], weekday: [0] }],
  ["@daily", { minute: [0], hour: [0] }],
  ["@midnight", { minute: [0], hour: [0] }],
  ["@hourly", { minute: [0] }],
];

/** What the message says besides the expression itself. */
const REFUSED: readonly (readonly [expression: unknown, ...says: readonly string[]])[] = [
  ["", "it is empty"],
  [" \t ", "it is empty"],
  ["* * * *", "4 of the five fields minute, hour, day of month, month, weekday"],
  ["5", "1 of the five fields"],
  ["* * * * * * *", "7 fields", "years are not supported"],
  ["0 0 0 1 1 ? 2030", "7 fields", "years are not supported"],
  ["@reboot", "@reboot names no time", "@daily"],
  ["@REBOOT", "@reboot names no time"],
  ["@every 5m", "no alias", "@yearly @annually @monthly @weekly @daily @midnight @hourly"],
  ["@daily *", "no alias"],
  ["@", "no alias"],
  ["60 * * * *", 'the minute is "60"', "out of range", "0 to 59"],
  ["* 24 * * *", 'the hour is "24"', "out of range", "0 to 23"],
  ["* * 0 * *", 'the day of month is "0"', "out of range", "1 to 31"],
  ["* * 32 * *", 'the day of month is "32"', "out of range"],
  ["* * * 0 *", 'the month is "0"', "out of range", "1 to 12, JAN to DEC"],
  ["* * * 13 *", 'the month is "13"', "out of range"],
  ["* * * * 8", 'the weekday is "8"', "out of range", "0 to 7, SUN to SAT"],
  ["60 * * * * *", 'the second is "60"', "out of range"],
  ["1,2,99 * * * *", 'the minute is "99" of "1,2,99"', "out of range"],
  ["99999999999999999999 * * * *", "the minute is", "out of range"],
  ["50-70 * * * *", 'the minute is "50-70"', '"70" is out of range'],
  ["-1 * * * *", 'the minute is "-1"', "cannot be understood"],
  ["1.5 * * * *", 'the minute is "1.5"', "cannot be understood"],
  ["1e1 * * * *", 'the minute is "1E1"', "not known"],
  ["0x5 * * * *", 'the minute is "0X5"', "not known"],
  ["5-2 * * * *", 'the minute is "5-2"', "runs backwards"],
  ["* 22-2/2 * * *", 'the hour is "22-2/2"', "runs backwards"],
  ["* * * * FRI-SUN", 'the weekday is "FRI-SUN"', "runs backwards", "Sunday that ends a range is 7"],
  ["* * * NOV-FEB *", 'the month is "NOV-FEB"', "runs backwards"],
  ["1,,2 * * * *", 'the minute is "" of "1,,2"', "is empty"],
  [",1 * * * *", "of the list is empty"],
  ["1, * * * *", "of the list is empty"],
  ["*/0 * * * *", 'the minute is "*/0"', "1 or more"],
  ["* 3/00 * * *", 'the hour is "3/00"', "1 or more"],
  ["*/ * * * *", "cannot be understood"],
  ["/5 * * * *", "cannot be understood"],
  ["*/-5 * * * *", "cannot be understood"],
  ["*/MON * * * *", "cannot be understood"],
  ["*-5 * * * *", "cannot be understood"],
  ["5-* * * * *", "cannot be understood"],
  ["1-2-3 * * * *", "cannot be understood"],
  ["*/2/3 * * * *", "cannot be understood"],
  ["** * * * *", "cannot be understood"],
  ["*5 * * * *", "cannot be understood"],
  ["JAN * * * *", 'the minute is "JAN"', "not known"],
  ["* * * MON *", 'the month is "MON"', "not known"],
  ["* * * * JAN", 'the weekday is "JAN"', "not known"],
  ["* * * JANUARY *", 'the month is "JANUARY"', "not known"],
  ["* * * * MONDAY", 'the weekday is "MONDAY"', "not known"],
  ["* * * * constructor", "not known"],
  ["* * ? * ?", "? is in the day of month and in the weekday"],
  ["? * * * *", 'the minute is "?"', "only alone"],
  ["* * ?/2 * *", 'the day of month is "?/2"', "only alone"],
  ["* * ?,1 * *", 'the day of month is "?" of "?,1"', "only alone"],
  ["* * * ? *", 'the month is "?"', "only alone"],
  ["* * L * *", 'the day of month is "L"', "L (the last day)"],
  ["* * l-3 * *", 'the day of month is "L-3"', "L (the last day)"],
  ["* * 1,L * *", 'the day of month is "L" of "1,L"', "L (the last day)"],
  ["* * * * 5L", 'the weekday is "5L"', "L (the last day)"],
  ["* * * * friL", 'the weekday is "FRIL"', "L (the last day)"],
  ["* * * * L", 'the weekday is "L"', "L (the last day)"],
  ["* * 15W * *", 'the day of month is "15W"', "W (the nearest working day)"],
  ["* * LW * *", 'the day of month is "LW"', "W (the nearest working day)"],
  ["* * W * *", 'the day of month is "W"', "W (the nearest working day)"],
  ["* * * * 2#1", 'the weekday is "2#1"', "# (the nth weekday of a month)"],
  ["* * * * MON#L", 'the weekday is "MON#L"', "# (the nth weekday of a month)"],
  ["* * 1 * +1", 'the weekday is "+1"', "+ (both day fields must match)"],
  ["H * * * *", 'the minute is "H"', "H (a hashed value)"],
  ["H(0-29)/10 * * * *", "H (a hashed value)"],
  ["0~30 * * * *", 'the minute is "0~30"', "~ (a random value)"],
  ["* * * * !5", "cannot be understood"],
  ["0 0 * * *; reboot", "cannot be understood"],
  ["0 0 * *\n*", "the character U+000A"],
  ["0\u00000 * * *", "the character U+0000"],
  ["0 0 * * ١", "the character U+0661"],
  ["0 0 * *\u00a0*", "the character U+00A0"],
  ["0 0 * * \u{1f600}", "the character U+1F600"],
  ["0 0 * * \ud800", "the character U+D800"],
  ["2026-01-01T00:00:00", "1 of the five fields"],
  [`${"1,".repeat(100)}1 * * * *`, "characters, and 200 are allowed"],
  [" ".repeat(201), "201 characters, and 200 are allowed"],
  [undefined, "undefined, which is not text"],
  [null, "null, which is not text"],
  [5, "5, which is not text"],
  [new Date(0), "which is not text"],
  [["* * * * *"], "which is not text"],
  [Symbol("cron"), "which is not text"],
];

describe("cron expressions", () => {
  for (const [expression, values] of TAKEN) {
    it(`takes ${JSON.stringify(expression)}`, () => {
      const fields = parseFields(expression);
      const found = Object.fromEntries(Object.keys(ALL).map((key) => [key, fields[key as keyof Values].values]));
      assert.deepEqual(found, { ...ALL, ...values });
      assert.equal(parseCron(expression).expression, expression.trim());
      assert.notEqual(parseCron(expression).next(0), null);
    });
  }

  for (const [expression, ...says] of REFUSED) {
    const shown = String(JSON.stringify(expression)).slice(0, 40);
    it(`refuses ${shown}: ${says.join(", ")}`, () => {
      assert.throws(
        () => parseCron(expression as string),
        (error) => {
          assert.ok(hasCode(error, "SCHEDULE_INVALID"), String(error));
          assert.match(error.message, /^Cron expression /u);
          for (const said of says) assert.ok(error.message.includes(said), `${error.message}\ndoes not say: ${said}`);
          assert.ok(error.message.length < 400, error.message);
          return true;
        },
      );
    });
  }

  it("takes 200 characters", () => {
    assert.equal(parseCron(`${"1,".repeat(95)}10 * * * *`).expression.length, 200);
    assert.throws(() => parseCron(`${"1,".repeat(95)}100 * * * *`), /201 characters/u);
  });

  it("a day field is restricted unless it is * or ?; two restricted ones match either", () => {
    const days = (expression: string): number[] => {
      const cron = parseCron(expression);
      const found: number[] = [];
      let run = cron.next(Date.UTC(2026, 5, 1) - 1);
      for (; run !== null && run < Date.UTC(2026, 6, 1); run = cron.next(run)) found.push(new Date(run).getUTCDate());
      return found;
    };
    // June 2026 begins on a Monday.
    assert.deepEqual(days("0 0 3 * MON"), [1, 3, 8, 15, 22, 29]);
    assert.deepEqual(days("0 0 3 * *"), [3]);
    assert.deepEqual(days("0 0 3 * ?"), [3]);
    assert.deepEqual(days("0 0 * * MON"), [1, 8, 15, 22, 29]);
    assert.deepEqual(days("0 0 ? * MON"), [1, 8, 15, 22, 29]);
    assert.deepEqual(days("0 0 */10 * MON"), [1, 8, 11, 15, 21, 22, 29]);
    assert.deepEqual(days("0 0 1-31 * MON"), range(1, 30));
    assert.deepEqual(days("0 0 3 * 0-7"), range(1, 30));
    assert.deepEqual(
      days("0 0 3 * */3"),
      [3, 6, 7, 10, 13, 14, 17, 20, 21, 24, 27, 28].sort((a, b) => a - b),
    );
  });

  it("whatever the text, it is taken or refused as SCHEDULE_INVALID", () => {
    const chance = new Chance(1970);
    const everything = { minutes: range(0, 59), hours: range(0, 23), days: range(1, 31), months: range(1, 12) };
    const near = { ...everything, weekdays: range(0, 7) };
    const bits = [..."0123456789*/-,?LW#+@ \t", "MON", "jul", "@daily", "60", "99", "**", "\u0000", "ß", "ſ", "ı", "K"];
    let taken = 0;
    for (let count = 0; count < 20_000; count++) {
      const text = [...randomPattern(chance, near, 0.2, chance.often(0.3)).text];
      for (let changes = chance.below(4); changes > 0; changes--) {
        text.splice(chance.below(text.length + 1), chance.below(3), ...chance.some(bits, chance.below(3)));
      }
      const expression = text.join("");
      try {
        parseCron(expression);
        taken++;
      } catch (error) {
        assert.ok(error instanceof SiderealError && error.code === "SCHEDULE_INVALID", `${expression}: ${error}`);
      }
    }
    assert.ok(taken > 4_000 && taken < 16_000, `${taken} taken: the texts are too good or too bad to tell`);
  });
});
