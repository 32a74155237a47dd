// Sidereal on MySQL or MariaDB, every setting at its default.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createConnection } from "mysql2/promise";
import { dist } from "../lib/paths.mjs";
import { bytesOf } from "./mysql-raw.mjs";
import { openSidereal } from "./sidereal.mjs";

const DUE = `select exists(select 1 from sidereal_tasks where state = 0 and queue = 'default' and task_name = 'bench'
    and execution = 'local' and weight = 0 and at <= unix_timestamp(now(6)) * 1000)
  or exists(select 1 from sidereal_tasks where state in (1, 2)) as found`;

export default {
  name: "sidereal",
  store: "mysql",
  package: "mysql2",
  how: "mysql2, innodb_flush_log_at_trx_commit 1, pool of 4 (the default), worker at defaults, records kept",
  bulkInFlight: 4,
  async open({ url, onClaim }) {
    const { mysql } = await import(pathToFileURL(join(dist, "backends/mysql/index.js")).href);
    const queue = await openSidereal(mysql(url), onClaim);
    const connection = await createConnection(url);
    return {
      ...queue,
      unfinished: async () => queue.busy() || (await connection.query(DUE))[0][0].found === 1,
      bytes: () => bytesOf(connection),
      /** Copies a finished record inside the store under ids of its own. */
      async seedCompleted(count) {
        const [columns] = await connection.query(
          "select group_concat(concat('`', column_name, '`') separator ', ') as list from information_schema.columns where table_schema = database() and table_name = 'sidereal_tasks' and column_name not in ('id', 'seq', 'key')",
        );
        const { list } = columns[0];
        await connection.query("create temporary table model as select * from sidereal_tasks where state = 3 limit 1");
        const numbers = "with recursive n (i) as (select 1 union all select i + 1 from n where i < ?) select i from n";
        await connection.query("set max_recursive_iterations = 4294967295").catch(() => {});
        for (let from = 0; from < count; from += 50_000) {
          await connection.query(
            `insert into sidereal_tasks (id, seq, ${list})
             select concat('00000000-0000-7000-8000-', lpad(hex(i + ?), 12, '0')), i + ?, ${list} from (${numbers}) n, model`,
            [from, from, Math.min(50_000, count - from)],
          );
        }
      },
      /** Pins a snapshot; the answer ends it. The server counts what it keeps because of it, over all databases. */
      async pin() {
        const pin = await createConnection(url);
        await pin.query("set transaction isolation level repeatable read");
        await pin.query("start transaction with consistent snapshot");
        await pin.query("select count(*) from sidereal_tasks");
        return async () => {
          const [rows] = await connection.query(
            "select count as kept from information_schema.innodb_metrics where name = 'trx_rseg_history_len'",
          );
          await pin.end();
          return [Number(rows[0].kept), "undo logs"];
        };
      },
      async close() {
        await connection.end();
        await queue.close();
      },
    };
  },
};
