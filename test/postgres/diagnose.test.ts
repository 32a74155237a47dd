/** What the store says of the server: measured for real, judged by made-up measurements. */
import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import pg from "pg";
import { findings, INDEXES, type Pin, type ServerFacts, type Table } from "../../src/backends/postgres/diagnose.ts";
import { postgres } from "../../src/backends/postgres/index.ts";
import { ADDRESS, raw, skip, store } from "./bench.ts";

const MIB = 1024 * 1024;
const LIVE: Table = { name: "live", rows: 10, dead: 5, size: 8 * MIB, vacuumed: 60_000, autovacuum: true };
const SESSION: Pin = {
  ...{ kind: "session", which: "42", name: "report", state: "idle in transaction", age: 120_000, transactions: 9 },
};
const WELL: ServerFacts = {
  ...{ version: "15.4", versionNumber: 150_004, standby: false, isolation: "read committed", synchronous: "on" },
  ...{
    fsync: "on",
    autovacuum: true,
    connections: 10,
    limit: 100,
    reserved: 3,
    seesAll: true,
    pins: [],
    tables: [LIVE],
  },
  indexes: INDEXES.map((name) => ({ name, table: "live", valid: true, size: MIB })),
};

const judged = (wish: Partial<ServerFacts>, pooled = false) =>
  findings({ ...WELL, ...wish }, { pooled })
    .filter(({ level }) => level !== "ok")
    .map(({ check, level, advice }) => [check, level, typeof advice]);

const broken = (name: string, wish: object): ServerFacts["indexes"] =>
  WELL.indexes.map((index) => (index.name === name ? { ...index, ...wish } : index));

describe("postgresql's findings", () => {
  it("are good where all is well", () => {
    assert.deepEqual(judged({}), []);
    assert.equal(findings(WELL, { pooled: false }).length, 6);
    assert.match(findings(WELL, { pooled: false })[0]?.message ?? "", /PostgreSQL 15\.4; about 10 live and 0 ended/u);
  });

  const cases: readonly (readonly [Partial<ServerFacts>, string, string])[] = [
    [{ standby: true }, "postgresql", "problem"],
    [{ versionNumber: 120_019 }, "postgresql", "problem"],
    [{ fsync: "off" }, "durability", "problem"],
    [{ synchronous: "off" }, "durability", "warning"],
    [{ isolation: "repeatable read" }, "isolation", "warning"],
    [{ connections: 88 }, "connections", "warning"],
    [{ pins: [SESSION] }, "oldest transaction", "warning"],
    [{ pins: [{ ...SESSION, age: 3_600_000 }] }, "oldest transaction", "problem"],
    [{ pins: [{ ...SESSION, kind: "prepared transaction" }] }, "oldest transaction", "warning"],
    [
      { pins: [{ ...SESSION, kind: "replication slot", age: null, transactions: 200_000 }] },
      "oldest transaction",
      "warning",
    ],
    [{ autovacuum: false }, "vacuum", "problem"],
    [{ tables: [{ ...LIVE, autovacuum: false }] }, "vacuum", "problem"],
    [{ tables: [{ ...LIVE, dead: 100_000 }] }, "vacuum", "warning"],
    [{ indexes: WELL.indexes.slice(1) }, "indexes", "problem"],
    [{ indexes: broken("live_key", { valid: false }) }, "indexes", "problem"],
    [{ indexes: broken("live_key", { size: 65 * MIB }) }, "indexes", "warning"],
  ];
  for (const [wish, check, level] of cases) {
    it(`${check}, ${level}: ${JSON.stringify(wish).slice(0, 80)}`, () =>
      assert.deepEqual(judged(wish), [[check, level, "string"]]));
  }

  it("name a pooler", () => assert.deepEqual(judged({}, true), [["pooler", "warning", "string"]]));

  it("name who holds an old transaction, for how long, and how to end it", () => {
    const found = findings({ ...WELL, pins: [SESSION] }, { pooled: false });
    const { message, advice } = found.find(({ check }) => check === "oldest transaction") ?? {};
    assert.match(message ?? "", /is 2m old \(session 42 of "report", idle in transaction\)/u);
    assert.match(advice ?? "", /pg_terminate_backend\(42\)/u);
  });
});

test("they come from the server", { skip }, async (t) => {
  const { backend, namespace } = await store(t);
  const before = (await backend.diagnose?.()) ?? [];
  assert.deepEqual(
    before.map(({ check }) => check),
    ["postgresql", "durability", "connections", "oldest transaction", "vacuum", "indexes"],
  );
  assert.match(before[0]?.message ?? "", /^PostgreSQL \d+\.\d+.*; about 0 live and 0 ended tasks in 1 MiB$/u);
  await raw(`drop index "${namespace}".live_cancelling`);
  await raw(`alter table "${namespace}".done set (autovacuum_enabled = false)`);
  const found = await backend.diagnose?.();
  const problem = (check: string): string | undefined =>
    found?.find((finding) => finding.check === check && finding.level === "problem")?.message;
  // Where autovacuum is off altogether, that is what is said.
  assert.match(problem("vacuum") ?? "", /^autovacuum.* is off/u);
  assert.equal(problem("indexes"), "missing: live_cancelling");
});

test("a new schema has the indexes that are looked for", { skip }, async (t) => {
  const { namespace } = await store(t);
  const names = await raw("select indexname from pg_indexes where schemaname = $1 order by 1", [namespace]);
  assert.deepEqual(names.flat(), INDEXES.toSorted());
});

test("settings of a lent pool's sessions are seen, and a closed store is not looked at", { skip }, async (t) => {
  const pool = new pg.Pool({ connectionString: ADDRESS, max: 2, options: "-c synchronous_commit=off" });
  t.after(() => pool.end());
  await assert.rejects(Promise.resolve(postgres({ pool }).diagnose?.()), { code: "STORE_CLOSED" });
  const { backend } = await store(t, { pool });
  const finding = (await backend.diagnose?.())?.find(({ check }) => check === "durability");
  assert.deepEqual([finding?.level, finding?.message.slice(0, 26)], ["warning", "synchronous_commit is off:"]);
});

test("a user who may see nothing of others gets an answer, too", { skip }, async (t) => {
  const { namespace } = await store(t);
  const role = `${namespace}_user`;
  await raw(`create role ${role} login`);
  await raw(
    `grant usage, create on schema "${namespace}" to ${role}; grant all on all tables in schema "${namespace}" to ${role}`,
  );
  const address = new URL(ADDRESS);
  address.username = role;
  const backend = postgres(address.href);
  t.after(async () => {
    await backend.close();
    await raw(`drop owned by ${role}; drop role ${role}`);
  });
  await backend.open({ namespace });
  const finding = (await backend.diagnose?.())?.find(({ check }) => check === "oldest transaction");
  assert.match(finding?.message ?? "", /those of other users are not shown/u);
});
