/** The PostgreSQL store in lockstep with the memory store, for more seeds than beside the rest of the contract. */
import { after, describe, it } from "node:test";
import { walkInLockstep } from "../../src/testing/backend-contract/index.ts";
import { bench, skip, sweep } from "./bench.ts";

after(sweep);

describe("walk in lockstep with the memory store", { skip }, () => {
  for (let seed = 6; seed <= 30; seed += 1) {
    it(`seed ${seed}`, () =>
      walkInLockstep(
        {
          name: "postgres",
          capabilities: { signals: true, shared: true, transactions: true, clock: true },
          make: (clock) => bench(clock),
        },
        seed,
      ));
  }
});
