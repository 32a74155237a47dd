/** What clocks show in a zone, whatever was asked before: spans that are remembered must not reach over a change. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { changeBetween, zoneNamed } from "../../src/model/zone.ts";
import { Chance } from "../../src/testing/backend-contract/chance.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** The offset by way of a whole date, which is another road through the runtime than the one under test. */
function plainly(zone: string): (instant: number) => number {
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
  return (instant) => {
    const [month = 0, day = 0, year = 0, hour = 0, minute = 0, second = 0] = (
      format.format(instant).match(/\d+/gu) ?? []
    ).map(Number);
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(instant / 1_000) * 1_000;
  };
}

describe("a zone's offset", () => {
  // Changes a week apart (Noronha), clocks that are behind by odd seconds (Monrovia), a skipped day (Apia).
  const zones = [
    ["America/Noronha", "2000-10-15T00:00Z"],
    ["America/Noronha", "2000-10-08T00:00Z"],
    ["Africa/Monrovia", "1972-01-07T00:00Z"],
    ["Pacific/Apia", "2011-12-30T10:00Z"],
    ["Africa/Casablanca", "2024-03-10T02:00Z"],
    ["Australia/Lord_Howe", "2024-10-05T15:30Z"],
    ["Europe/Berlin", "2500-03-28T01:00Z"],
    ["UTC", "2024-01-01T00:00Z"],
  ] as const;
  for (const [name, around] of zones) {
    it(`is that of its clocks, in ${name} around ${around}`, () => {
      const zone = zoneNamed(name);
      const plain = plainly(name);
      const chance = new Chance(Date.parse(around));
      for (let count = 0; count < 4_000; count++) {
        const far = chance.pick([HOUR, 4 * DAY, 40 * DAY, 4_000 * DAY]);
        const instant = Date.parse(around) + chance.below(2 * far) - far;
        assert.equal(zone.offsetAt(instant), plain(instant), new Date(instant).toISOString());
      }
    });
  }

  it("changes at an instant that is found to the second", () => {
    const changes = [
      ["Europe/Berlin", "2024-03-31T01:00:00Z"],
      ["Pacific/Apia", "2011-12-30T10:00:00Z"],
      ["Africa/Monrovia", "1972-01-07T00:44:30Z"],
    ] as const;
    for (const [name, at] of changes) {
      const change = Date.parse(at);
      for (const [before, after] of [
        [2 * DAY, 2 * DAY],
        [1, 0],
        [1, 1],
        [1_000, 0.5],
        [3 * DAY + 7, 1],
        [0.25, 3 * DAY],
      ] as const) {
        assert.equal(changeBetween(zoneNamed(name), change - before, change + after), change, `${name} ${before}`);
      }
    }
  });

  it("is the same whatever the case of the name", () => {
    const july = Date.UTC(2024, 6, 1);
    for (const name of ["Europe/Berlin", "EUROPE/berlin"]) assert.equal(zoneNamed(name).offsetAt(july), 2 * HOUR);
    assert.equal(zoneNamed("Asia/Kolkata").offsetAt(july), zoneNamed("Asia/Calcutta").offsetAt(july));
  });
});
