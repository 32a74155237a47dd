/** Enqueueing inside the caller's own transaction: there when it commits, gone when it does not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SqliteTransaction } from "../../src/backends/sqlite/index.ts";
import { hasCode } from "../../src/model/errors.ts";
import { connect, draft, drafts, file, store } from "./bench.ts";

test("the record is there for others when the caller commits, and the store is told", async (t) => {
  const { backend, path } = await store(t);
  const own = connect(path);
  t.after(() => own.close());
  const hinted = new Promise<string>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error("no hint within 10 s")), 10_000);
    backend.signals?.subscribe((hint) => {
      clearTimeout(late);
      resolve(hint.about);
    });
  });
  own.exec("create table orders (name text)");
  own.exec("begin immediate");
  own.exec("insert into orders values ('first')");
  const [insertion] = (await backend.within?.(own).insert([draft(1)])) ?? [];
  assert.equal(insertion?.created, true);
  assert.deepEqual(await backend.tally(), []);
  own.exec("commit");
  assert.equal((await backend.tally())[0]?.pending, 1);
  assert.equal(await hinted, "work");
});

test("nothing is left when the caller rolls back", async (t) => {
  const { backend, path, rows } = await store(t);
  const own = connect(path);
  t.after(() => own.close());
  own.exec("begin immediate");
  await backend.within?.(own).insert(drafts(20));
  own.exec("rollback");
  assert.deepEqual(rows("select count(*) from sidereal_tasks"), [[0]]);
});

test("a batch that fails in the middle leaves the caller's transaction as it was", async (t) => {
  const { backend, path, rows } = await store(t);
  const own = connect(path);
  t.after(() => own.close());
  own.exec("begin immediate");
  await backend.within?.(own).insert([draft(1)]);
  const broken = { ...draft(3), record: { ...draft(3).record, input: Symbol("no text") as unknown as string } };
  await assert.rejects(async () => backend.within?.(own).insert([draft(2), broken]));
  own.exec("commit");
  assert.deepEqual(rows("select id from sidereal_tasks"), [["task-000001"]]);
});

test("a connection that answers with objects only, as other libraries' do, serves as well", async (t) => {
  const { backend, path } = await store(t);
  await backend.insert([draft(1, { key: "k" })]);
  const own = connect(path);
  t.after(() => own.close());
  const plain: SqliteTransaction = {
    prepare: (sql) => {
      const statement = own.prepare(sql);
      return {
        run: (...values) => statement.run(...values),
        all: (...values) => statement.all(...values),
        get: (...values) => statement.get(...values),
      };
    },
  };
  own.exec("begin immediate");
  const insertions = await backend.within?.(plain).insert([draft(1), draft(2, { key: "k" }), draft(3)]);
  own.exec("commit");
  assert.deepEqual(
    insertions?.map((insertion) =>
      insertion.created ? insertion.record.id : `${insertion.by} ${insertion.record.id}`,
    ),
    ["id task-000001", "key task-000001", "task-000003"],
  );
});

test("a connection without a transaction, or to another file, is refused", async (t) => {
  const { backend, path } = await store(t);
  const refused = (connection: SqliteTransaction, message: RegExp): Promise<void> =>
    assert.rejects(
      async () => backend.within?.(connection).insert([draft(1)]),
      (error: Error) => hasCode(error, "OPTION_INVALID") && message.test(error.message),
    );
  const idle = connect(path);
  const other = connect(file(t, "other.db"));
  t.after(() => idle.close());
  t.after(() => other.close());
  await refused(idle, /the connection has no open transaction; begin one first/u);
  other.exec("begin");
  await refused(other, /the connection does not have .*queue\.db open/u);
  await backend.close();
  await assert.rejects(
    async () => backend.within?.(idle).insert([draft(1)]),
    (error) => hasCode(error, "STORE_CLOSED"),
  );
});
