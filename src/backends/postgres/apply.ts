/**
 * Compare-and-set, and the renewal of leases. A batch is sorted into kinds by where a record lies and where it goes; each
 * kind is one statement over its rows in the order of their ids, so that two batches never wait for each other in a circle.
 */
import type { Change, ClaimRef, Renewal } from "../../contracts/queue-backend.ts";
import { isTerminal, type Millis, type TaskRecord } from "../../model/record.ts";
import { columnOf } from "../sql/batch.ts";
import { idOf, isCompletion, isSameRequest, roundsOf } from "../sql/changes.ts";
import type { Text } from "../sql/port.ts";
import { restored, stored } from "../sql/text.ts";
import { COLUMNS, digits, placeOf, safe, WRITERS } from "../sql/text-rows.ts";
import { type Context, textsIn } from "./context.ts";
import { typeOf } from "./names.ts";
import { type Column, sheet } from "./sheet.ts";
import { type ChangeKind, changing, existing, renewing, WRITTEN } from "./writes.ts";

/** Replaces each record whose guard holds, in input order. */
export async function apply(context: Context, changes: readonly Change[]): Promise<boolean[]> {
  const applied = changes.map(() => false);
  for (const round of roundsOf(changes, idOf)) {
    const kinds = new Map<ChangeKind, number[]>();
    for (const place of round) {
      const kind = kindOf(changes[place] as Change);
      const places = kinds.get(kind);
      if (places === undefined) kinds.set(kind, [place]);
      else places.push(place);
    }
    for (const [kind, places] of kinds) await write(context, kind, changes, places, applied);
  }
  return applied;
}

/** Extends leases, in input order. */
export async function renew(context: Context, claims: readonly ClaimRef[], lease: Millis): Promise<Renewal[]> {
  const refs = claims.map(({ id, claim }) => ({ id: stored(id), claim: stored(claim) }));
  const sorted = refs.toSorted((a, b) => order(a.id, b.id));
  const columns: readonly Column[] = [
    { name: "id", type: "text", values: sorted.map(({ id }) => id) },
    { name: "claim", type: "text", values: sorted.map(({ claim }) => claim) },
  ];
  const { cte, values } = sheet("u", 3, columns);
  const rows = await context.timed(renewing(context.names, cte), [String(lease), ...values]);
  const held = new Map<string, Renewal>();
  for (const [now, id, claim, until, cancel] of rows) {
    const remaining = Number(until) - context.time(now);
    held.set(`${id} ${claim}`, { state: "held", remaining, cancelRequested: cancel === "1" });
  }
  const missing = refs.filter(({ id, claim }) => !held.has(`${id} ${claim}`));
  const known = await existingOf(
    context,
    missing.map(({ id }) => id),
  );
  return refs.map(
    ({ id, claim }) => held.get(`${id} ${claim}`) ?? { state: known.has(id) ? ("lost" as const) : ("gone" as const) },
  );
}

async function existingOf(context: Context, ids: readonly string[]): Promise<Set<Text | undefined>> {
  if (ids.length === 0) return new Set();
  const rows = await context.session.query(existing(context.names), [JSON.stringify(ids)]);
  return new Set(rows.map(([id]) => id));
}

function kindOf({ from, to, lapsed }: Change): ChangeKind {
  const ended = isTerminal(from);
  if (to === null) return ended ? "forget" : "remove";
  if (ended) return isTerminal(to) ? "rewrite" : "revive";
  // A token vouches that what `from` does not show to have changed is stored as it says. Without one, the id alone does
  // not: the record may have been removed and another one of that id stored since.
  const vouched = from.claim !== null;
  if (isTerminal(to)) return vouched && !lapsed && isCompletion(from, to) ? "complete" : "end";
  return vouched && isSameRequest(from, to) ? "change" : "replace";
}

async function write(
  context: Context,
  kind: ChangeKind,
  changes: readonly Change[],
  places: readonly number[],
  applied: boolean[],
): Promise<void> {
  const batch = places.map((place) => changes[place] as Change);
  const { cte, values } = sheet("u", 3, columnsOf(kind, batch));
  const [row] = await context.timed(changing(context.names, kind, cte), [String(batch.length), ...values]);
  const now = context.time(row?.[0]);
  const some = row?.[1] === null ? undefined : new Set(textsIn(row?.[1]).map(restored));
  for (let at = 0; at < batch.length; at += 1) {
    const { from, to } = batch[at] as Change;
    if (some !== undefined && !some.has(from.id)) continue;
    applied[places[at] as number] = true;
    if (to !== null) context.notes.changed(to, now);
  }
}

/** The guard's columns and those that this kind writes. */
function columnsOf(kind: ChangeKind, batch: readonly Change[]): Column[] {
  const guard: Column[] = [
    { name: "id", type: "text", values: batch.map(({ from }) => stored(from.id)) },
    { name: "was", type: "bigint", values: batch.map(({ from }) => digits(from.version)) },
    { name: "by", type: "text", values: batch.map(({ from }) => safe(from.claim)) },
  ];
  if (kind !== "complete") {
    guard.push({ name: "lapsed", type: "integer", values: batch.map(({ lapsed }) => (lapsed ? "1" : "0")) });
  }
  const records = batch.map(({ to }) => to as TaskRecord);
  const columns = WRITTEN[kind].map((written): Column => {
    const place = placeOf(written);
    const [name, columnKind] = COLUMNS[place] as (typeof COLUMNS)[number];
    const writer = WRITERS[place] as (record: TaskRecord) => Text;
    return columnOf(records, `to_${name}`, typeOf(columnKind), writer);
  });
  const timeouts = (): Column => ({
    name: "to_timeout",
    type: "bigint",
    values: records.map(({ policy }) => digits(policy.timeout)),
  });
  return [...guard, ...columns, ...(kind === "replace" || kind === "revive" ? [timeouts()] : [])];
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
