/** The schema: made from nothing, brought up from an older version, left alone if it is newer or somebody else's. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import driver from "mysql2/promise";
import { type Session, sessionOver } from "../../src/backends/mysql/clients/session.ts";
import { mysql } from "../../src/backends/mysql/index.ts";
import { MIGRATIONS, type Migration, migrate, planned } from "../../src/backends/mysql/schema.ts";
import { draftOf, idOf } from "../../src/testing/backend-contract/stage.ts";
import { exerciseSchema } from "../sql/schema.ts";
import { ADDRESS, freshNamespace, raw, server, skip, store, sweep } from "./bench.ts";

after(sweep);

exerciseSchema(server, {
  migrations: MIGRATIONS.map((migration) => migration("sidereal")),
  prints: ["6f40a832a09deac8"],
  words: (namespace) => `tables of ${namespace} have`,
  foreign: (namespace) => [`create table ${namespace}_tasks as select 'precious' as mine`],
  injection: "x`; drop table users; --",
});

async function connected<T>(body: (session: Session) => Promise<T>): Promise<T> {
  const connection = await driver.createConnection({ uri: ADDRESS });
  try {
    return await body(sessionOver(connection));
  } finally {
    await connection.end();
  }
}

test("planning makes no table", { skip }, async () => {
  const namespace = freshNamespace();
  await mysql(ADDRESS).schema?.plan({ namespace });
  const tables = await raw("select table_name from information_schema.tables where table_schema = database()");
  assert.ok(!tables.flat().some((name) => String(name).startsWith(`${namespace}_`)));
});

test("a first migration that broke off after any statement is finished by the next", { skip }, async () => {
  const statements = (await mysql(ADDRESS).schema?.plan({ namespace: "broken" }))?.statements ?? [];
  for (let until = 1; until < statements.length; until += 1) {
    const namespace = freshNamespace();
    const named = statements.map((statement) => statement.replaceAll("broken_", `${namespace}_`));
    for (const statement of named.slice(0, until)) await raw(statement);
    const backend = mysql(ADDRESS);
    await backend.open({ namespace });
    assert.equal((await backend.insert([draftOf(idOf(1))]))[0]?.created, true, `after ${until}`);
    await backend.close();
  }
});

test("an older version is brought up to date, with its records, while the older worker goes on", {
  skip,
}, async (t) => {
  const { backend, namespace } = await store(t);
  await backend.insert([draftOf(idOf(1))]);
  const next: Migration = (name) => [`alter table \`${name}_tasks\` add column shade text`];
  const plan = await connected((session) => migrate(session, namespace, [...MIGRATIONS, next]));
  assert.deepEqual([plan.from, plan.to, plan.statements.length], [MIGRATIONS.length, MIGRATIONS.length + 1, 2]);
  assert.equal((await backend.insert([draftOf(idOf(1)), draftOf(idOf(2))]))[1]?.created, true);
  assert.equal((await backend.tally())[0]?.pending, 2);
});

test("a migration that fails leaves the version before, and its lock free", { skip }, async (t) => {
  const { namespace } = await store(t);
  const bad: Migration = () => ["select nonsense"];
  await assert.rejects(
    connected((session) => migrate(session, namespace, [...MIGRATIONS, bad])),
    /nonsense/u,
  );
  assert.deepEqual((await connected((session) => planned(session, namespace))).statements, []);
  const good: Migration = () => ["select 1"];
  assert.equal((await connected((session) => migrate(session, namespace, [...MIGRATIONS, good]))).statements.length, 2);
});
