/** When cron expressions run: known answers, the ends of time, odd instants; names of zones. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkTimezone, parseCron } from "../../src/core/cron.ts";
import { hasCode } from "../../src/model/errors.ts";
import { countLookups } from "./cron/lookups.ts";

const DAY = 86_400_000;
/** The next runs, shortened to minutes where they have no seconds. */
function runs(expression: string, zone: string, from: string, count = 1): string[] {
  const cron = parseCron(expression, zone);
  const found: string[] = [];
  for (let run = cron.next(Date.parse(from)); run !== null && found.length < count; run = cron.next(run)) {
    found.push(new Date(run).toISOString().replace(/(?::00)?\.000Z$/u, "Z"));
  }
  return found;
}

describe("the next run", () => {
  const KNOWN: readonly (readonly [expression: string, zone: string, from: string, ...runs: readonly string[]])[] = [
    ["@hourly", "UTC", "2026-05-03T12:34Z", "2026-05-03T13:00Z"],
    ["@hourly", "UTC", "2026-05-03T13:00Z", "2026-05-03T14:00Z"],
    ["@hourly", "UTC", "2026-05-03T12:59:59.999Z", "2026-05-03T13:00Z"],
    ["@weekly", "UTC", "2026-05-03T12:34Z", "2026-05-10T00:00Z"],
    ["@monthly", "UTC", "2026-05-03T12:34Z", "2026-06-01T00:00Z"],
    ["@yearly", "UTC", "2026-05-03T12:34Z", "2027-01-01T00:00Z"],
    ["0 0 29 2 *", "UTC", "2026-03-01T00:00Z", "2028-02-29T00:00Z", "2032-02-29T00:00Z"],
    ["0 0 29 2 *", "UTC", "2096-03-01T00:00Z", "2104-02-29T00:00Z"],
    ["0 0 29 2 1", "UTC", "2028-02-27T00:00Z", "2028-02-28T00:00Z", "2028-02-29T00:00Z", "2029-02-05T00:00Z"],
    ["0 0 31 * *", "UTC", "2026-01-31T00:00Z", "2026-03-31T00:00Z", "2026-05-31T00:00Z", "2026-07-31T00:00Z"],
    ["*/15 9-17 * JAN,MAR MON-FRI", "UTC", "2026-01-01T08:59Z", "2026-01-01T09:00Z", "2026-01-01T09:15Z"],
    ["*/15 9-17 * JAN,MAR MON-FRI", "UTC", "2026-01-30T17:45Z", "2026-03-02T09:00Z"],
    ["0 3 * * *", "America/New_York", "2026-01-01T07:59Z", "2026-01-01T08:00Z"],
    ["30 2 * * *", "America/New_York", "2026-03-07T12:00Z", "2026-03-08T07:00Z", "2026-03-09T06:30Z"],
    ["10,20 30 8 * * *", "Asia/Kolkata", "2026-01-01T03:00Z", "2026-01-01T03:00:10Z", "2026-01-01T03:00:20Z"],
    ["59 59 23 31 12 *", "Pacific/Kiritimati", "2026-12-31T09:59:58Z", "2026-12-31T09:59:59Z", "2027-12-31T09:59:59Z"],
    // Noronha went an hour forward on 8 October 2000 and back a week later.
    ["30 23 14 10 *", "America/Noronha", "2000-10-06T00:00Z", "2000-10-15T00:30Z"],
    ["0 0 8 10 *", "America/Noronha", "2000-10-01T00:00Z", "2000-10-08T02:00Z"],
    // Told from afar, the hour that comes twice is still there.
    ["30 23 4 11 *", "America/Sao_Paulo", "2018-02-18T01:45Z", "2018-11-05T01:30Z"],
    ["*/30 23 17 * *", "America/Sao_Paulo", "2018-02-18T01:45Z", "2018-02-18T02:00Z", "2018-02-18T02:30Z"],
  ];
  for (const [expression, zone, from, ...wanted] of KNOWN) {
    it(`of ${expression} in ${zone} after ${from}`, () => {
      assert.deepEqual(runs(expression, zone, from, wanted.length), wanted);
    });
  }

  it("is never, at once, for a day that no month has", () => {
    for (const expression of ["0 0 30 2 *", "0 0 31 2,4,6,9,11 *", "* * 30-31 FEB ?"]) {
      const cron = parseCron(expression, "Europe/Berlin");
      countLookups((count) => {
        assert.equal(cron.next(0), null);
        assert.equal(cron.previous(Infinity), null);
        assert.equal(count(), 0, expression);
        assert.notEqual(parseCron("@daily").next(0), null);
        assert.equal(count(), 1);
      });
    }
    assert.deepEqual(runs("0 0 30 2 1", "UTC", "2026-01-01T00:00Z"), ["2026-02-02T00:00Z"]);
  });

  it("is looked for from 1970 to 2999-12-30, and the last run up to there", () => {
    const last = Date.UTC(2999, 11, 30);
    for (const zone of ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"]) {
      const cron = parseCron("0 0 * * *", zone);
      const end = cron.previous(Infinity);
      assert.ok(end !== null && end > last - DAY && end < last + DAY, `${zone}: ${end}`);
      assert.equal(cron.next(end), null);
      assert.equal(cron.next(end - 1), end);
      const first = cron.next(-Infinity);
      assert.ok(first !== null && first >= 0 && first < DAY, `${zone}: ${first}`);
      assert.equal(cron.previous(first), first);
      assert.equal(cron.previous(first - 1), null);
    }
    assert.equal(parseCron("0 0 * * *").next(-1), 0);
    assert.equal(parseCron("0 0 * * *").next(-0.5), 0);
    assert.equal(parseCron("0 0 * * *").next(0), DAY);
    assert.equal(parseCron("@yearly").next(Date.UTC(2998, 0)), Date.UTC(2999, 0));
    assert.equal(parseCron("@yearly").next(Date.UTC(2999, 0)), null);
  });

  it("takes instants of any size, fractions too, and refuses what is no instant", () => {
    const cron = parseCron("* * * * *");
    assert.equal(cron.next(59_999.9), 60_000);
    assert.equal(cron.next(60_000.1), 120_000);
    assert.equal(cron.previous(60_000.9), 60_000);
    assert.equal(cron.previous(59_999.9), 0);
    for (const huge of [Infinity, 8.64e15, 8.65e15, Number.MAX_VALUE]) {
      assert.equal(cron.next(huge), null);
      assert.equal(cron.previous(huge), Date.UTC(2999, 11, 30, 23, 59));
      assert.equal(cron.next(-huge), 0);
      assert.equal(cron.previous(-huge), null);
    }
    for (const odd of [Number.NaN, undefined, null, "0", new Date(0), 5n, Symbol("now")]) {
      for (const method of ["next", "previous"] as const) {
        assert.throws(
          () => cron[method](odd as number),
          (error) => hasCode(error, "OPTION_INVALID") && error.message.startsWith(`${method}() of a cron expression`),
        );
      }
    }
  });
});

