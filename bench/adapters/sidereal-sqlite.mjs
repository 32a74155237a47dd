// Sidereal on SQLite, every setting at its default.
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { dist } from "../lib/paths.mjs";
import { openSidereal } from "./sidereal.mjs";

export default {
  name: "sidereal",
  store: "sqlite",
  how: "node:sqlite, journal_mode=WAL, synchronous=NORMAL (the default), worker at defaults",
  bulkInFlight: 1,
  async open({ file }) {
    const { sqlite } = await import(pathToFileURL(join(dist, "backends/sqlite/index.js")).href);
    const queue = await openSidereal(sqlite(file));
    const db = new DatabaseSync(file);
    db.exec("pragma busy_timeout = 5000");
    const due = db.prepare(
      `select exists(select 1 from sidereal_tasks where state = 0 and queue = 'default' and task_name = 'bench'
         and execution = 'local' and priority = 0 and ready_at <= ?)
       or exists(select 1 from sidereal_tasks where state in (1, 2)) as found`,
    );
    return {
      ...queue,
      unfinished: async () => due.get(Date.now()).found === 1,
      /** Copies a finished record inside the store, so that a million of them take seconds. */
      async seedCompleted(count) {
        const columns = db
          .prepare("select name from pragma_table_info('sidereal_tasks')")
          .all()
          .map(({ name }) => name)
          .filter((name) => name !== "seq" && name !== "id");
        db.prepare(
          `insert into sidereal_tasks (id, ${columns.join(", ")})
           with recursive counter(i) as (select 1 union all select i + 1 from counter where i < ?)
           select printf('00000000-0000-7000-8000-%012x', i), ${columns.map((name) => `model.${name}`).join(", ")}
           from (select * from sidereal_tasks where state = 3 limit 1) as model, counter`,
        ).run(count);
        db.exec("pragma wal_checkpoint(truncate)");
      },
      async close() {
        db.close();
        await queue.close();
      },
    };
  },
};
