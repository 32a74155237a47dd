/** Schedules: rows with a version, advanced together with the records that belong to the step. */
import type { ScheduleChange, ScheduleQuery, ScheduleRow } from "../../contracts/queue-backend.ts";
import { scheduleIn } from "../sql/other-rows.ts";
import { restored, stored } from "../sql/text.ts";
import type { Context } from "./context.ts";
import { insert } from "./insert.ts";
import { among, quoted, whole } from "./literals.ts";

/** The schedules of one query, by name. */
export async function schedules(context: Context, query: ScheduleQuery): Promise<ScheduleRow[]> {
  const { session, names } = context;
  const from = `select name, version, due_at, cast(body as binary) from ${names.schedules}`;
  const rows = await session.query(`${from} ${whichOf(context, query)}`);
  return rows.map(scheduleIn);
}

function whichOf(context: Context, query: ScheduleQuery): string {
  switch (query.by) {
    case "name":
      return `where name in ${among(query.names)} order by name`;
    case "next":
      return "where due_at is not null order by due_at, name limit 1";
    case "all":
      return `where true${after(query)}`;
    case "due":
      return `where due_at <= ${context.now}${after(query)}`;
  }
}

function after({ after, limit }: { after: string | null; limit: number }): string {
  return `${after === null ? "" : ` and name > ${quoted(after)}`} order by name limit ${whole(limit)}`;
}

/**
 * Compare-and-set on each, and the ticks of those where it held; to be called in a transaction. A name that somebody
 * else adds meanwhile is a duplicate: then the transaction is to be tried again.
 */
export async function advance(context: Context, changes: readonly ScheduleChange[]): Promise<boolean[]> {
  const versions = await lockedVersions(context, changes);
  const stored = new Map(versions);
  const next = new Map<string, ScheduleRow | null>();
  const held = changes.map(({ from, to }) => {
    const name = (from ?? to)?.name;
    if (name === undefined || versions.get(name) !== from?.version) return false;
    if (to === null) versions.delete(name);
    else versions.set(name, to.version);
    next.set(name, to);
    return true;
  });
  for (const name of [...next.keys()].sort()) await step(context, name, next.get(name) ?? null, stored.has(name));
  const ticks = changes.flatMap((change, place) => (held[place] ? change.ticks : []));
  if (ticks.length > 0) await insert(context, ticks);
  return held;
}

async function lockedVersions(
  { session, names }: Context,
  changes: readonly ScheduleChange[],
): Promise<Map<string, number>> {
  const wanted = [...new Set(changes.map(({ from, to }) => (from ?? to)?.name ?? ""))];
  const rows = await session.query(
    `select name, version from ${names.schedules} where name in ${among(wanted)} order by name for update`,
  );
  return new Map(rows.map(([name, version]) => [restored(name ?? ""), Number(version)]));
}

async function step(
  { session, names }: Context,
  name: string,
  to: ScheduleRow | null,
  isThere: boolean,
): Promise<void> {
  if (to === null) {
    if (isThere) await session.write(`delete from ${names.schedules} where name = ${quoted(name)}`);
    return;
  }
  const dueAt = to.dueAt === null ? "null" : whole(to.dueAt);
  const body = "convert(cast(? as binary) using utf8mb4)";
  const text = isThere
    ? `update ${names.schedules} set version = ${whole(to.version)}, due_at = ${dueAt}, body = ${body} where name = ${quoted(name)}`
    : `insert into ${names.schedules} (version, due_at, body, name) values (${whole(to.version)}, ${dueAt}, ${body}, ${quoted(name)})`;
  await session.write(text, [stored(to.body)]);
}
