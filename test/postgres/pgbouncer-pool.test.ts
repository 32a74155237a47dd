/** Behind PgBouncer in transaction mode the store keeps the contract over a pool of pg that it is lent. */
import { after, describe } from "node:test";
import pg from "pg";
import { sweep } from "./bench.ts";
import { pooler, skip } from "./pgbouncer.ts";
import { exerciseThroughPooler } from "./pooled.ts";

const lent = skip === false ? await pooler() : undefined;
const pool = new pg.Pool({ connectionString: lent?.address ?? "", max: 4 });

after(async () => {
  await pool.end();
  if (skip === false) await sweep();
  await lent?.stop();
});

describe("through PgBouncer", { skip }, () => {
  exerciseThroughPooler("a pool of pg", 2, () => ({ pool }));
});
