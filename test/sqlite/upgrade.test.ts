/** From an older schema to the current one: what was stored is all there, and workers of the older version go on beside. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { type OwnConnection, prepare } from "../../src/backends/sqlite/driver.ts";
import { sqlite } from "../../src/backends/sqlite/index.ts";
import { COLUMNS } from "../../src/backends/sqlite/rows.ts";
import { MIGRATIONS, migrate, planned } from "../../src/backends/sqlite/schema.ts";
import { cancelled, completed, revived } from "../../src/model/lifecycle.ts";
import type { TaskRecord } from "../../src/model/record.ts";
import { allRecords } from "../../src/testing/records.ts";
import { recordIn, STATES } from "../model/records.ts";
import { connect, draft, drafts, file, raw, request, store } from "./bench.ts";
import { make, OldWorker, version1 } from "./schemas/versions.ts";

const ORIGIN = { kind: "schedule", schedule: "daily", scheduledFor: 5 } as const;

/** A file that version 1 made, with a record in every state, and others that nothing but a text tells apart. */
function oldFile(t: TestContext): { path: string; records: TaskRecord[] } {
  const path = file(t);
  const records = STATES.map((state, n) => ({
    ...recordIn(state, { tags: n % 2 ? ["a", "é"] : [], metadata: n % 2 ? '{"by":"ada"}' : null }),
    id: `old-${n}`,
    key: state === "pending" ? "k" : null,
    finishedAt: ["completed", "failed", "cancelled"].includes(state) ? 1_000 + n : null,
  }));
  raw(path, (db) => {
    make(db, version1);
    const worker = new OldWorker(db, version1);
    for (const record of records) worker.put(record);
    worker.run("take", "unique:forever", "old-9", null, '"stored"');
    worker.run("writeStore", 1_900_000_000_000, 3, 2, 1);
  });
  return { path, records };
}

/** A connection of a worker of version 1, closed after the test. */
function oldWorker(t: TestContext, path: string): OldWorker {
  const connection: OwnConnection = connect(path);
  t.after(() => connection.close());
  return new OldWorker(connection, version1);
}

test("the frozen columns are the first of today's", () => {
  assert.deepEqual(
    version1.columns,
    COLUMNS.slice(0, version1.columns.length).map(([name]) => name),
  );
  assert.deepEqual(version1.migration, MIGRATIONS[0]?.("sidereal"), "a migration is never changed");
});

test("the plan from version 1 names every statement and touches nothing", async (t) => {
  const { path } = oldFile(t);
  const before = readFileSync(path);
  const plan = await sqlite(path).schema?.plan();
  assert.deepEqual([plan?.from, plan?.to], [1, MIGRATIONS.length]);
  const text = plan?.statements.join("\n") ?? "";
  for (const part of ["add column origin", "add column revivals", "sidereal_schedules", "schema_version = 2"]) {
    assert.ok(text.includes(part), part);
  }
  assert.deepEqual(readFileSync(path), before);
  // What it names is what is done, and all of it.
  raw(path, (db) => {
    for (const statement of plan?.statements ?? []) db.exec(statement);
    assert.deepEqual(planned(db, "sidereal", path).statements, []);
  });
});

test("what version 1 wrote is found, claimed, finished and brought back", async (t) => {
  const { path, records } = oldFile(t);
  const { backend } = await store(t, {}, path);
  const known = records.map((record) => ({ ...record, origin: null, revivals: 0 }));
  assert.deepEqual(await allRecords(backend), known);
  assert.ok((await backend.now()) >= 1_900_000_000_000, "the clock goes on");
  assert.deepEqual(
    (await backend.held("unique:")).map(({ holder }) => holder),
    ["old-9"],
  );
  assert.deepEqual(await backend.schedules({ by: "all", after: null, limit: 10 }), []);
  const ended = known.filter(({ state }) => state === "failed" || state === "cancelled");
  const badly = await backend.page({ order: "oldest", after: null, limit: 10, states: ["failed", "cancelled"] });
  assert.deepEqual(badly.records, ended);
  const [claimed] = await backend.claim(request(10));
  assert.deepEqual([claimed?.id, claimed?.revivals], ["old-0", 0]);
  const running = known.find(({ state }) => state === "running") as TaskRecord;
  const now = await backend.now();
  assert.deepEqual(await backend.apply([{ from: running, to: completed(running, { now, result: "1" }) }]), [true]);
  const [failed] = ended as [TaskRecord];
  const again = revived(failed, { now });
  assert.deepEqual(await backend.apply([{ from: failed, to: again }]), [true]);
  assert.deepEqual(await backend.find({ by: "id", ids: [failed.id] }), [again]);
  assert.equal(again.revivals, 1);
  assert.equal(await backend.prune({ states: ["completed"], before: 1_100, limit: 10 }), 1);
});

