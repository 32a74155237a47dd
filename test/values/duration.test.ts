/** E7: durations and back-off stay finite, whole and within bounds whatever they are given. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { formatDuration, LONGEST_DURATION, parseDuration, quoted } from "../../src/model/duration.ts";
import { hasCode } from "../../src/model/errors.ts";
import type { BackoffPolicy } from "../../src/model/record.ts";
import { type Backoff, backoffDelay, DEFAULT_BACKOFF, lossDelay, parseBackoff } from "../../src/model/retry.ts";

const refused = (value: unknown, least?: number): void => {
  assert.throws(
    () => parseDuration(value, "worker.pollInterval", least),
    (error) => hasCode(error, "DURATION_INVALID") && /^worker\.pollInterval is /.test(error.message),
    String(value),
  );
};

describe("durations", () => {
  it("reads every unit and milliseconds", () => {
    const given = { "250ms": 250, "30s": 30_000, "5m": 300_000, "2h": 7_200_000, "1d": 86_400_000, "1.5s": 1_500 };
    for (const [text, millis] of Object.entries(given)) assert.equal(parseDuration(text, "x"), millis);
    assert.equal(parseDuration(0, "x"), 0);
    assert.equal(parseDuration(12.2, "x"), 13);
    assert.equal(parseDuration("36500d", "x"), LONGEST_DURATION);
    assert.ok(Object.is(parseDuration(-0, "x"), 0), "minus zero is zero");
  });

  it("does not make more of a decimal than it says", () => {
    for (let hundredths = 1; hundredths <= 1_000; hundredths += 1)
      assert.equal(parseDuration(`${(hundredths / 100).toFixed(2)}s`, "x"), hundredths * 10);
  });

  for (const value of [
    ...[
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      -1,
      -0.1,
      LONGEST_DURATION + 1,
      Number("1e400"),
    ],
    ...["", " 5s", "5s ", "5", "s", "-5s", "+5s", "5S", "5 s", "1e3s", "Infinitys", "0x10s", "5s5s", "5.s", ".5s"],
    ...["٥s", "9999999999999999s", "36501d", "5s\n", "5us", "5w", "NaNms"],
    ...[null, undefined, true, {}, [], [5], 5n, Symbol("s"), () => 5, new Date(5)],
  ]) {
    it(`refuses ${quoted(value)}`, () => refused(value));
  }

  it("refuses less than the least", () => {
    refused(0, 1);
    refused("99ms", 100);
    assert.equal(parseDuration("100ms", "x", 100), 100);
  });

  it("takes or refuses anything at all, and what it takes is a whole number within bounds", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.anything(), fc.double(), fc.string(), fc.stringMatching(/^\d{1,16}(\.\d{1,7})?(ms|s|m|h|d)$/)),
        (value) => {
          try {
            const millis = parseDuration(value, "x");
            assert.ok(Number.isInteger(millis) && millis >= 0 && millis <= LONGEST_DURATION);
          } catch (error) {
            assert.ok(hasCode(error, "DURATION_INVALID"), String(error));
          }
        },
      ),
      { numRuns: 5_000 },
    );
  });

  it("shows lengths to people", () => {
    assert.deepEqual([0, 250, 1_000, 90_000, 5_400_000, 86_400_000].map(formatDuration), [
      "0ms",
      "250ms",
      "1s",
      "1.5m",
      "1.5h",
      "1d",
    ]);
  });
});

describe("values in messages", () => {
  it("are short, on one line, and never throw", () => {
    const hostile = Proxy.revocable({}, {});
    hostile.revoke();
    for (const value of [
      hostile.proxy,
      Symbol("x"),
      1n,
      "a\nb",
      "x".repeat(1e6),
      {
        get x() {
          throw new Error("no");
        },
      },
    ]) {
      const text = quoted(value);
      assert.ok(text.length <= 80 && !text.includes("\n"), text);
    }
  });

  it("hold no password of an address", () => {
    for (const address of ["postgres://me:secret@host/db", "redis://:secret@host", "mysql://me:sec/ret@host?x=1"])
      assert.doesNotMatch(quoted(address), /sec\/?ret/);
  });
});

describe("back-off", () => {
  const policy = (value: Backoff): BackoffPolicy => parseBackoff(value, "backoff");
  const delays = (value: Backoff, roll = 0.5): number[] =>
    [1, 2, 3, 4].map((n) => backoffDelay(policy(value), n, roll));

  it("follows its formula", () => {
    assert.deepEqual(delays("2s"), [2_000, 2_000, 2_000, 2_000]);
    assert.deepEqual(delays({ type: "fixed", delay: "2s", jitter: 0 }), [2_000, 2_000, 2_000, 2_000]);
    assert.deepEqual(delays({ type: "linear", delay: "2s", jitter: 0 }), [2_000, 4_000, 6_000, 8_000]);
    assert.deepEqual(delays({ type: "exponential", delay: "2s", jitter: 0 }), [2_000, 4_000, 8_000, 16_000]);
    assert.deepEqual(delays({ type: "exponential", delay: 100, factor: 10, jitter: 0 }), [100, 1_000, 10_000, 100_000]);
    assert.deepEqual(delays({ type: "linear", delay: "2s", maxDelay: "5s", jitter: 0 }), [2_000, 4_000, 5_000, 5_000]);
  });

  it("spreads by its jitter, both ways", () => {
    assert.deepEqual(delays({ type: "fixed", delay: 1_000, jitter: 0.2 }, 0), [800, 800, 800, 800]);
    assert.deepEqual(delays({ type: "fixed", delay: 1_000, jitter: 1 }, 0.9999999), [2_000, 2_000, 2_000, 2_000]);
    assert.equal(backoffDelay(DEFAULT_BACKOFF, 1, 0.5), 1_000);
    assert.equal(backoffDelay(DEFAULT_BACKOFF, 100, 0.5), 3_600_000);
  });

  it("waits a delay longer than the default cap in full", () => {
    assert.deepEqual(delays({ type: "fixed", delay: "2h", jitter: 0 }).slice(0, 1), [7_200_000]);
  });

  it("is finite, whole and within its cap for every policy and any number of failures", () => {
    const any = fc.record({
      kind: fc.constantFrom("fixed", "linear", "exponential", "custom"),
      delay: fc.integer({ min: 0, max: LONGEST_DURATION }),
      factor: fc.double({ min: 1, max: 100, noNaN: true }),
      maxDelay: fc.integer({ min: 0, max: LONGEST_DURATION }),
      jitter: fc.double({ min: 0, max: 1, noNaN: true }),
    }) as fc.Arbitrary<BackoffPolicy>;
    const failures = fc.integer({ min: 0, max: 1_001 });
    const roll = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(any, failures, roll, (given, count, random) => {
        const delay = backoffDelay(given, count, random);
        assert.ok(Number.isInteger(delay) && delay >= 0 && delay <= Math.ceil(given.maxDelay * 2), `${delay}`);
      }),
      { numRuns: 5_000 },
    );
    assert.equal(backoffDelay({ kind: "exponential", delay: 0, factor: 100, maxDelay: 1, jitter: 0 }, 1_001, 0.5), 0);
  });

  it("is short after lost leases", () => {
    for (const losses of [1, 2, 3]) assert.ok(lossDelay(losses, 0.99) <= 2_400);
  });

  for (const [name, value, code, message] of [
    ["an unknown type", { type: "quadratic" }, "OPTION_INVALID", /backoff\.type is "quadratic"/],
    ["a misspelled field", { type: "fixed", dealy: 5 }, "OPTION_INVALID", /backoff has no field "dealy"/],
    ["a factor below 1", { type: "exponential", factor: 0.5 }, "OPTION_INVALID", /backoff\.factor is 0\.5/],
    ["a factor of NaN", { type: "exponential", factor: Number.NaN }, "OPTION_INVALID", /backoff\.factor is NaN/],
    ["a jitter above 1", { type: "fixed", jitter: 2 }, "OPTION_INVALID", /backoff\.jitter is 2/],
    ["a delay that is none", { type: "fixed", delay: "soon" }, "DURATION_INVALID", /backoff\.delay is "soon"/],
    ["a cap that is none", { type: "fixed", maxDelay: -1 }, "DURATION_INVALID", /backoff\.maxDelay is -1/],
    ["a bare text", "soon", "DURATION_INVALID", /backoff is "soon"/],
    ["null", null, "DURATION_INVALID", /backoff is null/],
  ] as const) {
    it(`refuses ${name}`, () => {
      assert.throws(
        () => parseBackoff(value as Backoff, "backoff"),
        (error) => hasCode(error, code) && message.test(error.message),
      );
    });
  }
});
