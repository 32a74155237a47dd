/** Completion in a handler's transaction on MariaDB; and what a handler's connection is like. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import driver from "mysql2/promise";
import { type MysqlTransaction, mysql } from "../../src/backends/mysql/index.ts";
import type { QueueBackend } from "../../src/contracts/queue-backend.ts";
import { QueueService, task, Worker } from "../../src/index.ts";
import { exerciseHands } from "../sql/hands.ts";
import { exerciseJoint, type JointServer } from "../sql/zombies.ts";
import { ADDRESS, freshNamespace, raw, server, skip, store, sweep } from "./bench.ts";

const namespaces = [freshNamespace(), freshNamespace(), freshNamespace()] as const;
const pool = driver.createPool({ uri: ADDRESS, connectionLimit: 12 });
const effects: JointServer<MysqlTransaction>["effects"] = async () =>
  (await raw("select name from effects")).map(([name]) => name);
const insert: JointServer<MysqlTransaction>["insert"] = (tx, name) =>
  (tx as driver.PoolConnection).query("insert into effects values (?)", [name]);

before(async () => {
  if (skip === false) await raw("create table effects (name varchar(200) check (name <> '0'))");
});
after(async () => {
  await pool.end();
  await sweep();
});

describe("by an address", () => {
  exerciseJoint({ skip, namespace: namespaces[0], store: () => mysql(ADDRESS), insert, effects });
});
describe("by a pool that is lent", () => {
  exerciseJoint({ skip, namespace: namespaces[1], store: () => mysql({ pool }), insert, effects });
});

exerciseHands(server, {
  single: () => {
    const one = driver.createPool({ uri: ADDRESS, connectionLimit: 1 });
    return [mysql({ pool: one }) as QueueBackend<unknown>, () => one.end()];
  },
  insert: (tx, name) => insert(tx as MysqlTransaction, name),
  effects,
});

describe("a handler's connection", { skip }, () => {
  it("is at READ COMMITTED, and its session is as the server has it", async (t) => {
    const { backend } = await store(t);
    const ask = "select @@sql_mode as mode, @@innodb_lock_wait_timeout as wait";
    const seen = await backend.transaction?.(async (tx) => {
      const connection = tx as driver.PoolConnection;
      await connection.query("insert into effects values ('level')");
      const [level] = await connection.query({
        sql: "select trx_isolation_level from information_schema.innodb_trx where trx_mysql_thread_id = connection_id()",
        rowsAsArray: true,
      });
      const [rows] = await connection.query({ sql: ask, rowsAsArray: true });
      return [level, rows];
    });
    assert.deepEqual(seen, [[["READ COMMITTED"]], await raw(ask)]);
  });

  it("after a deadlock that the body swallows, the record is not completed", async (t) => {
    const service = await new QueueService({ queueBackend: mysql(ADDRESS), namespace: namespaces[2] }).open();
    t.after(() => service.close());
    await raw("create table pairs (id int primary key, n int)");
    await raw("insert into pairs values (1, 0), (2, 0)");
    let codes: unknown[] = [];
    let waiting = 0;
    let both = (): void => {};
    const met = new Promise<void>((resolve) => {
      both = resolve;
    });
    const cross = task("joint.cross", { retries: 3, backoff: "1ms" }, (input: { first: number }, ctx) =>
      ctx
        .transaction(async (tx: driver.PoolConnection) => {
          const update = (id: number): Promise<unknown> => tx.query("update pairs set n = n + 1 where id = ?", [id]);
          await update(input.first);
          waiting += 1;
          if (waiting === 2) both();
          await met;
          await update(3 - input.first).catch((error: { code: string }) => codes.push(error.code));
          await tx.query("insert into effects values (?)", [`cross ${input.first}`]);
        })
        .catch((error: unknown) => {
          codes = [...codes, (error as { code?: unknown }).code];
          throw error;
        }),
    );
    const handles = await service.enqueueMany(cross, [{ first: 1 }, { first: 2 }]);
    const worker = await new Worker(service).start();
    t.after(() => worker.stop({ force: true }));
    for (const handle of handles) await handle.result({ timeout: "30s" });
    assert.deepEqual(codes, ["ER_LOCK_DEADLOCK", "OPTION_INVALID"]);
    assert.deepEqual(await raw("select n from pairs"), [[2], [2]]);
  });
});
