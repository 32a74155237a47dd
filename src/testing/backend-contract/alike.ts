/** Comparing long lists: a runner's picture of the difference of thousands of records takes gigabytes to draw. */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";

/** Fails unless both lists hold equal members in the same order; shows the first that differ. */
export function alike<T>(actual: readonly T[], expected: readonly T[]): void {
  const at = expected.findIndex((member, index) => !isDeepStrictEqual(actual[index], member));
  if (at >= 0) assert.deepEqual(actual[at], expected[at], `member ${at} of ${expected.length} differs`);
  assert.equal(actual.length, expected.length, "as many members as expected");
}
