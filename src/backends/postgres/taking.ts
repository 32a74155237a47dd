/**
 * The claim's statement. It finds the lanes that the request serves with one seek each, merges their heads in claim
 * order, locks that many of each lane, skipping what others have locked, and takes them by their physical address: no
 * step of it depends on what the planner believes about the table.
 */
import { DEADLINE_GRACE } from "../../model/lifecycle.ts";
import { isFresh } from "../sql/fresh.ts";
import type { Route } from "../sql/lane-hints.ts";
import { everyLane, lanesBetween, lanesTold } from "./lane-search.ts";
import { allOf, type Names } from "./names.ts";
import { listed } from "./sheet.ts";

/** How a claim finds its lanes, and whether queues are limited. */
export interface ClaimForm {
  readonly route: Route["kind"];
  readonly limited: boolean;
  /** It is told of one lane alone: there is nothing to merge. */
  readonly single: boolean;
}

/**
 * Parameters: the time that has been, token, worker, lease, limit; then, told: queue, task, execution, -priority and floor
 * of each lane in claim order; else queues (null: all), tasks, executions; limited: the queues and their limits; between:
 * the lanes as above, in any order, and the gaps between them. Each list is JSON.
 *
 * Answers: a row with the time, whether the token owns records already ("1": then nothing was claimed), how many were
 * there to be claimed, and unless it was told them, the lanes as JSON; then the records, with the columns `TAKEN` and, unless
 * there is a single lane, `TAKEN_LANE`.
 */
export function claiming(names: Names, form: ClaimForm): string {
  const { live } = names;
  const startedAt = "greatest(k.now, coalesce(t.started_at, 0) + 1)";
  const columns = columnsOf(form);
  const nulls = columns.slice(4).map((name) => `null as ${name}`);
  const lanes = "(select json_agg(json_build_array(queue, task_name, execution, -rank))::text from lane)";
  return `with recursive k as materialized (select ${names.now} as now, ${names.fn("claim_known")}($2::text) as known),
    ${lanesOf(live, form)}
    served as materialized (${served(form)}),
    ${form.single ? onePick(live) : pick(live, form.limited)},
    taken as (update ${live} t set state = 2, version = t.version + 1, claim = $2::text, attempt = t.attempt + 1,
        started_at = ${startedAt}, worker_id = $3::text,
        lease_until = least(k.now + $4::text::bigint, ${startedAt} + t.timeout + ${DEADLINE_GRACE})
      from k where t.state = 0 and t.ctid = any(array(select ctid from pick)) returning ${returned(form)})
    select k.now::text as id, case when k.known then '1' else '0' end as input, (select count(*)::text from ${form.single ? "pick" : "peek"}) as policy,
      ${form.route === "told" ? "null" : lanes} as created_at, ${nulls.join(", ")} from k
    union all select ${columns.join(", ")} from taken`;
}

/**
 * What a claim answers of each record. `ready_at` is null if it is `created_at`. `more` is null where the rest is as every
 * enqueue leaves it; else a JSON array: `expires_at` and `key`, or every column where more than these is out of the ordinary.
 */
export const TAKEN: readonly string[] = "id input policy created_at ready_at seq more".split(" ");

/** The columns behind these, unless the claim was told of a single lane: then it is known. */
export const TAKEN_LANE: readonly string[] = "queue task_name execution priority".split(" ");

function columnsOf({ single }: ClaimForm): readonly string[] {
  return single ? TAKEN : [...TAKEN, ...TAKEN_LANE];
}

function returned({ single }: ClaimForm): string {
  const more = `case when not (${isFresh("t", 2)}) then json_build_array(${allOf("t")})::text
        when t.key is not null or t.expires_at is not null then json_build_array(t.expires_at::text, t.key)::text end as more`;
  const lane = "t.queue, t.task_name, t.execution, t.priority::text as priority";
  return `t.id, t.input, t.policy, t.created_at::text as created_at, nullif(t.ready_at, t.created_at)::text as ready_at, t.seq::text as seq,
        ${more}${single ? "" : `, ${lane}`}`;
}

/** Of the lane `s`: pending, ready, not expired, and not before the floor. */
const READY = `c.state = 0 and c.queue = s.queue and c.task_name = s.task_name and c.execution = s.execution and -c.priority = s.rank
        and c.ready_at >= s.floor and c.ready_at <= (select now from k) and (c.expires_at is null or c.expires_at > (select now from k))`;

function lanesOf(live: string, { route, limited }: ClaimForm): string {
  if (route === "told") return "";
  return route === "everywhere" ? `${everyLane(live)},` : `${lanesBetween(live, limited ? 11 : 9)},`;
}

function served({ route, limited }: ClaimForm): string {
  if (route === "told")
    return `select s.*, null::bigint as room from (${lanesTold(6)}) s where not (select known from k)`;
  const room = limited
    ? `left join (select queue, room::bigint as room from rows from (json_array_elements_text($9::text::json), json_array_elements_text($10::text::json)) as r(queue, room)) r on r.queue = l.queue`
    : "";
  return `select row_number() over (order by l.rank, l.queue, l.task_name, l.execution) as n, l.queue, l.task_name, l.execution, l.rank,
        l.floor, ${limited ? "r.room" : "null::bigint as room"}
      from lane l ${room} where not (select known from k) and ($6::text is null or l.queue = any(array(${listed("$6")})))
        and l.task_name = any(array(${listed("$7")})) and l.execution = any(array(${listed("$8")}))${limited ? " and (r.room is null or r.room > 0)" : ""}
      order by 1`;
}

/** How many of each lane come next, and so many of each locked. */
function pick(live: string, limited: boolean): string {
  return `peek as materialized (${limited ? limitedPeek(live) : peek(live)}),
    quota as materialized (select n, count(*) as quota from peek group by n),
    pick as materialized (select c.ctid from quota q join served s on s.n = q.n cross join lateral (
      select c.ctid from ${live} c where ${READY} order by c.ready_at, c.seq limit q.quota for no key update skip locked) c)`;
}

function onePick(live: string): string {
  return `pick as materialized (select c.ctid from served s cross join lateral (
      select c.ctid from ${live} c where ${READY} order by c.ready_at, c.seq limit $5::text::bigint for no key update skip locked) c)`;
}

/** The lane of each record that comes next, at most as many as asked for. Lower priorities are not looked at once higher ones suffice. */
function peek(live: string): string {
  return `select x.n from (select rank from served group by rank order by rank) level cross join lateral (
      select s.n, c.ready_at, c.seq from served s cross join lateral (
        select c.ready_at, c.seq from ${live} c where ${READY} order by c.ready_at, c.seq limit $5::text::bigint) c
      where s.rank = level.rank order by c.ready_at, c.seq limit $5::text::bigint) x limit $5::text::bigint`;
}

/** The same where some queues have room for so many only. */
function limitedPeek(live: string): string {
  return `select x.n from (
      select s.n, s.rank, s.room, c.ready_at, c.seq, row_number() over (partition by s.queue order by s.rank, c.ready_at, c.seq) as place
      from served s cross join lateral (
        select c.ready_at, c.seq from ${live} c where ${READY} order by c.ready_at, c.seq limit least($5::text::bigint, s.room)) c) x
      where x.room is null or x.place <= x.room order by x.rank, x.ready_at, x.seq limit $5::text::bigint`;
}
