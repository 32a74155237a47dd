/** The SQLite store keeps the contract. */
import { exerciseBackend } from "../../src/testing/backend-contract/index.ts";
import { bench } from "./bench.ts";

exerciseBackend({
  name: "sqlite",
  capabilities: { signals: true, shared: true, transactions: true, clock: true },
  make: bench,
});
