/** Counts per queue, and the removal of old records. */
import type { PruneQuery, Tally } from "../../contracts/queue-backend.ts";
import { STATES } from "../sql/columns.ts";
import { talliesIn } from "../sql/tallies.ts";
import { stored } from "../sql/text.ts";
import type { Context } from "./context.ts";
import { listed } from "./sheet.ts";

/** Counts, by index alone; in one statement, so that no record is counted twice or missed on its way. */
export async function tally(context: Context, queues: readonly string[] | undefined): Promise<Tally[]> {
  const { live, done, now } = context.names;
  const of = queues === undefined ? "$2::text is null" : `queue = any(array(${listed("$2")}))`;
  const text = `with k as materialized (select ${now} as now), counts as (
      select queue, 0 as state, count(*) filter (where ready_at <= k.now) as ready, count(*) as n, min(ready_at) as oldest
        from ${live}, k where state = 0 and ${of} group by queue
      union all select queue, 2, 0, count(*), null from ${live} where state in (1, 2) and ${of} group by queue
      union all select queue, state, 0, count(*), null from ${done} where ${of} group by queue, state)
    select queue, state::text, ready::text, n::text, oldest::text from counts`;
  const rows = await context.timed(text, [queues === undefined ? null : JSON.stringify(queues.map(stored))]);
  return talliesIn(rows);
}

/** Deletes terminal records of these states, oldest first. */
export async function prune(context: Context, { states, before, limit }: PruneQuery): Promise<number> {
  const { done } = context.names;
  const wanted = JSON.stringify(states.map((state) => String(STATES.indexOf(state))));
  const text = `with recursive lane (queue, state) as (
      (select queue, state from ${done} order by queue, state limit 1)
      union all
      select n.* from lane l cross join lateral (select d.queue, d.state from ${done} d
        where (d.queue, d.state) > (l.queue, l.state) order by d.queue, d.state limit 1) n),
    oldest as materialized (select d.ctid, d.finished_at, d.id from lane l cross join lateral (
        select o.ctid, o.finished_at, o.id from ${done} o where o.queue = l.queue and o.state = l.state and o.finished_at < $2::text::bigint
        order by o.finished_at limit $3::text::bigint) d
      where l.state = any(array(select v::integer from json_array_elements_text($1::text::json) v))
      order by d.finished_at, d.id limit $3::text::bigint),
    pick as materialized (select d.ctid from ${done} d where d.ctid = any(array(select ctid from oldest))
      and d.finished_at < $2::text::bigint for update skip locked),
    gone as (delete from ${done} d where d.ctid = any(array(select ctid from pick)) and d.finished_at < $2::text::bigint returning 1)
    select count(*)::text from gone`;
  const [row] = await context.session.query(text, [wanted, String(before), String(limit)]);
  return Number(row?.[0]);
}
