/**
 * The contract suite: what makes a store a `QueueBackend`. One call in a test file runs all of it under `node:test`:
 *
 * ```ts
 * exerciseBackend({
 *   name: "mine",
 *   capabilities: { signals: false, shared: true, transactions: false, clock: true },
 *   make: async (clock) => ({ backend: mine({ clock, … }), another: async () => mine(…), dispose: async () => {} }),
 * });
 * ```
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runCase, skipReason } from "./case.ts";
import type { ContractOptions } from "./options.ts";
import { contractCases } from "./suite.ts";
import { seedsOf, walkInLockstep } from "./walk/walk.ts";

export { type ContractCase, runCase, skipReason } from "./case.ts";
export { INVARIANTS, type Invariant } from "./invariants.ts";
export { ManualClock } from "./manual-clock.ts";
export type { Bench, Capabilities, ContractOptions } from "./options.ts";
export { contractCases } from "./suite.ts";
export { WalkFailed, walkInLockstep } from "./walk/walk.ts";

/** How long one test may take before it counts as stuck. */
const PATIENCE = 60_000;

/** Registers every test of the contract for one store; the title of each says which invariants it guards. */
export function exerciseBackend<Tx = never>(options: ContractOptions<Tx>): void {
  describe(options.name, () => {
    it("skips only tests that exist, each with a reason", () => {
      const names = new Set(contractCases.map(({ name }) => name));
      for (const [name, reason] of Object.entries(options.skip ?? {})) {
        assert.ok(names.has(name), `skip: there is no test named ${JSON.stringify(name)}`);
        assert.ok(reason.trim() !== "", `skip: say why ${JSON.stringify(name)} is left out`);
      }
    });
    for (const group of new Set(contractCases.map((test) => test.group))) {
      describe(group, () => {
        for (const test of contractCases.filter((other) => other.group === group)) {
          const guards = test.guards.length === 0 ? "" : ` [${test.guards.join(" ")}]`;
          it(`${test.name}${guards}`, { skip: skipReason(test, options) ?? false, timeout: PATIENCE }, () =>
            runCase(test, options),
          );
        }
      });
    }
    describe("walk in lockstep with the memory store", () => {
      const seeds = seedsOf(options.walkSeeds);
      const skip = options.capabilities.clock ? false : "the store declares: no clock";
      it(`every answer is the same, ${seeds.length} seeds [I1 I2 I3 I4 I7 I11 I13]`, { skip }, async () => {
        for (const seed of seeds) await walkInLockstep(options, seed);
      });
    });
  });
}
