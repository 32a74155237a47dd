/** Completion in a handler's transaction on PostgreSQL, by each client; and what a handler's connection is like. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import pg from "pg";
import postgresJs, { type TransactionSql } from "postgres";
import { type PostgresTransaction, postgres } from "../../src/backends/postgres/index.ts";
import type { QueueBackend } from "../../src/contracts/queue-backend.ts";
import { hasCode } from "../../src/model/errors.ts";
import { exerciseHands } from "../sql/hands.ts";
import { exerciseJoint, type JointServer } from "../sql/zombies.ts";
import { ADDRESS, drop, freshNamespace, raw, server, skip, store } from "./bench.ts";

const namespaces = [freshNamespace(), freshNamespace(), freshNamespace()] as const;
const table = `joint_${namespaces[0]}`;
const pool = new pg.Pool({ connectionString: ADDRESS, max: 12 });
const sql = postgresJs(ADDRESS, { max: 12, onnotice: () => {} });
const effects: JointServer<PostgresTransaction>["effects"] = async () =>
  (await raw(`select name from ${table}`)).map(([name]) => name);
const byPg: JointServer<PostgresTransaction>["insert"] = (tx, name) =>
  (tx as pg.PoolClient).query(`insert into ${table} values ($1)`, [name]);

before(async () => {
  if (skip === false) await raw(`create table ${table} (name text check (name <> '0'))`);
});
after(async () => {
  await pool.end();
  await sql.end();
  if (skip !== false) return;
  await raw(`drop table ${table}`);
  for (const namespace of namespaces) await drop(namespace);
});

describe("by an address", () => {
  exerciseJoint({ skip, namespace: namespaces[0], store: () => postgres(ADDRESS), insert: byPg, effects });
});
describe("by a pool that is lent", () => {
  exerciseJoint({ skip, namespace: namespaces[1], store: () => postgres({ pool }), insert: byPg, effects });
});
describe("by postgres.js", () => {
  exerciseJoint<PostgresTransaction>({
    skip,
    namespace: namespaces[2],
    store: () => postgres({ sql }),
    insert: (tx, name) => {
      const own = tx as unknown as TransactionSql;
      return own`insert into ${own(table)} values (${name})`.execute();
    },
    effects,
  });
});

exerciseHands(server, {
  single: () => {
    const one = new pg.Pool({ connectionString: ADDRESS, max: 1 });
    return [postgres({ pool: one }) as QueueBackend<unknown>, () => one.end()];
  },
  insert: (tx, name) => byPg(tx as PostgresTransaction, name),
  effects,
});

describe("a handler's connection", { skip }, () => {
  it("has the planner as the user has it, and is at READ COMMITTED", async (t) => {
    const { backend } = await store(t);
    const seen = await backend.transaction?.(async (tx) => {
      const client = tx as pg.PoolClient;
      const { rows } = await client.query(
        "select current_setting('enable_seqscan') as scan, current_setting('transaction_isolation') as level",
      );
      return rows;
    });
    assert.deepEqual(seen, [{ scan: "on", level: "read committed" }]);
  });

  it("never keeps the store waiting, however many handlers have one", async (t) => {
    const { backend } = await store(t, { connectionString: ADDRESS, connections: 2 });
    let open = (): void => {};
    const held = new Promise<void>((resolve) => {
      open = resolve;
    });
    let bodies = 0;
    const many = Array.from({ length: 5 }, () =>
      backend.transaction?.(async () => {
        bodies += 1;
        await held;
      }),
    );
    while (bodies < 2) await backend.now();
    assert.ok((await backend.now()) > 0, "the store answers");
    assert.equal(bodies, 2, "the others wait");
    open();
    await Promise.all(many);
    assert.equal(bodies, 5);
  });

  it("a failed statement that the body swallows is no commit", async (t) => {
    const { backend } = await store(t);
    const run = backend.transaction?.(async (tx) => {
      await (tx as pg.PoolClient).query("select 1/0").catch(() => {});
      return "believes that all is well";
    });
    await assert.rejects(
      async () => run,
      (error) => hasCode(error, "STORE_FAILED"),
    );
  });
});
