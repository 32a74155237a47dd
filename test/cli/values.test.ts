/** What operators are shown. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { lengthText } from "../../src/cli/values.ts";

it("a length of time is shown to the millisecond, in the largest unit that it is a whole number of", () => {
  const shown = [0, 1, 999, 1_000, 1_500, 90_000, 60_000, 5_400_000, 7_200_000, 86_400_000, 172_800_000, 86_400_001];
  assert.deepEqual(shown.map(lengthText), [
    "0ms",
    "1ms",
    "999ms",
    "1s",
    "1500ms",
    "90s",
    "1m",
    "90m",
    "2h",
    "1d",
    "2d",
    "86400001ms",
  ]);
});
