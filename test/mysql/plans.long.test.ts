/**
 * What the speed rests on: with many completed, scheduled and unserved records in the way, no statement of a worker or a
 * producer reads more rows than it answers with, give or take. The server counts what it reads; with the statistics of
 * an empty table, and with true ones.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import driver from "mysql2/promise";
import { type MysqlPool, type MysqlStatement, mysql } from "../../src/backends/mysql/index.ts";
import type { QueueBackend } from "../../src/contracts/queue-backend.ts";
import { completed, noted } from "../../src/model/lifecycle.ts";
import type { TaskRecord } from "../../src/model/record.ts";
import { draftOf, idOf } from "../../src/testing/backend-contract/stage.ts";
import { ADDRESS, freshNamespace, raw, skip, sweep } from "./bench.ts";

after(sweep);

/** How many records of each kind are in the way. A million rows in all: SIDEREAL_TEST_ROWS=250000. */
const ROWS = Number(process.env["SIDEREAL_TEST_ROWS"] ?? 5_000);

/** How many rows a statement over at most 100 records may read; the lanes are fewer than ten. */
const READ = 250;

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

for (const analyzed of [false, true]) {
  test(`rows read ${analyzed ? "with true statistics" : "with those of an empty table"}`, { skip }, async (t) => {
    const namespace = freshNamespace();
    const connection = await driver.createConnection({ uri: ADDRESS });
    const readings: Reading[] = [];
    const backend = mysql({ pool: counting(connection, readings) });
    t.after(async () => {
      await backend.close();
      await connection.end();
    });
    await backend.open({ namespace });
    await raw(`alter table ${namespace}_tasks stats_auto_recalc = 0`);
    await fill(namespace);
    if (analyzed) await raw(`analyze table ${namespace}_tasks`);
    readings.length = 0;
    await work(backend);
    assert.ok(readings.length > 50, `${readings.length} statements were looked at`);
    for (const { text, rows } of readings) {
      const limit = text.includes(`offset ${LOOKED_AT - 1}`) ? LOOKED_AT + READ : READ;
      assert.ok(rows <= limit, `${rows} rows were read: ${text.slice(0, 2_000)}`);
    }
  });
}

/** Every operation of a worker, a producer and a person, over at most 100 records each. */
async function work(backend: QueueBackend<never> | ReturnType<typeof mysql>): Promise<void> {
  const request = {
    workerId: "w",
    lease: 60_000,
    tasks: ["mail.send", "other"],
    queues: null,
    queueLimits: {},
    executions: ["local"],
  };
  const claim = (n: number, more: object = {}): Promise<readonly TaskRecord[]> =>
    backend.claim({ ...request, token: `${n}`.repeat(32), limit: 100, ...more });
  await backend.insert(Array.from({ length: 100 }, (_, n) => draftOf(idOf(50_000_000 + n), { key: `k${n}` })));
  await backend.insert([draftOf(idOf(50_000_000))]);
  const first = await claim(1);
  assert.equal(first.length, 100);
  assert.equal((await claim(1)).length, 100, "the repeated claim");
  const second = await claim(2, { queueLimits: { default: 10 }, limit: 10 });
  assert.equal(second.length, 10);
  const held = [...first, ...second].map(({ id, claim: token }) => ({ id, claim: token ?? "" }));
  await backend.renew(held.slice(0, 100), 60_000);
  const step = noted(second[0] as TaskRecord, { begun: true });
  await backend.apply([{ from: second[0] as TaskRecord, to: step }]);
  const outcomes = await backend.apply(first.map((from) => ({ from, to: completed(from, { now: 1, result: "1" }) })));
  assert.ok(outcomes.every(Boolean));
  await backend.find({ by: "id", ids: first.map(({ id }) => id) });
  await backend.find({ by: "key", key: "k1" });
  await backend.find({ by: "lapsed", after: null, limit: 100 });
  await backend.find({ by: "expired", after: null, limit: 100 });
  await backend.find({ by: "cancelling", after: null, limit: 100 });
  await backend.find({ by: "next", queues: null });
  await backend.page({ order: "newest", after: null, limit: 100 });
  await backend.page({ order: "oldest", after: idOf(20_000_000), limit: 100 });
  await backend.page({ order: "newest", after: null, limit: 100, states: ["failed"] });
  assert.equal(await backend.prune({ states: ["completed"], before: 2_000, limit: 100 }), 100);
}

/** The numbers from 1 to a million. */
const DIGITS = `(${Array.from({ length: 10 }, (_, n) => `select ${n} as n`).join(" union all ")})`;
const NUMBERS = `select 1 + ${[0, 1, 2, 3, 4, 5].map((at) => `d${at}.n * ${10 ** at}`).join(" + ")} as n from ${[0, 1, 2, 3, 4, 5].map((at) => `${DIGITS} d${at}`).join(", ")}`;

/** Completed, scheduled with a higher priority, of another queue that nobody serves, and ready ones of two tasks. */
async function fill(namespace: string): Promise<void> {
  const put = async (from: number, columns: string, values: string): Promise<void> => {
    await raw(
      `insert into ${namespace}_tasks (id, execution, policy, created_at, queued_at, seq, ${columns})
      select lower(concat('0192d3a4-b5c6-7000-8000-', lpad(hex(${from} + n), 12, '0'))), 'local', '[3,"fixed",0,1,0,0,null,1]', 1, 1, n, ${values}
      from (${NUMBERS}) numbers where n <= ${ROWS}`,
    );
  };
  const columns = "queue, task_name, priority, weight, state, ready_at, at, finished_at, alarm";
  await put(10_000_000, columns, "'default', 'mail.send', 0, 0, 0, 1000 + n, 1000 + n, null, null");
  await put(20_000_000, columns, "'default', 'mail.send', 5, -5, 0, 9000000000000 + n, 9000000000000 + n, null, null");
  await put(30_000_000, columns, "'elsewhere', 'unserved', 9, -9, 0, 1, 1, null, null");
  await put(
    40_000_000,
    columns,
    "'default', 'mail.send', 0, 0, if(n % 100 = 0, 4, 3), 1, n, n, if(n % 100 = 0, -1, null)",
  );
}
