/** Enqueueing in the caller's own transaction, at the server's default isolation level, through the service. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import callbacks from "mysql2";
import driver from "mysql2/promise";
import { mysql } from "../../src/backends/mysql/index.ts";
import { QueueService, task } from "../../src/index.ts";
import { hasCode } from "../../src/model/errors.ts";
import { completed } from "../../src/model/lifecycle.ts";
import type { TaskRecord } from "../../src/model/record.ts";
import { draftOf, idOf } from "../../src/testing/backend-contract/stage.ts";
import { CLAIM } from "../sql/server.ts";
import { ADDRESS, DATABASE, freshNamespace, raw, skip, store, sweep } from "./bench.ts";

after(sweep);

const welcome = task("mail.welcome", async (input: { readonly name: string }) => `mail to ${input.name}`);

test("the task exists with the caller's own row, and not without it", { skip }, async (t) => {
  const namespace = freshNamespace();
  const service = await new QueueService({ queueBackend: mysql(ADDRESS), namespace }).open();
  const connection = await driver.createConnection({ uri: ADDRESS });
  t.after(async () => {
    await connection.end();
    await service.close();
  });
  await raw("create table users (name varchar(100))");
  for (const end of ["rollback", "commit"]) {
    await connection.beginTransaction();
    await connection.query("insert into users values (?)", [end]);
    await service.enqueue(welcome, { name: end }, { tx: connection });
    await service.enqueueMany(
      welcome,
      [0, 1, 2].map((n) => ({ name: `${end} ${n}` })),
      { tx: connection },
    );
    assert.equal((await service.counts()).total, 0, "nobody else sees them yet");
    await connection.query(end);
  }
  assert.deepEqual(await raw("select name from users"), [["commit"]]);
  assert.equal((await service.counts()).pending, 4);
});

test("in a transaction that began to read before, the present holder of an id or key is found", { skip }, async (t) => {
  const { backend } = await store(t);
  const connection = callbacks.createConnection({ uri: ADDRESS });
  t.after(() => connection.destroy());
  const tx = connection.promise();
  await tx.query("set transaction isolation level repeatable read");
  await tx.query("start transaction with consistent snapshot");
  const [holder] = await backend.insert([draftOf(idOf(1), { key: "k" }), draftOf(idOf(4))]);
  const fresh = draftOf(idOf(3));
  const answers = await backend.within?.(connection).insert([draftOf(idOf(1)), draftOf(idOf(2), { key: "k" }), fresh]);
  assert.deepEqual(
    answers?.map((answer) => (answer.created ? "new" : answer.by)),
    ["id", "key", "new"],
  );
  assert.deepEqual(answers?.[0]?.record, holder?.record);
  const [taken] = (await backend.claim(CLAIM)) as [TaskRecord];
  const to = completed(taken, { now: 1, result: "1" });
  assert.deepEqual(await backend.within?.(connection).apply([{ from: taken, to }]), [true]);
  await tx.query("commit");
  assert.deepEqual(await backend.find({ by: "id", ids: [taken.id] }), [to]);
});

test("two transactions under one key: the second waits, and is answered with what the first committed", {
  skip,
}, async (t) => {
  const { backend } = await store(t);
  const first = await driver.createConnection({ uri: ADDRESS });
  t.after(() => first.end());
  await first.beginTransaction();
  await backend.within?.(first).insert([draftOf(idOf(1), { key: "k" })]);
  const second = backend.insert([draftOf(idOf(2), { key: "k" })]);
  await waitingForLock();
  await first.commit();
  const [answer] = await second;
  assert.equal(answer?.created, false);
  assert.equal(answer?.record.id, idOf(1));
});

test("what the caller asks for with last_insert_id is the caller's", { skip }, async (t) => {
  const { backend } = await store(t);
  const connection = await driver.createConnection({ uri: ADDRESS });
  t.after(() => connection.end());
  await connection.query("create table orders (id bigint auto_increment primary key)");
  await connection.query("alter table orders auto_increment = 4711");
  await connection.beginTransaction();
  await connection.query("insert into orders values ()");
  await backend.within?.(connection).insert([draftOf(idOf(1))]);
  const [rows] = await connection.query({ sql: "select last_insert_id()", rowsAsArray: true });
  assert.deepEqual(rows, [[4711]]);
  await connection.commit();
});

test("what is no connection is refused", { skip }, async (t) => {
  const { backend } = await store(t);
  const pool = driver.createPool({ uri: ADDRESS });
  t.after(() => pool.end());
  for (const tx of [{}, null, "tx", { query: () => {} }, pool]) {
    const call = backend.within?.(tx as never).insert([draftOf(idOf(1))]);
    const code = tx === pool ? "OPTION_INVALID" : "TRANSACTION_UNSUPPORTED";
    await assert.rejects(Promise.resolve(call), (error) => hasCode(error, code));
  }
});

/** Resolves once an insert is under way, which can only be one that waits. */
async function waitingForLock(): Promise<void> {
  const text = "select 1 from information_schema.processlist where db = ? and info like 'insert into %'";
  while ((await raw(text, [DATABASE])).length === 0);
}
