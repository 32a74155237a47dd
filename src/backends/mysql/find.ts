/** Reading records: each query along one index. */
import type { Page, PageQuery, RecordQuery } from "../../contracts/queue-backend.ts";
import type { TaskRecord } from "../../model/record.ts";
import { STATES } from "../sql/columns.ts";
import type { Lane } from "../sql/lane-hints.ts";
import type { TextRow } from "../sql/port.ts";
import { type Finding, inOrderOf, isOfDead, LOOKED_AT } from "../sql/reading.ts";
import type { Damage } from "../sql/salvage.ts";
import { restored, stored } from "../sql/text.ts";
import { salvaged } from "../sql/text-rows.ts";
import type { Context } from "./context.ts";
import { inLane, lanesBetween } from "./lanes.ts";
import { among, quoted, whole } from "./literals.ts";
import { ALARM, allOf, PENDING } from "./names.ts";
import { cell, table } from "./sheet.ts";

/** The records of one query. */
export async function find(context: Context, query: RecordQuery, { damages, lanes }: Finding): Promise<TaskRecord[]> {
  if (query.by === "id" && query.ids.length === 0) return [];
  const rows = await rowsOf(context, query, lanes);
  const records = rows.map((row) => salvaged(row, damages));
  return query.by === "id" ? inOrderOf(query.ids, records) : records;
}

async function rowsOf(
  context: Context,
  query: RecordQuery,
  told: readonly Lane[] | undefined,
): Promise<readonly TextRow[]> {
  const { session, names } = context;
  const from = `select ${allOf("t")} from ${names.tasks} t`;
  switch (query.by) {
    case "id":
      return byIds(context, query.ids);
    case "key":
      return session.query(`${from} force index (unique_key) where t.\`key\` = ${quoted(query.key)}`);
    case "lapsed":
      return session.query(
        `${from} force index (lane) where t.state in (1, 2) and t.lease_until < ${context.now}${paged(query)}`,
      );
    case "expired":
      return session.query(
        `${from} force index (alarm) where t.alarm >= 0 and t.alarm <= ${context.now} and t.state = ${PENDING}${paged(query)}`,
      );
    case "cancelling":
      return session.query(`${from} force index (alarm) where t.alarm = ${ALARM.cancelling}${paged(query)}`);
    case "next":
      return next(context, query.queues, told);
  }
}

function paged({ after, limit }: { after: string | null; limit: number }): string {
  return `${after === null ? "" : ` and t.id > ${quoted(after)}`} order by t.id limit ${whole(limit)}`;
}

async function byIds({ session, names }: Context, ids: readonly string[]): Promise<readonly TextRow[]> {
  const [only] = ids;
  if (ids.length === 1 && only !== undefined) {
    return session.query(`select ${allOf("t")} from ${names.tasks} t where t.id = ${quoted(only)}`);
  }
  const column = { name: "id", type: "bytes" } as const;
  return session.query(
    `select ${allOf("t")} from ${table("u", [column])} straight_join ${names.tasks} t force index (primary) where t.id = ${cell("u", column)}`,
    [JSON.stringify([...new Set(ids.map(stored))].map((id) => [id]))],
  );
}

/** The pending record that becomes ready next: of each lane the first in the future, and of those the first. */
async function next(
  context: Context,
  queues: readonly string[] | null,
  told: readonly Lane[] | undefined,
): Promise<readonly TextRow[]> {
  const { session, names } = context;
  const now = await context.time();
  const { lanes: all } = await (told === undefined ? context.lanes(PENDING) : lanesBetween(session, names, told));
  const lanes = all.filter(({ queue }) => queues === null || queues.includes(queue));
  // Where nothing is ready, the lane's first is its next. Many lanes are reduced to those that come into question.
  const soonest = Math.min(...lanes.map(({ first }) => (first > now ? first : Number.POSITIVE_INFINITY)));
  let best: { readonly at: number; readonly seq: bigint; readonly id: string } | undefined;
  for (const lane of lanes) {
    if (lane.first > Math.max(now, soonest)) continue;
    const [row] = await session.query(
      `select c.at, cast(c.seq as char), c.id from ${names.tasks} c force index (lane) where ${inLane(lane, PENDING)} and c.at > ${whole(now)} order by c.at, c.seq limit 1`,
    );
    if (row === undefined) continue;
    const found = { at: Number(row[0]), seq: BigInt(row[1] ?? 0), id: restored(row[2] ?? "") };
    if (best === undefined || found.at < best.at || (found.at === best.at && found.seq < best.seq)) best = found;
  }
  return best === undefined ? [] : byIds(context, [best.id]);
}

/** One page by id; only the records between `after` and the boundary are looked at. */
export async function page(context: Context, query: PageQuery, damages: Damage[]): Promise<Page> {
  const { queues, tasks, states, limit, after, order } = query;
  if (queues?.length === 0 || tasks?.length === 0 || states?.length === 0) return { records: [], next: null };
  const { session, names } = context;
  const dead = isOfDead(states);
  const [direction, onward, until] = order === "newest" ? ["desc", "<", ">="] : ["asc", ">", "<="];
  const from = `from ${names.tasks} t force index (${dead ? "alarm" : "primary"}) where ${dead ? `t.alarm = ${ALARM.dead}` : "true"}${after === null ? "" : ` and t.id ${onward} ${quoted(after)}`}`;
  const sorted = `order by t.id ${direction}`;
  const filters = [
    ...(queues === undefined ? [] : [`t.queue in ${among(queues)}`]),
    ...(tasks === undefined ? [] : [`t.task_name in ${among(tasks)}`]),
    ...(states === undefined ? [] : [`t.state in (${states.map((state) => STATES.indexOf(state)).join(", ")})`]),
  ];
  let end: string | null = null;
  if (filters.length > 0) {
    const [boundary] = await session.query(`select t.id ${from} ${sorted} limit 1 offset ${LOOKED_AT - 1}`);
    end = boundary?.[0] === undefined || boundary[0] === null ? null : restored(boundary[0]);
    if (end !== null) filters.push(`t.id ${until} ${quoted(end)}`);
  }
  const where = filters.map((filter) => ` and ${filter}`).join("");
  const rows = await session.query(`select ${allOf("t")} ${from}${where} ${sorted} limit ${whole(limit)}`);
  const records = rows.map((row) => salvaged(row, damages));
  return { records, next: records.length < limit ? end : (records.at(-1)?.id ?? null) };
}
