/** The schema: made from nothing, brought up from an older version, left alone if it is newer or somebody else's. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { after, test } from "node:test";
import driver from "mysql2/promise";
import { type Session, sessionOver } from "../../src/backends/mysql/clients/session.ts";
import { mysql } from "../../src/backends/mysql/index.ts";
import { MIGRATIONS, type Migration, migrate, planned } from "../../src/backends/mysql/schema.ts";
import { hasCode } from "../../src/model/errors.ts";
import { draftOf, idOf, rowOf } from "../../src/testing/backend-contract/stage.ts";
import { ADDRESS, freshNamespace, raw, skip, store, sweep } from "./bench.ts";

after(sweep);

async function connected<T>(body: (session: Session) => Promise<T>): Promise<T> {
  const connection = await driver.createConnection({ uri: ADDRESS });
  try {
    return await body(sessionOver(connection));
  } finally {
    await connection.end();
  }
}

const tablesOf = async (namespace: string): Promise<unknown[]> =>
  (await raw("select table_name from information_schema.tables where table_schema = database() order by 1"))
    .flat()
    .filter((name) => String(name).startsWith(`${namespace}_`));

test("a migration is never changed", () => {
  const text = MIGRATIONS.map((migration) => migration("sidereal").join("\n"));
  const prints = text.map((one) => createHash("sha256").update(one).digest("hex").slice(0, 16));
  assert.deepEqual(prints, ["6f40a832a09deac8"]);
});

test("planning looks and makes nothing; what it names is what is done, and all of it", { skip }, async (t) => {
  const namespace = freshNamespace();
  const plan = await mysql(ADDRESS).schema?.plan({ namespace });
  assert.deepEqual([plan?.from, plan?.to], [0, MIGRATIONS.length]);
  assert.deepEqual(await tablesOf(namespace), []);
  for (const statement of plan?.statements ?? []) await raw(statement);
  const backend = mysql(ADDRESS);
  assert.deepEqual((await backend.schema?.plan({ namespace }))?.statements, []);
  t.after(() => backend.close());
  await backend.open({ namespace });
  assert.deepEqual(await backend.tally(), []);
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

const CHILD = `
import { mysql } from ${JSON.stringify(new URL("../../src/backends/mysql/index.js", import.meta.url).href)};
const [address, namespace] = process.argv.slice(1);
const backend = mysql(address);
await backend.open({ namespace });
process.stdout.write(String((await backend.tally()).length));
await backend.close();`;

test("processes that open at once on an empty database all get on", { skip }, async () => {
  const namespace = freshNamespace();
  const one = async (): Promise<[unknown, string]> => {
    const child = spawn(process.execPath, ["--input-type=module", "-e", CHILD, "--", ADDRESS, namespace]);
    let said = "";
    const hear = (piece: unknown): void => {
      said += String(piece);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    const [code] = await once(child, "close");
    return [code, said];
  };
  const ends = await Promise.all([one(), one(), one(), one()]);
  assert.deepEqual(
    ends,
    ends.map(() => [0, "0"]),
  );
  assert.deepEqual(await raw(`select schema_version from ${namespace}_store`), [[MIGRATIONS.length]]);
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

test("a newer schema is refused by name and number, whatever is asked of it", { skip }, async () => {
  const namespace = freshNamespace();
  const backend = mysql(ADDRESS);
  await backend.schema?.migrate({ namespace });
  await raw(`update ${namespace}_store set schema_version = 99`);
  const known = `up to ${MIGRATIONS.length}`;
  const refusal = {
    code: "STORE_SCHEMA",
    message: new RegExp(`tables of ${namespace} have version 99; this version of sidereal knows ${known}`, "u"),
  };
  await assert.rejects(backend.open({ namespace }), refusal);
  await assert.rejects(Promise.resolve(backend.schema?.plan({ namespace })), refusal);
  await assert.rejects(Promise.resolve(backend.schema?.migrate({ namespace })), refusal);
});

test("tables of those names that are somebody else's are refused and left alone", { skip }, async () => {
  const namespace = freshNamespace();
  await raw(`create table ${namespace}_tasks as select 'precious' as mine`);
  await assert.rejects(mysql(ADDRESS).open({ namespace }), {
    code: "STORE_SCHEMA",
    message: /has a table \S+_tasks that is not Sidereal's; choose another namespace/u,
  });
  assert.deepEqual(await raw(`select * from ${namespace}_tasks`), [["precious"]]);
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
  const bad = ["x`; drop table users; --", "Tasks", "1st", "a b", "ä", "", "a".repeat(49), "tasks\u0000", "a.b"];
  for (const namespace of bad) {
    const backend = mysql(ADDRESS);
    const isRefused = (error: unknown): boolean => hasCode(error, "CONFIG_INVALID");
    await assert.rejects(backend.open({ namespace }), isRefused, namespace);
    await assert.rejects(Promise.resolve(backend.schema?.plan({ namespace })), isRefused, namespace);
    await assert.rejects(Promise.resolve(backend.schema?.migrate({ namespace })), isRefused, namespace);
  }
});
