/** The contract through PgBouncer: which hints do not pass it, and how its benches are made. */

import type { PostgresOptions, PostgresTransaction } from "../../src/backends/postgres/index.ts";
import { exerciseBackend } from "../../src/testing/backend-contract/index.ts";
import { bench, byAddress } from "./bench.ts";

const silent = "no notification passes a pooler by transaction";

export function exerciseThroughPooler(name: string, walkSeeds: number, options: () => PostgresOptions): void {
  exerciseBackend<PostgresTransaction>({
    name,
    capabilities: { signals: true, shared: true, transactions: true, clock: true },
    make: (clock) => bench(clock, { ...byAddress, options }),
    walkSeeds,
    skip: {
      "a hint comes when work is stored, and when work returns": silent,
      "a hint comes when a record ends, and names it": silent,
      "a hint comes when a running record is asked to stop": silent,
      "a hint comes when a schedule's step leaves a tick that is ready": silent,
    },
  });
}
