/** docs/schedules.md against the code: what happens where clocks change, the aliases, and the examples in its text. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Cron, parseCron } from "../../src/core/cron.ts";
import { parseFields } from "../../src/core/cron-fields.ts";
import { zoneNamed } from "../../src/model/zone.ts";
import { readDocument } from "./markdown.ts";

const text = readDocument("docs/schedules.md");
const rows = [...text.matchAll(/^\| `(\w+\/\w+)` \| `([^`]+)` \| (\d{4}-\d\d-\d\d) \| ([^|]+) \|$/gmu)];

/** Runs of one local day as local times with their offsets. */
function runsOn(day: string, cron: Cron): string[] {
  const zone = zoneNamed(cron.timezone);
  const from = Date.parse(day) - 86_400_000;
  const found: string[] = [];
  for (let run = cron.next(from); run !== null && run < from + 3 * 86_400_000; run = cron.next(run)) {
    const offset = zone.offsetAt(run);
    const local = new Date(run + offset).toISOString();
    const sign = offset < 0 ? "-" : "+";
    if (local.startsWith(day)) {
      found.push(`${local.slice(11, 16)}${sign}${new Date(Math.abs(offset)).toISOString().slice(11, 16)}`);
    }
  }
  return found;
}

describe("docs/schedules.md", () => {
  it("has a table of what happens where clocks change", () => assert.ok(rows.length >= 15, `${rows.length} rows`));

  for (const [, zone = "", expression = "", day = "", said = ""] of rows) {
    it(`${expression} in ${zone} on ${day}: ${said}`, () => {
      const runs = runsOn(day, parseCron(expression, zone));
      const wanted = said === "none" ? [] : said.replace(/ …$/u, "").split(", ");
      assert.deepEqual(said.endsWith("…") ? runs.slice(0, wanted.length) : runs, wanted);
      if (said.endsWith("…")) assert.ok(runs.length > wanted.length, "there are no more");
    });
  }

  it("has every alias with what it stands for", () => {
    const cells = [...text.matchAll(/\| (`@[^|]+`) \| `([^`]+)` (?=\|)/gmu)];
    const listed = cells.flatMap(([, names = "", meaning = ""]) =>
      [...names.matchAll(/@\w+/gu)].map(([name]) => [name, meaning] as const),
    );
    const refusal = /allowed are (.+?)\. Change/u.exec(String(attempt(() => parseFields("@no"))))?.[1] ?? "";
    assert.deepEqual(listed.map(([name]) => name).sort(), refusal.split(" ").sort());
    for (const [name, meaning] of listed) {
      assert.deepEqual({ ...parseFields(name), expression: "" }, { ...parseFields(meaning), expression: "" }, name);
    }
  });
});

function attempt(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    return error;
  }
}
