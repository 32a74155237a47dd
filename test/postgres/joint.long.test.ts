/** Completion in a handler's transaction on PostgreSQL, by each client; and what a handler's connection is like. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import pg from "pg";
import postgresJs, { type TransactionSql } from "postgres";
import { type PostgresTransaction, postgres } from "../../src/backends/postgres/index.ts";
import { hasCode } from "../../src/model/errors.ts";
import { exerciseJoint, type JointServer } from "../sql/zombies.ts";
import { ADDRESS, drop, freshNamespace, raw, skip, store } from "./bench.ts";

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

  it("is ended by force when the signal says so", async (t) => {
    const { backend } = await store(t);
    const force = new AbortController();
    const why = new Error("by force");
    let after: unknown;
    let ended = (): void => {};
    const body = new Promise<void>((resolve) => {
      ended = resolve;
    });
    const run = backend.transaction?.(async (tx) => {
      const client = tx as pg.PoolClient;
      await client.query(`insert into ${table} values ('by force')`);
      force.abort(why);
      await new Promise((resolve) => setImmediate(resolve));
      after = await client.query(`insert into ${table} values ('after')`).catch((error: unknown) => error);
      ended();
    }, force.signal);
    await assert.rejects(
      async () => run,
      (error) => error === why,
    );
    await body;
    assert.ok(after instanceof Error, "what the body still does fails");
    assert.deepEqual(
      (await effects()).filter((name) => name === "by force" || name === "after"),
      [],
    );
  });

  it("is not to be had where the store's only connection would be gone", async (t) => {
    const own = new pg.Pool({ connectionString: ADDRESS, max: 1 });
    t.after(() => own.end());
    const { backend } = await store(t, { pool: own });
    await assert.rejects(
      async () => backend.transaction?.(async () => 1),
      (error) => hasCode(error, "TRANSACTION_UNSUPPORTED"),
    );
  });
});
