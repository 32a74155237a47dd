/** Schedules: rows with a version, advanced together with the records that belong to the step. */
import type { ScheduleChange, ScheduleQuery, ScheduleRow } from "../../contracts/queue-backend.ts";
import { roundsOf } from "../sql/changes.ts";
import { scheduleIn } from "../sql/other-rows.ts";
import type { TextRow } from "../sql/port.ts";
import { stored } from "../sql/text.ts";
import { digits } from "../sql/text-rows.ts";
import { type Context, textsIn } from "./context.ts";
import { insert } from "./insert.ts";
import type { Names, Type } from "./names.ts";
import { type Column, listed, sheet } from "./sheet.ts";

/** The schedules of one query, by name. */
export async function schedules(context: Context, query: ScheduleQuery): Promise<ScheduleRow[]> {
  return (await rowsOf(context, query)).map(scheduleIn);
}

function rowsOf(context: Context, query: ScheduleQuery): Promise<readonly TextRow[]> {
  const { session, names } = context;
  const { schedules: table, now } = names;
  const all = "s.name, s.version::text, s.due_at::text, s.body";
  switch (query.by) {
    case "name":
      return session.query(`select ${all} from ${table} s where s.name = any(array(${listed("$1")})) order by s.name`, [
        JSON.stringify(query.names.map(stored)),
      ]);
    case "next":
      return session.query(
        `select ${all} from ${table} s where s.due_at is not null order by s.due_at, s.name limit 1`,
        [],
      );
    case "all":
      return session.query(
        `select ${all} from ${table} s where s.name > $1::text order by s.name limit $2::text::bigint`,
        [stored(query.after ?? ""), String(query.limit)],
      );
    case "due": {
      const text = `with k as materialized (select ${now} as now),
        due as materialized (select d.name from ${table} d where d.due_at is not null and d.due_at <= (select now from k))
        select ${all} from ${table} s where s.name = any(array(select name from due where name > $2::text order by name limit $3::text::bigint))
        order by s.name`;
      return context.timed(text, [stored(query.after ?? ""), String(query.limit)]);
    }
  }
}

/** Compare-and-set on each, and the ticks of those where it held; to be called in a transaction. */
export async function advance(context: Context, changes: readonly ScheduleChange[]): Promise<boolean[]> {
  const held = changes.map(() => false);
  for (const round of roundsOf(changes, nameOf)) {
    for (const kind of ["add", "step", "remove"] as const) {
      await write(
        context,
        kind,
        changes,
        round.filter((place) => kindOf(changes[place] as ScheduleChange) === kind),
        held,
      );
    }
  }
  const ticks = changes.flatMap((change, place) => (held[place] ? change.ticks : []));
  if (ticks.length > 0) await insert(context, ticks);
  return held;
}

type StepKind = "add" | "step" | "remove";

function kindOf({ from, to }: ScheduleChange): StepKind | undefined {
  if (from === null) return to === null ? undefined : "add";
  return to === null ? "remove" : "step";
}

async function write(
  context: Context,
  kind: StepKind,
  changes: readonly ScheduleChange[],
  places: readonly number[],
  held: boolean[],
): Promise<void> {
  if (places.length === 0) return;
  const sorted = places
    .map((place) => ({ place, name: stored(nameOf(changes[place] as ScheduleChange)) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const column = (name: string, type: Type, value: (change: ScheduleChange) => string | null): Column => ({
    name,
    type,
    values: sorted.map(({ place }) => value(changes[place] as ScheduleChange)),
  });
  const columns: readonly Column[] = [
    { name: "name", type: "text", values: sorted.map(({ name }) => name) },
    column("was", "bigint", ({ from }) => digits(from?.version ?? null)),
    column("version", "bigint", ({ to }) => digits(to?.version ?? null)),
    column("due_at", "bigint", ({ to }) => digits(to?.dueAt ?? null)),
    column("body", "text", ({ to }) => (to === null ? null : stored(to.body))),
  ];
  const { cte, values } = sheet("u", 1, columns);
  const [row] = await context.session.query(stepping(context.names, kind, cte), values);
  const names = new Set(textsIn(row?.[0]));
  for (const { place, name } of sorted) held[place] = names.has(name);
}

function nameOf({ from, to }: ScheduleChange): string {
  return (from ?? to)?.name ?? "";
}

/** Answers with the names of those that held, as JSON or null. */
function stepping({ schedules: table }: Names, kind: StepKind, cte: string): string {
  const statement = {
    add: `insert into ${table} (name, version, due_at, body) select name, version, due_at, body from u on conflict (name) do nothing returning name`,
    step: `update ${table} s set version = u.version, due_at = u.due_at, body = u.body from u where s.name = u.name and s.version = u.was returning s.name`,
    remove: `delete from ${table} s using u where s.name = u.name and s.version = u.was returning s.name`,
  }[kind];
  return `with ${cte}, w as (${statement}) select json_agg(name)::text from w`;
}
