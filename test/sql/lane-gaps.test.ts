/** The gaps between known lanes: together with these lanes they are everything, and none holds one of them. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { type Gap, gapsOf } from "../../src/backends/sql/lane-gaps.ts";
import type { LaneName } from "../../src/backends/sql/lane-hints.ts";
import { byCodePoint } from "../../src/model/order.ts";

const values = [
  ["a", "b", "c"],
  ["a", "b", "c"],
  ["a", "b"],
  [-1, 0, 1],
] as const;
const all: LaneName[] = values[0].flatMap((queue) =>
  values[1].flatMap((task) =>
    values[2].flatMap((execution) => values[3].map((priority) => ({ queue, task, execution, priority }))),
  ),
);

function holds({ equal, after, before }: Gap, lane: LaneName): boolean {
  const columns = [lane.queue, lane.task, lane.execution, 0 - lane.priority];
  if (equal.some((value, at) => value !== columns[at])) return false;
  const value = columns[equal.length] as string | number;
  const compare = (other: string | number): number =>
    typeof value === "number" ? value - Number(other) : byCodePoint(value, String(other));
  return (after === null || compare(after) > 0) && (before === null || compare(before) < 0);
}

it("without lanes there is one gap, which is everything", () => {
  assert.deepEqual(gapsOf([]), [{ equal: [], after: null, before: null }]);
});

it("every lane lies in one gap if it is not known, and in none if it is", () => {
  // Every seventh, every eleventh... so that neighbours are known here and unknown there.
  for (const step of [1, 2, 3, 5, 7, 11, 13, 29]) {
    const known = all.filter((_, at) => at % step === 0);
    const gaps = gapsOf(known);
    for (const lane of all) {
      const count = gaps.filter((gap) => holds(gap, lane)).length;
      assert.equal(count, known.includes(lane) ? 0 : 1, `step ${step}: ${JSON.stringify(lane)}`);
    }
  }
});
