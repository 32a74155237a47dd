/** The store's clock over a host's clock that jumps: never back, never still, right again in the end. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { advanced, type StoreInstant } from "../../src/model/store-clock.ts";

const NOW = 1_800_000_000_000;

/** One reading: real time that passed, and by how much the host's clock was set meanwhile. */
const readings = fc.array(
  fc.record({
    passed: fc.oneof(fc.double({ min: 0, max: 5, noNaN: true }), fc.integer({ min: 0, max: 100_000 })),
    set: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.integer({ min: -7_200_000, max: 7_200_000 })),
    mark: fc.oneof({ weight: 5, arbitrary: fc.constant(-Infinity) }, fc.integer({ min: -5_000, max: 5_000 })),
  }),
  { minLength: 1, maxLength: 60 },
);

describe("the store's clock", () => {
  it("answers whole milliseconds, never runs backwards, and is never behind the host or the store's mark", () => {
    fc.assert(
      fc.property(readings, (list) => {
        let last: StoreInstant = { now: 0, mono: 0 };
        let [host, mono] = [NOW, 1_000.25];
        for (const { passed, set, mark } of list) {
          host = Math.floor(host + passed + set);
          mono += passed;
          const seen = mark === -Infinity ? 0 : last.now + mark;
          const next = advanced(last, host, mono, seen);
          assert.ok(Number.isSafeInteger(next.now));
          assert.ok(next.now >= last.now && next.now >= host && next.now >= seen);
          assert.ok(next.mono <= mono + 1e-6);
          last = next;
        }
      }),
      { numRuns: 1_000, seed: 20_260_101 },
    );
  });

  it("runs at half speed while the host is behind, however often it is read", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.001, max: 40, noNaN: true }), { minLength: 1, maxLength: 400 }),
        fc.integer({ min: 60_000, max: 7_200_000 }),
        (steps, back) => {
          const first = advanced({ now: 0, mono: 0 }, NOW, 1_000);
          let last = first;
          let passed = 0;
          for (const step of steps) {
            passed += step;
            last = advanced(last, NOW - back + Math.floor(passed), 1_000 + passed);
          }
          assert.ok(Math.abs(last.now - first.now - passed / 2) <= 1, `${last.now - first.now} of ${passed} ms`);
        },
      ),
      { numRuns: 500, seed: 20_260_101 },
    );
  });

  it("is the host's clock again once that has caught up", () => {
    let last = advanced({ now: 0, mono: 0 }, NOW, 0);
    let caughtUp = -1;
    for (let passed = 0; passed <= 9_000; passed += 10) {
      const host = NOW - 4_000 + passed;
      last = advanced(last, host, passed);
      if (caughtUp < 0 && last.now === host) caughtUp = passed;
      if (caughtUp >= 0) assert.equal(last.now, host);
    }
    assert.ok(caughtUp >= 7_900 && caughtUp <= 8_100, `4 s behind at half speed take 8 s, not ${caughtUp} ms`);
  });

  it("goes on from the mark of another process, not from its own last reading", () => {
    const last = advanced({ now: 0, mono: 0 }, NOW, 0);
    const next = advanced(last, NOW - 5_000, 10, NOW + 700);
    assert.equal(next.now, NOW + 700);
    assert.equal(advanced(next, NOW - 4_980, 30).now, NOW + 710);
  });

  it("a monotonic clock that starts anew does no harm", () => {
    const last = { now: NOW, mono: 5_000 };
    assert.equal(advanced(last, NOW - 1, 3).now, NOW);
  });
});
