/** Enqueueing: new records in, or the old ones that hold the id or the key. */
import type { Insertion } from "../../contracts/queue-backend.ts";
import type { Draft, Millis, TaskRecord } from "../../model/record.ts";
import { columnOf, isConstant } from "../sql/batch.ts";
import { DEFAULTS, DRAFTED, INSERT_TRIES, lookUp, refusedWithoutReason, sorted, written } from "../sql/drafts.ts";
import type { Text } from "../sql/port.ts";
import { restored, stored } from "../sql/text.ts";
import { COLUMNS, digits, placeOf, salvaged, WRITERS } from "../sql/text-rows.ts";
import { type Context, textsIn } from "./context.ts";
import { allOf, type Names, typeOf } from "./names.ts";
import { type Column, listed, sheet } from "./sheet.ts";

/** How many drafts one statement takes; the place of each within its batch has this much room. */
const TOGETHER = 10_000;

/** How many characters of input and metadata one statement takes. */
const CHARACTERS = 32_000_000;

/** Writes what is new. More than one piece is to be written in a transaction. */
export async function insert(context: Context, drafts: readonly Draft[]): Promise<Insertion[]> {
  const answers: (Insertion | undefined)[] = drafts.map(() => undefined);
  let open = drafts.map((_, place) => place);
  for (let tries = 0; open.length > 0; tries += 1) {
    if (tries === INSERT_TRIES) throw refusedWithoutReason(drafts[open[0] as number] as Draft);
    const { first, later: losers } = sorted(drafts, open);
    for (const piece of piecesOf(drafts, first)) {
      const { created, now } = await write(
        context,
        piece.map((place) => drafts[place] as Draft),
      );
      for (const place of piece) {
        const draft = drafts[place] as Draft;
        if (created !== "all" && !created.has(draft.record.id)) losers.push(place);
        else answers[place] = written(draft, now, context.notes);
      }
    }
    open = losers.length === 0 ? [] : await lookUp(drafts, losers, answers, (ids, keys) => holders(context, ids, keys));
  }
  return answers as Insertion[];
}

/** Whether the drafts need more than one statement. */
export function isManyPieces(drafts: readonly Draft[]): boolean {
  if (drafts.length > TOGETHER) return true;
  let characters = 0;
  for (const draft of drafts) characters += sizeOf(draft);
  return drafts.length > 1 && characters > CHARACTERS;
}

function sizeOf({ record: { input, metadata } }: Draft): number {
  return (input?.length ?? 0) + (metadata?.length ?? 0);
}

function piecesOf(drafts: readonly Draft[], places: readonly number[]): (readonly number[])[] {
  if (!isManyPieces(drafts)) return [places];
  const pieces: number[][] = [[]];
  let characters = 0;
  for (const place of places) {
    const size = sizeOf(drafts[place] as Draft);
    const last = pieces.at(-1) as number[];
    characters += size;
    if (last.length < TOGETHER && (characters <= CHARACTERS || last.length === 0)) last.push(place);
    else {
      pieces.push([place]);
      characters = size;
    }
  }
  return pieces;
}

/** One statement: the ids that were written, and when. */
async function write(
  context: Context,
  drafts: readonly Draft[],
): Promise<{ created: Set<string> | "all"; now: Millis }> {
  const { text, values } = insertion(context.names, drafts);
  const [row] = await context.timed(text, values);
  const now = context.time(row?.[0]);
  if (row?.[1] === null && row[2] === null) return { created: "all", now };
  const created = new Set(row?.[1] === null ? drafts.map(({ record }) => record.id) : restoredIds(row?.[1]));
  for (const id of restoredIds(row?.[2])) created.delete(id);
  return { created, now };
}

function restoredIds(value: Text | undefined): string[] {
  return textsIn(value).map(restored);
}

/** The insert of these drafts, in the order of their ids, so that batches that share some never wait for each other in a circle. */
export function insertion(names: Names, drafts: readonly Draft[]): { text: string; values: readonly Text[] } {
  const places = [...drafts.keys()];
  const isSorted = drafts.every(({ record }, at) => at === 0 || (drafts[at - 1] as Draft).record.id <= record.id);
  if (!isSorted) places.sort((a, b) => order((drafts[a] as Draft).record.id, (drafts[b] as Draft).record.id) || a - b);
  const lines = isSorted ? drafts : places.map((place) => drafts[place] as Draft);
  const columns = DRAFTED.map((place): Column => {
    const [name, kind] = COLUMNS[place] as (typeof COLUMNS)[number];
    const write = WRITERS[place] as (typeof WRITERS)[number];
    return columnOf(lines, name, typeOf(kind), ({ record }) => write(record));
  }).filter(
    ({ name, values }, at) => at === 0 || !isConstant(values) || (values[0] ?? null) !== DEFAULTS[placeOf(name)],
  );
  const stamps: readonly Column[] = [
    columnOf(lines, "run_at", "bigint", ({ runAt }) => digits(runAt)),
    columnOf(lines, "ready_in", "bigint", ({ readyIn }) => String(readyIn)),
    columnOf(lines, "expires_at", "bigint", ({ expiresAt }) => digits(expiresAt)),
    columnOf(lines, "expires_in", "bigint", ({ expiresIn }) => digits(expiresIn)),
    columnOf(lines, "timeout", "bigint", ({ record }) => digits(record.policy.timeout)),
    ...(isSorted ? [] : [{ name: "place", type: "bigint", values: places.map((place) => String(place + 1)) } as const]),
  ];
  const { cte, values } = sheet("u", 3, [...columns, ...stamps], isSorted ? "place" : undefined);
  const named = columns.map(({ name }) => name).join(", ");
  const chosen = columns.map(({ name }) => `u.${name}`).join(", ");
  const readyAt = "coalesce(u.run_at, k.now + u.ready_in)";
  const expiresAt = `case when u.expires_in is null then u.expires_at else greatest(${readyAt}, k.now) + u.expires_in end`;
  const text = `with k as materialized (select ${names.now} as now, nextval('${names.batches}') * 1000000 as batch),
    ${cte},
    i as (insert into ${names.live} (${named}, created_at, queued_at, ready_at, expires_at, timeout, seq)
      select ${chosen}, k.now, k.now, ${readyAt}, ${expiresAt}, u.timeout, k.batch + u.place from k, u on conflict do nothing returning id),
    n as materialized (select array_agg(id) as ids from i)
    select k.now::text, case when cardinality(n.ids) = $2::text::integer then null else coalesce(array_to_json(n.ids)::text, '[]') end as created,
      array_to_json(${names.fn("inserted_twice")}(n.ids))::text as ended from k, n`;
  return { text, values: [String(drafts.length), ...values] };
}

/** The records that hold one of these ids or keys. */
async function holders(
  context: Context,
  ids: readonly string[],
  keys: readonly string[],
): Promise<readonly TaskRecord[]> {
  const { live, done } = context.names;
  const text = `select ${allOf("t")} from ${live} t where t.id = any(array(${listed("$1")}))
    union all select ${allOf("t")} from ${done} t where t.id = any(array(${listed("$1")}))
    union all select ${allOf("t")} from ${live} t where t.key is not null and t.key = any(array(${listed("$2")}))`;
  const rows = await context.session.query(text, [JSON.stringify(ids.map(stored)), JSON.stringify(keys.map(stored))]);
  return rows.map((row) => salvaged(row, []));
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