describe("time zones", () => {
  const same = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Argentina/Buenos_Aires",
    "Etc/GMT+5",
    "EST",
    "GMT",
  ];
  it("keep the name that was given, in its usual spelling where it is the runtime's own", () => {
    for (const zone of [...same, "Asia/Kolkata", "Asia/Calcutta", "Etc/UTC", "Europe/Kyiv", "US/Pacific"]) {
      assert.equal(checkTimezone(zone), zone);
      assert.equal(parseCron("@daily", zone).timezone, zone);
    }
    assert.equal(checkTimezone("europe/BERLIN"), "Europe/Berlin");
    assert.equal(checkTimezone("utc"), "UTC");
    assert.equal(parseCron("@daily").timezone, "UTC");
  });

  const refused = ["", " ", "Mars/Phobos", "+05:30", "-03", "UTC+1", "IST", "PST", "local", "SystemV/EST5", "Europe/"];
  for (const zone of [
    ...refused,
    "Etc/Unknown",
    "Europe/Berlin\u0000",
    "a".repeat(1_000),
    5,
    null,
    {},
    Symbol("UTC"),
  ]) {
    it(`refuse ${String(zone).slice(0, 20)}`, () => {
      assert.throws(
        () => checkTimezone(zone),
        (error) =>
          hasCode(error, "SCHEDULE_INVALID") && /^timezone is .*no IANA time zone.*"UTC"/su.test(error.message),
      );
      assert.throws(
        () => parseCron("@daily", zone as string),
        (error) => hasCode(error, "SCHEDULE_INVALID"),
      );
    });
  }
});
