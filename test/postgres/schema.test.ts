/** The schema: made from nothing, brought up from an older version, left alone if it is newer or somebody else's. */
import assert from "node:assert/strict";
import { test } from "node:test";
import pg from "pg";
import { ClientConnections } from "../../src/backends/postgres/clients/client.ts";
import { postgres } from "../../src/backends/postgres/index.ts";
import { MIGRATIONS, type Migration, migrate, planned } from "../../src/backends/postgres/schema.ts";
import { draftOf, idOf } from "../../src/testing/backend-contract/stage.ts";
import { exerciseSchema } from "../sql/schema.ts";
import { ADDRESS, raw, server, skip, store } from "./bench.ts";

exerciseSchema(server, {
  migrations: MIGRATIONS.map((migration) => migration('"sidereal"')),
  prints: ["7411595cb888524d", "604d84e4aa23ed73"],
  words: (namespace) => `schema ${namespace} has`,
  foreign: (namespace) => [
    `create schema "${namespace}"`,
    `create table "${namespace}".live as select 'precious' as mine`,
  ],
  injection: 'x"; drop table users; --',
});

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

test("planning makes no schema", { skip }, async (t) => {
  const namespace = server.fresh(t);
  await postgres(ADDRESS).schema?.plan({ namespace });
  assert.deepEqual(await raw(`select 1 from pg_namespace where nspname = '${namespace}'`), []);
});

test("a schema that is there already, empty or with the user's own tables, is used and they stay", {
  skip,
}, async (t) => {
  const namespace = server.fresh(t);
  await raw(`create schema "${namespace}"`);
  await raw(`create table "${namespace}".users as select 'ada' as name`);
  const backend = postgres(ADDRESS);
  t.after(() => backend.close());
  await backend.open({ namespace });
  assert.deepEqual(await raw(`select name from "${namespace}".users`), [["ada"]]);
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