test("every statement of version 1 still means something after the migration", async (t) => {
  const { path } = oldFile(t);
  await store(t, {}, path);
  const worker = oldWorker(t, path);
  raw(path, (db) => {
    for (const [name, sql] of Object.entries(version1.statements)) {
      assert.doesNotThrow(() => db.prepare(sql), name);
    }
  });
  assert.ok(Object.keys(version1.statements).length > 40);
  assert.equal(worker.rows("created", "", 10, null, null, null).length, STATES.length);
});

test("a worker of version 1 that still runs stores, claims, finishes and brings back, and loses nothing", async (t) => {
  const { path } = oldFile(t);
  const { backend } = await store(t, {}, path);
  const old = oldWorker(t, path);
  const now = await backend.now();

  // Id, task, queue, execution, profile, priority, input, policy, time-out, deadline, metadata, tags, description, key, time.
  const theirs = [
    "o-1",
    "mail.send",
    "default",
    "local",
    null,
    0,
    "1",
    policyOf(old),
    null,
    null,
    null,
    null,
    null,
    null,
  ];
  assert.equal(old.run("insertOne", now, ...theirs, now), 1);
  const [stored] = await backend.find({ by: "id", ids: ["o-1"] });
  assert.deepEqual([stored?.origin, stored?.revivals, stored?.state], [null, 0, "pending"]);

  await backend.insert([draft(1, { origin: ORIGIN })]);
  const [seq] = old.rows("exists", "task-000001")[0] as [number];
  assert.ok(
    old
      .rows("ready", "default", "mail.send", "local", 0, await backend.now(), 0, 10)
      .some((row) => row[0] === "task-000001"),
    "it finds ours",
  );
  assert.equal(old.run("claimOne", "t".repeat(32), now, 60_000, "old-worker", seq), 1);
  const [taken] = await backend.find({ by: "id", ids: ["task-000001"] });
  assert.deepEqual([taken?.state, taken?.workerId, taken?.origin], ["running", "old-worker", ORIGIN]);

  const from = taken as TaskRecord;
  const over = cancelled(from, { now, reason: "enough", by: "acknowledge" });
  assert.ok(old.replace(from, over));
  const once = revived(over, { now });
  assert.deepEqual(await backend.apply([{ from: over, to: once }]), [true]);
  const gone = cancelled(once, { now, reason: null, by: "request" });
  assert.ok(old.replace(once, gone), "it cancels what was brought back");
  assert.ok(old.replace(gone, revived(gone, { now })), "and brings it back in its own way, which it does not count");
  const [back] = await backend.find({ by: "id", ids: [from.id] });
  assert.deepEqual([back?.state, back?.origin, back?.revivals], ["pending", ORIGIN, 1]);

  const ours = (await backend.claim(request(10))).find(({ id }) => id === "o-1");
  assert.ok(ours, "we claim what it stored");
  assert.equal(old.run("complete", ours.version + 1, now, "1", ours.id, ours.version, ours.claim), 1);
  assert.equal((await backend.find({ by: "id", ids: ["o-1"] }))[0]?.state, "completed");
});

test("two that open an old file at once bring it up to date once", async (t) => {
  const { path, records } = oldFile(t);
  const stores = [sqlite(path), sqlite(path), sqlite(path)];
  t.after(() => Promise.all(stores.map((one) => one.close())));
  await Promise.all(stores.map((one) => one.open()));
  for (const one of stores) assert.equal((await allRecords(one)).length, records.length);
  raw(path, (db) => assert.deepEqual(migrate(db, "sidereal", path).statements, []));
});

test("an old file of many records is brought up to date without being written anew", async (t) => {
  const path = file(t);
  raw(path, (db) => {
    make(db, version1);
    const worker = new OldWorker(db, version1);
    db.exec("begin");
    for (const { record } of drafts(5_000)) worker.put({ ...record, createdAt: 1 });
    db.exec("commit");
    const pages = (): number => Number(prepare(db, "pragma page_count").get()?.[0]);
    const before = pages();
    migrate(db, "sidereal", path);
    assert.ok(pages() - before < 20, `${pages() - before} pages more for 5,000 records`);
  });
});

/** The text of a policy that the file has already. */
function policyOf(old: OldWorker): string {
  return String(old.rows("byId", "old-0")[0]?.[7]);
}
