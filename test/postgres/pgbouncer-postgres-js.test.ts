/** Behind PgBouncer in transaction mode the store keeps the contract over postgres.js that it is lent. */
import { after, describe } from "node:test";
import postgresJs from "postgres";
import { sweep } from "./bench.ts";
import { pooler, skip } from "./pgbouncer.ts";
import { exerciseThroughPooler } from "./pooled.ts";

const lent = skip === false ? await pooler() : undefined;
const sql = postgresJs(lent?.address ?? "postgres://127.0.0.1/none", { max: 4, prepare: false, onnotice: () => {} });

after(async () => {
  await sql.end();
  if (skip === false) await sweep();
  await lent?.stop();
});

describe("through PgBouncer", { skip }, () => {
  exerciseThroughPooler("postgres.js", 2, () => ({ sql }));
});
