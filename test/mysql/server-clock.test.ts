/** The MySQL store keeps the contract on the server's own clock, too. */
import { after, describe } from "node:test";
import { exerciseBackend } from "../../src/testing/backend-contract/index.ts";
import { bench, skip, sweep } from "./bench.ts";

after(sweep);

describe("on the server's clock", { skip }, () => {
  exerciseBackend({
    name: "mysql",
    capabilities: { signals: true, shared: true, transactions: true, clock: false },
    make: () => bench(undefined),
  });
});
