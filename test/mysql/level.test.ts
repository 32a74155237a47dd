/** Every write of the store is at READ COMMITTED, however it reaches the server and whatever its sessions begin as. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import callbacks from "mysql2";
import driver from "mysql2/promise";
import { type MysqlOptions, mysql } from "../../src/backends/mysql/index.ts";
import { cancelled } from "../../src/model/lifecycle.ts";
import { draftOf, idOf } from "../../src/testing/backend-contract/stage.ts";
import { ADDRESS, DATABASE, freshNamespace, raw, skip, sweep } from "./bench.ts";

const pool = callbacks.createPool({ uri: ADDRESS, connectionLimit: 3 });
pool.on("connection", (connection) => connection.query("set session transaction isolation level serializable"));

after(async () => {
  await pool.promise().end();
  await sweep();
});

const ways: Readonly<Record<string, MysqlOptions>> = { "an address": { url: ADDRESS }, "a pool": { pool } };

/** The levels of the transactions that wait for a lock in this database, once there is one. */
async function levels(): Promise<unknown[]> {
  for (;;) {
    // The server shows the same again until nobody has looked for 100 ms.
    await raw("do sleep(0.12)");
    const found = await raw(
      `select t.trx_isolation_level from information_schema.innodb_trx t
        join information_schema.processlist p on p.id = t.trx_mysql_thread_id where p.db = ? and t.trx_state = 'LOCK WAIT'`,
      [DATABASE],
    );
    if (found.length > 0) return found.flat();
  }
}

describe("sessions that begin otherwise", { skip }, () => {
  before(async () => {
    const [[row]] = (await pool.promise().query("select @@tx_isolation as level")) as unknown as [[{ level: string }]];
    assert.equal(row.level, "SERIALIZABLE");
  });

  for (const [name, options] of Object.entries(ways)) {
    it(`by ${name}`, async (t) => {
      const backend = mysql(options);
      const namespace = freshNamespace();
      const other = await driver.createConnection({ uri: ADDRESS });
      t.after(async () => {
        await other.end();
        await backend.close();
      });
      await backend.open({ namespace });
      const [stored] = await backend.insert([draftOf(idOf(1))]);
      assert.ok(stored);
      const from = stored.record;
      const locked = async (write: () => Promise<unknown>): Promise<unknown[]> => {
        await other.query("begin");
        await other.query(`select id from ${namespace}_tasks for update`);
        const writing = write();
        const found = await levels();
        await other.query("rollback");
        await writing;
        return found;
      };
      const to = cancelled(from, { now: 1, reason: null, by: "force" });
      assert.deepEqual(await locked(() => backend.apply([{ from, to }])), ["READ COMMITTED"]);
      assert.deepEqual(await locked(() => backend.insert([draftOf(idOf(1))])), ["READ COMMITTED"]);
      const handlers = async (): Promise<unknown> =>
        backend.transaction?.((tx) => Promise.resolve(backend.within?.(tx).insert([draftOf(idOf(1))])));
      assert.deepEqual(await locked(handlers), ["READ COMMITTED"]);
    });
  }
});
