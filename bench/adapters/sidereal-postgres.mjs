// Sidereal on PostgreSQL, every setting at its default.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import pg from "pg";
import { dist } from "../lib/paths.mjs";
import { openSidereal } from "./sidereal.mjs";

const DUE = `select exists(select from sidereal.live where state = 0 and queue = 'default' and task_name = 'bench'
    and execution = 'local' and -priority = 0 and ready_at <= extract(epoch from clock_timestamp()) * 1000)
  or exists(select from sidereal.live where state in (1, 2)) as found`;

/** A copy of the one finished record under ids of its own, so that a million of them take seconds. */
const seeding = (columns) => `insert into sidereal.done (id, ${columns})
  select '00000000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'), ${columns}
  from (select * from sidereal.done limit 1) model, generate_series(1, $1::integer) i`;

export default {
  name: "sidereal",
  store: "postgres",
  how: "pg, fsync and synchronous_commit on, pool of 4 (the default), worker at defaults, records kept",
  bulkInFlight: 4,
  async open({ url, onClaim }) {
    const { postgres } = await import(pathToFileURL(join(dist, "backends/postgres/index.js")).href);
    const queue = await openSidereal(postgres(url), onClaim);
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    return {
      ...queue,
      unfinished: async () => queue.busy() || (await client.query({ name: "due", text: DUE })).rows[0].found,
      bytes: async () =>
        Number((await client.query("select pg_database_size(current_database()) as size")).rows[0].size),
      async seedCompleted(count) {
        const { rows } = await client.query(
          "select string_agg(quote_ident(column_name), ', ') as list from information_schema.columns where table_schema = 'sidereal' and table_name = 'done' and column_name <> 'id'",
        );
        await client.query(seeding(rows[0].list), [count]);
      },
      /** Pins a snapshot; the answer ends it, and tells how many dead rows were kept because of it. */
      async pin() {
        const pin = new pg.Client({ connectionString: url });
        await pin.connect();
        await pin.query("begin isolation level repeatable read");
        await pin.query("select count(*) from sidereal.live");
        return async () => {
          const { rows } = await client.query(
            "select sum(n_dead_tup)::text as dead from pg_stat_user_tables where schemaname = 'sidereal'",
          );
          await pin.end();
          return [Number(rows[0].dead), "dead rows"];
        };
      },
      async close() {
        await client.end();
        await queue.close();
      },
    };
  },
};
