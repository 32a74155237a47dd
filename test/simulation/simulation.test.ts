/** The simulation in CI: some hundred seeds are green, every kind of fault was injected, and a seed repeats itself. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Outcome, simulate } from "./simulate.ts";

const SEEDS = 300;
/** Every so many seeds one is run again, and must leave the same trace. */
const TWICE = 10;
/** Invariants that every run must have looked at, often. */
const WATCHED = [
  "I1",
  "I2",
  "I3",
  "I4",
  "I5",
  "I6",
  "I7",
  "I8",
  "I9",
  "I10",
  "I11",
  "I12",
  "I13",
  "I14",
  "I16",
  "I17",
  "I20",
];

describe("simulation", () => {
  it(`seeds 1 to ${SEEDS} are green, were really hit, and repeat themselves`, async () => {
    const checks = new Map<string, number>();
    const faults = new Map<string, number>();
    const hashes = new Set<string>();
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const outcome = await simulate(seed);
      assert.equal(outcome.violations.length, 0, told(outcome));
      if (seed % TWICE === 0)
        assert.equal((await simulate(seed)).hash, outcome.hash, `seed ${seed} left another trace`);
      hashes.add(outcome.hash);
      for (const [name, count] of outcome.checks) checks.set(name, (checks.get(name) ?? 0) + count);
      for (const [name, count] of outcome.faults) faults.set(name, (faults.get(name) ?? 0) + count);
    }
    assert.equal(hashes.size, SEEDS, "each seed is a story of its own");
    for (const name of [...WATCHED, "lease", "watchdog", "cancel", "liveness", "H", "S"]) {
      assert.ok((checks.get(name) ?? 0) >= (name === "I20" ? 10 : 30), `${name} was checked ${checks.get(name)} times`);
    }
    for (const method of ["insert", "claim", "apply", "renew", "find"]) {
      for (const what of ["request lost", "reply lost", "duplicated", "resent", "slow"]) {
        const fault = `${method} ${what}`;
        assert.ok((faults.get(fault) ?? 0) >= 5, `${fault} happened ${faults.get(fault)} times`);
      }
    }
    const windows = [
      "crash during claim",
      "crash in a handler",
      "crash while idle",
      "pause",
      "deploy",
      "store clock jump",
    ];
    for (const fault of windows) assert.ok((faults.get(fault) ?? 0) >= 5, `${fault}: ${faults.get(fault)}`);
  });
});

function told({ seed, violations, history }: Outcome): string {
  const found = violations.map(({ invariant, message }) => `${invariant}: ${message}`);
  const replay = `replay: npm run simulate -- --seed ${seed} --trace`;
  return [`seed ${seed}`, ...found, ...history, replay].join("\n");
}
