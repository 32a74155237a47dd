/** The PostgreSQL store keeps the contract over anything that has `query(text, values)`. */
import { after, describe } from "node:test";
import { exerciseBackend } from "../../src/testing/backend-contract/index.ts";
import { bench, skip } from "./bench.ts";
import { byClient, capabilities, leave } from "./ways.ts";

after(leave);

const alone = "a client alone does not listen";
const shared = "a client alone has no connection to spare";

describe("over what it is lent", { skip }, () => {
  exerciseBackend({
    name: "a client with query(text, values)",
    capabilities,
    make: (clock) => bench(clock, byClient),
    walkSeeds: 5,
    skip: {
      "a hint comes when work is stored, and when work returns": alone,
      "a hint comes when a record ends, and names it": alone,
      "a hint comes when a running record is asked to stop": alone,
      "a hint comes when a schedule's step leaves a tick that is ready": alone,
      "in one that the store opens, what is stored is there once it is committed, and not before": shared,
      "one that the store opens is rolled back with the very error of its body, and the store works on": shared,
      "a finish in one that the store opens is refused to whoever lost the record, and stands or falls with it": shared,
      "several that the store opens at once keep apart": shared,
      "a hint comes when one that the store opened is committed": alone,
    },
  });
});
