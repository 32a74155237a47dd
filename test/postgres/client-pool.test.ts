/** The PostgreSQL store keeps the contract over a pool of `pg` that it is lent, and leaves it as it was. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import pg from "pg";
import { postgres } from "../../src/backends/postgres/index.ts";
import { exerciseBackend } from "../../src/testing/backend-contract/index.ts";
import { ADDRESS, bench, drop, freshNamespace, skip } from "./bench.ts";
import { byPool, capabilities, leave } from "./ways.ts";

after(leave);

describe("over what it is lent", { skip }, () => {
  exerciseBackend({ name: "a pool of pg", capabilities, make: (clock) => bench(clock, byPool), walkSeeds: 5 });
});

test("a lent pool is left open and without listeners", { skip }, async () => {
  const own = new pg.Pool({ connectionString: ADDRESS, max: 2 });
  const namespace = freshNamespace();
  const backend = postgres({ pool: own });
  await backend.open({ namespace });
  await backend.now();
  await backend.close();
  await drop(namespace);
  assert.equal(own.totalCount, own.idleCount);
  const { rows } = await own.query("show enable_seqscan");
  assert.deepEqual(rows, [{ enable_seqscan: "on" }]);
  await own.end();
});
