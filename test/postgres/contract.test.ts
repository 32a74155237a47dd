/** The PostgreSQL store keeps the contract. Here the test's clock is the store's, so that time can be moved. */
import { after, describe } from "node:test";
import { exerciseBackend } from "../../src/testing/backend-contract/index.ts";
import { bench, skip, sweep } from "./bench.ts";

after(sweep);

describe("on the test's clock", { skip }, () => {
  exerciseBackend({
    name: "postgres",
    capabilities: { signals: true, shared: true, transactions: true, clock: true },
    make: (clock) => bench(clock),
    walkSeeds: 5,
  });
});
