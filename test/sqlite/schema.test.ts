/** The schema: made from nothing, brought up from an older version, left alone if it is newer or somebody else's. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { dirname } from "node:path";
import { test } from "node:test";
import { prepare } from "../../src/backends/sqlite/driver.ts";
import { sqlite } from "../../src/backends/sqlite/index.ts";
import { MIGRATIONS, type Migration, migrate, planned } from "../../src/backends/sqlite/schema.ts";
import { hasCode } from "../../src/model/errors.ts";
import { rowOf } from "../../src/testing/backend-contract/stage.ts";
import { draft, file, raw, store } from "./bench.ts";

test("planning looks and touches nothing, not even a file that is not there", async (t) => {
  const path = file(t);
  const plan = await sqlite(path).schema?.plan();
  assert.equal(plan?.from, 0);
  assert.equal(plan?.to, MIGRATIONS.length);
  assert.ok(plan?.statements.some((statement) => statement.includes("sidereal_tasks")));
  assert.ok(!existsSync(path));
});

test("migrating without opening makes the schema; opening finds nothing left to do", async (t) => {
  const path = file(t);
  const backend = sqlite(path);
  assert.equal((await backend.schema?.migrate())?.from, 0);
  assert.deepEqual(await backend.schema?.plan(), { from: MIGRATIONS.length, to: MIGRATIONS.length, statements: [] });
  await assert.rejects(backend.now(), (error) => hasCode(error, "STORE_CLOSED"));
  await backend.open();
  t.after(() => backend.close());
  assert.deepEqual(await backend.tally(), []);
});

test("an older version is brought up to date, with its records, while the older worker goes on", async (t) => {
  const { backend, path } = await store(t);
  await backend.insert([draft(1)]);
  const next: Migration = (ns) => [`alter table ${ns}_tasks add column shade text`];
  const migrations = [...MIGRATIONS, next];
  const plan = raw(path, (db) => migrate(db, "sidereal", path, migrations));
  assert.equal(plan.from, MIGRATIONS.length);
  assert.equal(plan.to, MIGRATIONS.length + 1);
  assert.deepEqual(plan.statements, [
    "alter table sidereal_tasks add column shade text",
    `update sidereal_store set schema_version = ${plan.to}`,
  ]);
  assert.deepEqual(raw(path, (db) => planned(db, "sidereal", path, migrations)).statements, []);
  assert.equal((await backend.insert([draft(1), draft(2)]))[1]?.created, true);
  assert.equal((await backend.tally())[0]?.pending, 2);
});

test("a migration that fails leaves the version before, whole", async (t) => {
  const { path } = await store(t);
  const bad: Migration = (ns) => [`alter table ${ns}_tasks add column shade text`, "select nonsense"];
  assert.throws(() => raw(path, (db) => migrate(db, "sidereal", path, [...MIGRATIONS, bad])), /nonsense/u);
  raw(path, (db) => {
    assert.equal(planned(db, "sidereal", path).from, MIGRATIONS.length);
    assert.ok(
      !String(prepare(db, "select sql from sqlite_master where name = 'sidereal_tasks'").get()).includes("shade"),
    );
  });
});

test("a newer schema is refused by name and number", async (t) => {
  const { backend, path } = await store(t);
  await backend.close();
  raw(path, (db) => db.exec("update sidereal_store set schema_version = 99"));
  await assert.rejects(sqlite(path).open(), (error: Error) => {
    assert.ok(hasCode(error, "STORE_SCHEMA"));
    assert.match(error.message, /queue\.db has schema version 99; this version of sidereal knows up to 2/u);
    return true;
  });
});

test("tables of that name that are somebody else's are refused and left alone", async (t) => {
  const path = file(t);
  raw(path, (db) => db.exec("create table sidereal_tasks (mine text); insert into sidereal_tasks values ('precious')"));
  await assert.rejects(sqlite(path).open(), (error: Error) => {
    assert.ok(hasCode(error, "STORE_SCHEMA"));
    assert.match(error.message, /a table sidereal_tasks that is not Sidereal's; choose another namespace/u);
    return true;
  });
  assert.deepEqual(
    raw(path, (db) => prepare(db, "select * from sidereal_tasks").all()),
    [["precious"]],
  );
});

test("namespaces share a file and nothing else; the user's own tables stay", async (t) => {
  const path = file(t);
  raw(path, (db) => db.exec("create table users (name text); insert into users values ('ada')"));
  const { backend: one } = await store(t, { namespace: "one" }, path);
  const { backend: two, rows } = await store(t, { namespace: "two" }, path);
  await one.insert([draft(1)]);
  await one.advance([{ from: null, to: rowOf("daily", { dueAt: 1 }), ticks: [] }]);
  assert.deepEqual(await two.tally(), []);
  assert.deepEqual(await two.schedules({ by: "all", after: null, limit: 10 }), []);
  assert.deepEqual(await two.advance([{ from: null, to: rowOf("daily"), ticks: [] }]), [true]);
  assert.deepEqual(await one.schedules({ by: "next" }), [rowOf("daily", { dueAt: 1 })]);
  assert.deepEqual(rows("select name from users"), [["ada"]]);
});

test("one open store has one namespace", async (t) => {
  const { backend } = await store(t, { namespace: "one" });
  await assert.rejects(backend.open({ namespace: "two" }), (error) => hasCode(error, "CONFIG_CONFLICT"));
  await backend.open({ namespace: "one" });
});

test("a namespace is a word, never SQL", async (t) => {
  for (const namespace of ['x"; drop table users; --', "Tasks", "1st", "a b", "ä", "", "a".repeat(49), "tasks\u0000"]) {
    await assert.rejects(sqlite(file(t)).open({ namespace }), (error) => hasCode(error, "CONFIG_INVALID"), namespace);
  }
});

test("what is no file's name, and values that are no options, are refused at once", () => {
  const refused = (make: () => unknown, message: RegExp): void =>
    assert.throws(make, (error: Error) => hasCode(error, "CONFIG_INVALID") && message.test(error.message));
  refused(() => sqlite(":memory:"), /use memory\(\) for a store in memory/u);
  refused(() => sqlite("file:queue.db?mode=ro"), /give a plain path/u);
  refused(() => sqlite(""), /not the name of a file/u);
  refused(() => sqlite(undefined as unknown as string), /not the name of a file/u);
  refused(() => sqlite("queue.db", { synchronous: "off" as "full" }), /synchronous is "off"/u);
  assert.throws(
    () => sqlite("queue.db", { busyTimeout: "soon" as "5s" }),
    (error) => hasCode(error, "DURATION_INVALID"),
  );
});

test("the last to close leaves no file but the one", async (t) => {
  const { backend, path } = await store(t, { synchronous: "full" });
  await backend.insert([draft(1)]);
  await backend.close();
  assert.ok(readdirSync(dirname(path)).includes("queue.db"));
});
