/** Cron expressions in words: one example of every form. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseCron } from "../../src/core/cron.ts";

const SAID: readonly (readonly [expression: string, words: string])[] = [
  ["* * * * *", "every minute"],
  ["*/15 * * * *", "every 15 minutes"],
  ["0,30 * * * *", "every 30 minutes"],
  ["*/60 * * * *", "every hour"],
  ["@hourly", "every hour"],
  ["0 */4 * * *", "every 4 hours"],
  ["0 9-17 * * *", "every hour from 09:00 to 17:00"],
  ["15 * * * *", "at minute 15 of every hour"],
  ["5,20 * * * *", "at minutes 5 and 20 of every hour"],
  ["0-10,45 * * * *", "at minutes 0 to 10 and 45 of every hour"],
  ["*/7 * * * *", "at minutes 0, 7, …, 56 of every hour"],
  ["30 9-17 * * *", "at minute 30 of every hour from 09:00 to 17:59"],
  ["*/15 9-17 * * *", "every 15 minutes from 09:00 to 17:59"],
  ["* 3 * * *", "every minute from 03:00 to 03:59"],
  ["*/5 3,5 * * *", "every 5 minutes in hours 3 and 5"],
  ["*/5 8-16/2 * * *", "every 5 minutes in hours 8, 10, 12, 14 and 16"],
  ["0 1/2 * * *", "at minute 0 of hours 1, 3, …, 23"],
  ["30 2 * * *", "at 02:30 every day"],
  ["0 6,18 * * *", "at 06:00 and 18:00 every day"],
  ["*/30 3 * * *", "at 03:00 and 03:30 every day"],
  ["15 */4 * * *", "at 00:15, 04:15, 08:15, 12:15, 16:15 and 20:15 every day"],
  ["@daily", "at 00:00 every day"],
  ["@weekly", "at 00:00 on Sunday"],
  ["0 3 * * MON", "at 03:00 on Monday"],
  ["0 22 * * 1-5", "at 22:00 from Monday to Friday"],
  ["0 22 * * 6,0", "at 22:00 on Saturday and Sunday"],
  ["0 22 * * FRI-7", "at 22:00 from Friday to Sunday"],
  ["0 22 * * 0,1,2,5", "at 22:00 on Monday, Tuesday, Friday and Sunday"],
  ["0 22 * * 0-7", "at 22:00 every day"],
  ["@monthly", "at 00:00 on day 1 of the month"],
  ["0 0 1,15 * *", "at 00:00 on days 1 and 15 of the month"],
  ["0 0 1-7 * *", "at 00:00 on days 1 to 7 of the month"],
  ["0 0 */2 * *", "at 00:00 on days 1, 3, …, 31 of the month"],
  ["0 0 1-31 * *", "at 00:00 every day"],
  ["@yearly", "at 00:00 on 1 January"],
  ["0 0 29 2 *", "at 00:00 on 29 February"],
  ["0 0 1 1,7 *", "at 00:00 on day 1 in January and July"],
  ["0 0 1,2 6-8 *", "at 00:00 on days 1 and 2 from June to August"],
  ["0 0 * 6-8 *", "at 00:00 every day from June to August"],
  ["0 0 * 12 *", "at 00:00 every day in December"],
  ["0 0 * 12 FRI", "at 00:00 on Friday in December"],
  ["0 0 13 * 5", "at 00:00 on day 13 of the month or on Friday"],
  ["0 0 13 10 5", "at 00:00 on 13 October or on Friday in October"],
  ["0 0 1-31 * 5", "at 00:00 every day"],
  ["*/15 * * * 1-5", "every 15 minutes from Monday to Friday"],
  ["*/5 8 1 4 *", "every 5 minutes from 08:00 to 08:59 on 1 April"],
  ["* * * * * *", "every second"],
  ["*/10 * * * * *", "every 10 seconds"],
  ["*/10 * 9-17 * * *", "every 10 seconds from 09:00 to 17:59"],
  ["5 * * * * *", "at second 5 of every minute"],
  ["5,6 */30 * * * *", "at seconds 5 and 6 of minutes 0 and 30 of every hour"],
  ["*/10 15 * * * *", "every 10 seconds of minute 15 of every hour"],
  ["30 0 12 * * ?", "at 12:00:30 every day"],
  ["0 0 12 * * ?", "at 12:00 every day"],
];

describe("cron expressions in words", () => {
  for (const [expression, words] of SAID) {
    it(`${expression}: ${words}`, () => assert.equal(parseCron(expression).words, words));
  }
});
