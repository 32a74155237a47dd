/** The PostgreSQL store keeps the contract over an instance of postgres.js that it is lent. */
import { after, describe } from "node:test";
import { exerciseBackend } from "../../src/testing/backend-contract/index.ts";
import { bench, skip } from "./bench.ts";
import { byPostgresJs, capabilities, leave } from "./ways.ts";

after(leave);

describe("over what it is lent", { skip }, () => {
  exerciseBackend({ name: "postgres.js", capabilities, make: (clock) => bench(clock, byPostgresJs), walkSeeds: 5 });
});
