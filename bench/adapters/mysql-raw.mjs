// No queue at all: what the server does with batches of plain rows. W1: rows one by one, each committed. W2: inserts of
// so many rows. W3: 500 rows locked and claimed, then marked as done, each half a transaction, on four connections.
import { createPool } from "mysql2/promise";
import { payload } from "../lib/paths.mjs";

const BATCH = 500;
const LANES = 4;

const TABLE = `create table if not exists q (id bigint auto_increment primary key, queue varchar(50) not null,
  payload json not null, priority int not null default 0, run_at datetime(3) not null default now(3),
  state tinyint not null default 0, attempts int not null default 0, locked_by varchar(50), locked_at datetime(3),
  created_at datetime(3) not null default now(3), key ready (state, queue, priority, run_at, id)) engine = InnoDB`;
const PICK = `select id, payload from q where state = 0 and queue = 'x' and priority = 0 and run_at <= now(3)
  order by run_at, id limit ${BATCH} for update skip locked`;
const TAKE = "update q set state = 1, attempts = attempts + 1, locked_by = 'w', locked_at = now(3) where id in (?)";

/** What the tables of this database take on disk. */
export async function bytesOf(connection) {
  const [rows] = await connection.query(
    "select sum(file_size) as size from information_schema.innodb_sys_tablespaces where name like concat(database(), '/%')",
  );
  return Number(rows[0].size);
}

/** One transaction of the pool's. */
async function together(pool, body) {
  const connection = await pool.getConnection();
  try {
    await connection.query("set transaction isolation level read committed");
    await connection.query("start transaction");
    const result = await body(connection);
    await connection.query("commit");
    return result;
  } finally {
    connection.release();
  }
}

export default {
  name: "raw batches",
  store: "mysql",
  package: "mysql2",
  how: "plain rows, no queue: W1 one row and commit, pool of 8; W2 inserts of 1,000 rows; W3 claim 500 + mark 500, 4 connections",
  only: ["W1", "W2", "W3"],
  bulkInFlight: 4,
  async open({ url }) {
    const pool = createPool({ uri: url, connectionLimit: 8 });
    await pool.query(TABLE);
    const insert = (rows) => pool.query("insert into q (queue, payload) values ?", [rows]);
    let isDone = false;
    const lane = async (onTask) => {
      for (;;) {
        const rows = await together(pool, async (connection) => {
          const [found] = await connection.query(PICK);
          if (found.length > 0) await connection.query(TAKE, [found.map(({ id }) => id)]);
          return found;
        });
        if (rows.length === 0) return;
        for (const row of rows) onTask(typeof row.payload === "string" ? JSON.parse(row.payload) : row.payload);
        await pool.query("update q set state = 2 where id in (?)", [rows.map(({ id }) => id)]);
      }
    };
    return {
      enqueue: (id, at) => insert([["x", JSON.stringify(payload(id, at))]]),
      enqueueMany: (first, count) =>
        insert(Array.from({ length: count }, (_, index) => ["x", JSON.stringify(payload(first + index))])),
      async work(onTask) {
        void Promise.all(Array.from({ length: LANES }, () => lane(onTask))).then(() => {
          isDone = true;
        });
      },
      unfinished: async () => !isDone,
      bytes: () => bytesOf(pool),
      close: () => pool.end(),
    };
  },
};
