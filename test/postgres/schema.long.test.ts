/** The schema: made from nothing, brought up from an older version, left alone if it is newer or somebody else's. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import pg from "pg";
import { ClientConnections } from "../../src/backends/postgres/clients/client.ts";
import { postgres } from "../../src/backends/postgres/index.ts";
import { MIGRATIONS, type Migration, migrate, planned } from "../../src/backends/postgres/schema.ts";
import { hasCode } from "../../src/model/errors.ts";
import { draftOf, idOf, rowOf } from "../../src/testing/backend-contract/stage.ts";
import { ADDRESS, drop, freshNamespace, raw, skip, store } from "./bench.ts";

/** A namespace that is removed after the test. */
function fresh(t: TestContext): string {
  const namespace = freshNamespace();
  t.after(() => drop(namespace));
  return namespace;
}

/** Runs on one connection. */
async function connected<T>(body: (connections: ClientConnections) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: ADDRESS });
  await client.connect();
  try {
    return await body(new ClientConnections({ query: (text, values) => client.query(text, values) }));
  } finally {
    await client.end();
  }
}

const upTo = (namespace: string, migrations: readonly Migration[]): ReturnType<typeof migrate> =>
  connected((connections) => connections.transaction((session) => migrate(session, namespace, migrations)));

test("a migration is never changed", () => {
  const text = MIGRATIONS.map((migration) => migration('"sidereal"').join("\n"));
  const prints = text.map((one) => createHash("sha256").update(one).digest("hex").slice(0, 16));
  assert.deepEqual(prints, ["7411595cb888524d", "604d84e4aa23ed73"]);
});

test("planning looks and makes nothing; what it names is what is done, and all of it", { skip }, async (t) => {
  const namespace = fresh(t);
  const plan = await postgres(ADDRESS).schema?.plan({ namespace });
  assert.deepEqual([plan?.from, plan?.to], [0, MIGRATIONS.length]);
  assert.deepEqual(await raw("select 1 from pg_namespace where nspname = $1", [namespace]), []);
  for (const statement of plan?.statements ?? []) await raw(statement);
  const backend = postgres(ADDRESS);
  assert.deepEqual((await backend.schema?.plan({ namespace }))?.statements, []);
  t.after(() => backend.close());
  await backend.open({ namespace });
  assert.deepEqual(await backend.tally(), []);
});

test("migrating without opening makes the schema; opening finds nothing left to do", { skip }, async (t) => {
  const namespace = fresh(t);
  const backend = postgres(ADDRESS);
  assert.equal((await backend.schema?.migrate({ namespace }))?.from, 0);
  assert.deepEqual((await backend.schema?.plan({ namespace }))?.statements, []);
  await assert.rejects(backend.now(), (error) => hasCode(error, "STORE_CLOSED"));
});

test("a schema that is there already, empty or with the user's own tables, is used and they stay", {
  skip,
}, async (t) => {
  const namespace = fresh(t);
  await raw(`create schema "${namespace}"`);
  await raw(`create table "${namespace}".users as select 'ada' as name`);
  const backend = postgres(ADDRESS);
  t.after(() => backend.close());
  await backend.open({ namespace });
  assert.deepEqual(await raw(`select name from "${namespace}".users`), [["ada"]]);
});

const CHILD = `
import { postgres } from ${JSON.stringify(new URL("../../src/backends/postgres/index.js", import.meta.url).href)};
const [address, namespace] = process.argv.slice(1);
const backend = postgres(address);
await backend.open({ namespace });
process.stdout.write(String((await backend.tally()).length));
await backend.close();`;

test("processes that open at once on an empty database all get on", { skip }, async (t) => {
  const namespace = fresh(t);
  const one = async (): Promise<[unknown, string]> => {
    const child = spawn(process.execPath, ["--input-type=module", "-e", CHILD, "--", ADDRESS, namespace]);
    let said = "";
    child.stdout.on("data", (piece) => {
      said += String(piece);
    });
    child.stderr.on("data", (piece) => {
      said += String(piece);
    });
    const [code] = await once(child, "close");
    return [code, said];
  };
  const ends = await Promise.all([one(), one(), one(), one()]);
  assert.deepEqual(
    ends,
    ends.map(() => [0, "0"]),
  );
  assert.deepEqual(await raw(`select schema_version from "${namespace}".store`), [[MIGRATIONS.length]]);
});

