/** The MySQL store keeps the contract where looking everywhere is dear: then claims look behind and between the lanes they know. */
import { after, describe } from "node:test";
import { MysqlBackend } from "../../src/backends/mysql/backend.ts";
import { connectBy } from "../../src/backends/mysql/options.ts";
import { exerciseBackend } from "../../src/testing/backend-contract/index.ts";
import { slowClock } from "../sql/slow-clock.ts";
import { bench, byAddress, skip, sweep } from "./bench.ts";

after(sweep);

describe("with dear looks", { skip }, () => {
  exerciseBackend({
    name: "mysql",
    capabilities: { signals: true, shared: true, transactions: true, clock: true },
    make: (clock) =>
      bench(
        clock,
        byAddress,
        (options) => new MysqlBackend({ connect: connectBy(options), clock, timers: slowClock() }),
      ),
    walkSeeds: 10,
  });
});
