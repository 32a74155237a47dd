/** Real processes on one SQLite file, every kind of fault at once, and the checker's verdict; `npm run chaos` does more. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { WINDOWS } from "./exposure.ts";
import type { RoundOptions, RoundResult } from "./round.ts";
import type { Wishes } from "./rounds.ts";
import { met, smokeRun, violations } from "./smoke-run.ts";

const wishes: Wishes = {
  ...{ store: "sqlite", seed: 42, smoke: true, minutes: null, faults: null, tasks: 200, kills: null },
  ...{ workers: 4, concurrency: null, lease: null, planted: null },
};

const run = (own: Partial<Wishes>, adapt?: (options: RoundOptions) => RoundOptions): Promise<RoundResult> =>
  smokeRun({ ...wishes, ...own }, adapt);

describe("chaos on SQLite", () => {
  it("holds every invariant under kills, stops, stalls, poison and impatient stops at once", async () => {
    const result = await run({});
    assert.deepEqual(violations(result), []);
    for (const window of ["handler", "effect", "finish", "enqueue"] as const)
      assert.ok(met(result.exposure, window), `no fault met the window "${WINDOWS[window]}"`);
  });
});

describe("chaos with a planted bug", () => {
  const sees = (result: RoundResult, id: string): void => {
    const check = result.checks.find((other) => other.id === id);
    assert.ok(check !== undefined && check.violations.length > 0, `check ${id} saw nothing`);
  };

  it("turns red for a finish without a token guard", async () => {
    // Zombies by the dozen: some of them will finish before they know.
    const zombies = (options: RoundOptions): RoundOptions => ({
      ...options,
      load: { ...options.load, blockers: 10 },
      plan: { stop: 6 },
    });
    sees(await run({ planted: "finish-unguarded", faults: ["stop"], tasks: 120 }, zombies), "V");
  });

  it("turns red for a recovery without a lease guard", async () => {
    sees(await run({ planted: "reap-unguarded", faults: ["kill"], tasks: 60 }), "R");
  });

  it("turns red for an enqueue acknowledged before it is stored", async () => {
    sees(await run({ planted: "ack-before-commit", faults: ["producer"], tasks: 60 }), "L");
  });
});