test("an older version is brought up to date, with its records, while the older worker goes on", {
  skip,
}, async (t) => {
  const { backend, namespace } = await store(t);
  await backend.insert([draftOf(idOf(1))]);
  const next: Migration = (schema) => [`alter table ${schema}.live add column shade text`];
  const plan = await upTo(namespace, [...MIGRATIONS, next]);
  assert.deepEqual(plan, {
    from: MIGRATIONS.length,
    to: MIGRATIONS.length + 1,
    statements: [
      `alter table "${namespace}".live add column shade text`,
      `update "${namespace}".store set schema_version = ${MIGRATIONS.length + 1}`,
    ],
  });
  assert.equal((await backend.insert([draftOf(idOf(1)), draftOf(idOf(2))]))[1]?.created, true);
  assert.equal((await backend.tally())[0]?.pending, 2);
});

test("a migration that fails leaves the version before, whole", { skip }, async (t) => {
  const { namespace } = await store(t);
  const bad: Migration = (schema) => [`alter table ${schema}.live add column shade text`, "select nonsense"];
  await assert.rejects(upTo(namespace, [...MIGRATIONS, bad]), /nonsense/u);
  assert.deepEqual((await connected((session) => planned(session, namespace))).statements, []);
  const columns = "select 1 from information_schema.columns where table_schema = $1 and column_name = 'shade'";
  assert.deepEqual(await raw(columns, [namespace]), []);
});

test("a newer schema is refused by name and number, whatever is asked of it", { skip }, async (t) => {
  const namespace = fresh(t);
  await postgres(ADDRESS).schema?.migrate({ namespace });
  await raw(`update "${namespace}".store set schema_version = 99`);
  const refusal = {
    code: "STORE_SCHEMA",
    message: new RegExp(
      `schema ${namespace} has version 99; this version of sidereal knows up to ${MIGRATIONS.length}`,
      "u",
    ),
  };
  const backend = postgres(ADDRESS);
  await assert.rejects(backend.open({ namespace }), refusal);
  await assert.rejects(Promise.resolve(backend.schema?.plan({ namespace })), refusal);
  await assert.rejects(Promise.resolve(backend.schema?.migrate({ namespace })), refusal);
});

test("tables of those names that are somebody else's are refused and left alone", { skip }, async (t) => {
  const namespace = fresh(t);
  await raw(`create schema "${namespace}"`);
  await raw(`create table "${namespace}".live as select 'precious' as mine`);
  await assert.rejects(postgres(ADDRESS).open({ namespace }), {
    code: "STORE_SCHEMA",
    message: /has a table live that is not Sidereal's; choose another namespace/u,
  });
  assert.deepEqual(await raw(`select * from "${namespace}".live`), [["precious"]]);
});

test("namespaces share a database and nothing else", { skip }, async (t) => {
  const { backend: one } = await store(t);
  const { backend: two } = await store(t);
  await one.insert([draftOf(idOf(1), { key: "k" })]);
  await one.advance([{ from: null, to: rowOf("daily", { dueAt: 1 }), ticks: [] }]);
  assert.deepEqual(await two.tally(), []);
  assert.deepEqual(await two.schedules({ by: "all", after: null, limit: 10 }), []);
  assert.equal((await two.insert([draftOf(idOf(1), { key: "k" })]))[0]?.created, true);
});

test("a namespace is a word, never SQL", { skip }, async () => {
  const bad = ['x"; drop table users; --', "Tasks", "1st", "a b", "ä", "", "a".repeat(49), "tasks\u0000", "a.b"];
  for (const namespace of bad) {
    const backend = postgres(ADDRESS);
    const isRefused = (error: unknown): boolean => hasCode(error, "CONFIG_INVALID");
    await assert.rejects(backend.open({ namespace }), isRefused, namespace);
    await assert.rejects(Promise.resolve(backend.schema?.plan({ namespace })), isRefused, namespace);
    await assert.rejects(Promise.resolve(backend.schema?.migrate({ namespace })), isRefused, namespace);
  }
});

test("one open store has one namespace", { skip }, async (t) => {
  const { backend, namespace } = await store(t);
  await assert.rejects(backend.open({ namespace: "two" }), (error) => hasCode(error, "CONFIG_CONFLICT"));
  await backend.open({ namespace });
});
