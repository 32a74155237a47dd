/**
 * What the speed rests on: with many completed, scheduled and unserved records in the way, no statement of a worker or a
 * producer reads more rows than it answers with, give or take. The server counts what it reads; with the statistics of
 * an empty table, and with true ones.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import driver from "mysql2/promise";
import { type MysqlPool, type MysqlStatement, mysql } from "../../src/backends/mysql/index.ts";
import type { QueueBackend } from "../../src/contracts/queue-backend.ts";
import { ROWS, RUNNING, work } from "../sql/work.ts";
import { ADDRESS, freshNamespace, raw, skip, sweep } from "./bench.ts";

/** How many rows a statement over at most 100 records may read; the lanes are fewer than ten. */
const READ = 250;

/** Lapsed leases, and a claim that is asked for again, are looked for among all that runs. */
const OF_RUNNING = /lease_until <|state = 2 and t\.claim =/u;

/** A filtered page looks at so many ids at most to find out where it ends. */
const LOOKED_AT = 10_000;

interface Reading {
  readonly text: string;
  readonly rows: number;
}

/** A pool of one connection that takes note of how many rows each statement made the server read. */
function counting(connection: driver.Connection, readings: Reading[]): MysqlPool {
  const count = async (): Promise<number> => {
    const [rows] = await connection.query({
      sql: "show session status where variable_name in ('Handler_read_next', 'Handler_read_prev', 'Handler_read_rnd_next', 'Handler_read_key', 'Handler_read_first')",
      rowsAsArray: true,
    });
    return (rows as unknown as [string, string][]).reduce((sum, [, value]) => sum + Number(value), 0);
  };
  // What the look itself costs is the same each time.
  const counted = async <T>(statement: MysqlStatement, run: () => Promise<T>): Promise<T> => {
    const before = await count();
    const own = (await count()) - before;
    const start = await count();
    const answer = await run();
    readings.push({ text: statement.sql, rows: (await count()) - start - own });
    return answer;
  };
  return {
    getConnection: async () => ({
      query: (statement) => counted(statement, () => connection.query(statement)),
      execute: (statement) => counted(statement, () => connection.execute(statement)),
      release: () => {},
      destroy: () => {},
    }),
  };
}

describe(`rows read with ${4 * ROWS} records in the way`, { skip }, () => {
  const namespace = freshNamespace();
  before(async () => {
    await mysql(ADDRESS).schema?.migrate({ namespace });
    await raw(`alter table ${namespace}_tasks stats_auto_recalc = 0`);
    await fill(namespace);
  });
  after(sweep);

  for (const [at, name] of ["with the statistics of an empty table", "with true ones"].entries()) {
    it(name, async (t) => {
      const connection = await driver.createConnection({ uri: ADDRESS });
      const readings: Reading[] = [];
      const backend = mysql({ pool: counting(connection, readings) });
      t.after(async () => {
        await backend.close();
        await connection.end();
      });
      if (at > 0) await raw(`analyze table ${namespace}_tasks`);
      await backend.open({ namespace });
      readings.length = 0;
      await work(backend as QueueBackend<never>, at + 1);
      assert.ok(readings.length > 70, `${readings.length} statements were looked at`);
      const bad = readings.filter(({ text, rows }) => {
        const filtered = text.includes(`offset ${LOOKED_AT - 1}`) ? LOOKED_AT : 0;
        return rows > READ + filtered + (OF_RUNNING.test(text) ? RUNNING : 0);
      });
      assert.deepEqual(bad, []);
    });
  }
});

/** Completed, scheduled with a higher priority, of another queue that nobody serves, running elsewhere, and ready ones. */
async function fill(namespace: string): Promise<void> {
  const columns = "queue, task_name, priority, weight, state, ready_at, at, finished_at, alarm, claim, lease_until";
  const put = (from: number, rows: number, values: string): Promise<unknown> =>
    raw(
      `insert into ${namespace}_tasks (id, execution, policy, created_at, queued_at, seq, ${columns})
      select lower(concat('0192d3a4-b5c6-7000-8000-', lpad(hex(${from} + n), 12, '0'))), 'local', '[3,"fixed",0,1,0,0,null,1]', 1, 1, n, ${values}
      from (${numbers(rows)}) numbers`,
    );
  const none = "null, null";
  await put(10_000_000, ROWS, `'default', 'mail.send', 0, 0, 0, 1000 + n, 1000 + n, null, null, ${none}`);
  await put(
    20_000_000,
    ROWS,
    `'default', 'mail.send', 5, -5, 0, 9000000000000 + n, 9000000000000 + n, null, null, ${none}`,
  );
  await put(30_000_000, ROWS, `'elsewhere', 'unserved', 9, -9, 0, 1, 1, null, null, ${none}`);
  await put(
    35_000_000,
    RUNNING,
    "'elsewhere', 'mail.send', 0, 0, 2, 1, 1, null, null, concat('of ', n % 10), 9000000000000",
  );
  await put(
    40_000_000,
    ROWS,
    `'default', 'mail.send', 0, 0, if(n % 100 = 0, 4, 3), 1, n, n, if(n % 100 = 0, -1, null), ${none}`,
  );
}

/** The numbers from 1 to so many. */
function numbers(until: number): string {
  const digits = `(${Array.from({ length: 10 }, (_, n) => `select ${n} as n`).join(" union all ")})`;
  const places = Array.from({ length: String(until).length }, (_, at) => at);
  const sum = places.map((at) => `d${at}.n * ${10 ** at}`).join(" + ");
  return `select 1 + ${sum} as n from ${places.map((at) => `${digits} d${at}`).join(", ")} having n <= ${until}`;
}
