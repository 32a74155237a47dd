/** Reading records: each query along one index; live and ended records as one. */
import type { Page, PageQuery, RecordQuery } from "../../contracts/queue-backend.ts";
import type { TaskRecord } from "../../model/record.ts";
import { STATES } from "../sql/columns.ts";
import type { Lane } from "../sql/lane-hints.ts";
import type { Text, TextRow } from "../sql/port.ts";
import { type Finding, inOrderOf, isOfDead, LOOKED_AT } from "../sql/reading.ts";
import type { Damage } from "../sql/salvage.ts";
import { restored, stored } from "../sql/text.ts";
import { NAMES, salvaged } from "../sql/text-rows.ts";
import type { Context } from "./context.ts";
import { everyLane, gapsIn, lanesBetween, toldIn } from "./lane-search.ts";
import { allOf, type Names } from "./names.ts";
import { listed } from "./sheet.ts";

/** The records of one query. */
export async function find(context: Context, query: RecordQuery, { damages, lanes }: Finding): Promise<TaskRecord[]> {
  if (query.by === "id" && query.ids.length === 0) return [];
  const rows = await rowsOf(context, query, lanes);
  const records = rows.map((row) => salvaged(row, damages));
  return query.by === "id" ? inOrderOf(query.ids, records) : records;
}

function rowsOf(context: Context, query: RecordQuery, lanes: readonly Lane[] | undefined): Promise<readonly TextRow[]> {
  const { names } = context;
  const { live, done } = names;
  const all = allOf("t");
  switch (query.by) {
    case "id": {
      const ids = `t.id = any(array(${listed("$1")}))`;
      const text = `select ${all} from ${live} t where ${ids} union all select ${all} from ${done} t where ${ids}`;
      return context.session.query(text, [JSON.stringify(query.ids.map(stored))]);
    }
    case "key":
      return context.session.query(`select ${all} from ${live} t where t.key is not null and t.key = $1::text`, [
        stored(query.key),
      ]);
    case "lapsed":
      return paged(context, "c.state in (1, 2) and c.lease_until < (select now from k)", query);
    case "expired":
      return paged(context, "c.state = 0 and c.expires_at is not null and c.expires_at <= (select now from k)", query);
    case "cancelling":
      return paged(context, "c.state in (1, 2) and c.cancel_requested_at is not null", query);
    case "next":
      return context.timed(next(names, lanes !== undefined), [
        query.queues === null ? null : JSON.stringify(query.queues.map(stored)),
        ...(lanes === undefined ? [] : [...toldIn(lanes), gapsIn(lanes)]),
      ]);
  }
}

/** Of few records all, then a page of them: their own index finds them, and the one of ids must not be walked for them. */
function paged(
  context: Context,
  condition: string,
  { after, limit }: { after: string | null; limit: number },
): Promise<readonly TextRow[]> {
  const { live, now } = context.names;
  const text = `with k as materialized (select ${now} as now),
    few as materialized (select c.id from ${live} c where ${condition}),
    page as materialized (select id from few where $2::text is null or id > $2::text order by id limit $3::text::bigint)
    select ${allOf("t")} from ${live} t where t.id = any(array(select id from page)) order by t.id`;
  return context.timed(text, [after === null ? null : stored(after), String(limit)]);
}

/** The pending record that becomes ready next: the first of each lane in the future, and of those the first. */
function next({ live, now }: Names, told: boolean): string {
  return `with recursive k as materialized (select ${now} as now), ${told ? lanesBetween(live, 3) : everyLane(live)},
    first as materialized (select n.id from lane s cross join lateral (select c.id, c.ready_at, c.seq from ${live} c
        where c.state = 0 and c.queue = s.queue and c.task_name = s.task_name and c.execution = s.execution and -c.priority = s.rank
          and c.ready_at > (select now from k) order by c.ready_at, c.seq limit 1) n
      where $2::text is null or s.queue = any(array(${listed("$2")})) order by n.ready_at, n.seq limit 1)
    select ${allOf("t")} from ${live} t where t.id = any(array(select id from first))`;
}

/** One page by id; only the records between `after` and the boundary are looked at. */
export async function page(context: Context, query: PageQuery, damages: Damage[]): Promise<Page> {
  const { queues, tasks, states, limit } = query;
  if (queues?.length === 0 || tasks?.length === 0 || states?.length === 0) return { records: [], next: null };
  const filters = [queues?.map(stored), tasks?.map(stored), states?.map((state) => String(STATES.indexOf(state)))];
  const filtered = filters.some((filter) => filter !== undefined);
  const values: Text[] = [
    query.after === null ? null : stored(query.after),
    String(limit),
    ...(filtered ? filters : []).map((filter) => (filter === undefined ? null : JSON.stringify(filter))),
  ];
  const rows = await context.session.query(paging(context.names, query, filtered), values);
  const [boundary, ...found] = filtered ? rows : [[null] as const, ...rows];
  const end = boundary?.[0] ?? null;
  const records = found.map((row) => salvaged(row, damages));
  return { records, next: records.length < limit ? end && restored(end) : (records.at(-1)?.id ?? null) };
}

/**
 * Parameters: after (or null), limit, and queues, tasks, states, each as JSON or null. Answers with the records; where
 * they are filtered, the first row is the boundary alone.
 */
function paging({ live, done }: Names, { order, after, states }: PageQuery, filtered: boolean): string {
  const [direction, onward, until] = order === "newest" ? ["desc", "<", ">="] : ["asc", ">", "<="];
  const dead = isOfDead(states);
  const places = (states ?? STATES).map((state) => STATES.indexOf(state));
  const tables = [
    ...(places.some((place) => place < 3) ? [live] : []),
    ...(places.some((place) => place >= 3) ? [done] : []),
  ];
  const where = `${after === null ? "$1::text is null" : `t.id ${onward} $1::text`}${dead ? " and t.state >= 4" : ""}`;
  const union = (columns: string, more: string, limit: string): string =>
    tables
      .map(
        (table) =>
          `(select ${columns} from ${table} t where ${where}${more} order by t.id ${direction} limit ${limit})`,
      )
      .join(" union all ");
  const records = (more: string): string =>
    `select ${NAMES.join(", ")} from (${union(allOf("t"), more, "$2::text::bigint")}) p order by id ${direction} limit $2::text::bigint`;
  if (!filtered) return records("");
  const among = (column: string, at: number, type = "text"): string =>
    ` and ($${at}::text is null or t.${column} = any(array(select v::${type} from json_array_elements_text($${at}::text::json) v)))`;
  const filter = `${among("queue", 3)}${among("task_name", 4)}${among("state", 5, "integer")}`;
  const nulls = NAMES.slice(1).map((name) => `null as ${name}`);
  return `with b as materialized (select (select id from (${union("t.id", "", `${LOOKED_AT}`)}) i order by id ${direction} limit 1 offset ${LOOKED_AT - 1}) as id)
    select b.id, ${nulls.join(", ")} from b
    union all select * from (${records(`${filter} and ((select id from b) is null or t.id ${until} (select id from b))`)}) r`;
}
