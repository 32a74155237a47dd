/**
 * Compare-and-set, and the renewal of leases. A batch is sorted into groups that share a guard and a kind; each group is a
 * guarded update over its rows in the order of their ids. Batches that meet crosswise all the same are tried again.
 */
import type { Change, ClaimRef, Renewal } from "../../contracts/queue-backend.ts";
import { leaseEnd } from "../../model/lifecycle.ts";
import { isTerminal, type Millis, type TaskRecord } from "../../model/record.ts";
import { idOf, isCompletion, isSameRequest, roundsOf } from "../sql/changes.ts";
import { policyIn } from "../sql/policy.ts";
import { stored } from "../sql/text.ts";
import { safe } from "../sql/text-rows.ts";
import { CARRIED, type Context } from "./context.ts";
import { among, bytes, quoted, whole } from "./literals.ts";
import { RUNNING } from "./names.ts";
import { cell, table } from "./sheet.ts";
import { Assignments, type ChangeKind, literalsOf } from "./writes.ts";

/** A guard did not hold; the transaction has to be undone, since it is not known whose. */
export class GuardFailed extends Error {}

/**
 * Replaces each record, if the guards of all hold; to be called in a transaction.
 * @throws GuardFailed if one does not
 */
export async function applyAll(context: Context, changes: readonly Change[]): Promise<boolean[]> {
  const places = [...changes.keys()];
  if (new Set(changes.map(({ from }) => from.id)).size < changes.length) throw new GuardFailed();
  await write(context, changes, places, false);
  return places.map(() => true);
}

/** Replaces each record whose guard holds, in input order; to be called in a transaction. */
export async function apply(context: Context, changes: readonly Change[]): Promise<boolean[]> {
  const applied = changes.map(() => false);
  for (const round of roundsOf(changes, idOf)) {
    const holding = await heldOf(context, changes, round);
    await write(context, changes, holding, true);
    for (const place of holding) applied[place] = true;
  }
  return applied;
}

/** Locks the records of these changes, and answers with the places of those whose guard holds. */
async function heldOf(context: Context, changes: readonly Change[], places: readonly number[]): Promise<number[]> {
  const { session, names } = context;
  const ids = places.map((place) => stored((changes[place] as Change).from.id));
  const column = { name: "id", type: "bytes" } as const;
  const rows = await session.query(
    `select t.id, t.version, t.claim, if(t.lease_until < ${context.now}, 1, 0) from ${table("u", [column])}
      straight_join ${names.tasks} t force index (primary) where t.id = ${cell("u", column)} for update`,
    [JSON.stringify([...new Set(ids)].sort().map((id) => [id]))],
  );
  const found = new Map(rows.map((row) => [row[0] ?? "", row]));
  return places.filter((place, at) => {
    const { from, lapsed } = changes[place] as Change;
    const row = found.get(ids[at] as string);
    return (
      row !== undefined &&
      row[1] === String(from.version) &&
      (row[2] ?? null) === safe(from.claim) &&
      (!lapsed || row[3] === "1")
    );
  });
}

/** A change on its way, with what the statement needs of it. */
interface Line {
  readonly change: Change;
  /** As it is stored. */
  readonly id: string;
}

/** How many records one update takes: some servers read longer lists in another way. */
const LISTED = 500;

/** How far a record's time may seem to lie ahead and yet be worth a hint. */
const SLACK: Millis = 1_000;

/**
 * Writes changes of different records.
 * @param checked - Whether the guards are known to hold, the records being locked.
 * @throws GuardFailed unless every guard holds
 */
async function write(
  context: Context,
  changes: readonly Change[],
  places: readonly number[],
  checked: boolean,
): Promise<void> {
  const groups = new Map<string, Line[]>();
  for (const place of places) {
    const change = changes[place] as Change;
    const group = groupOf(change);
    const line = { change, id: stored(change.from.id) };
    const lines = groups.get(group);
    if (lines === undefined) groups.set(group, [line]);
    else lines.push(line);
  }
  for (const lines of groups.values()) {
    lines.sort((a, b) => Buffer.compare(Buffer.from(a.id), Buffer.from(b.id)));
    const count = await writeGroup(context, lines);
    if (!checked && count !== lines.length) throw new GuardFailed();
    const soon = Number(context.floor) + SLACK;
    for (const { change } of lines) if (change.to !== null) context.notes.changed(change.to, soon);
  }
}

/** Changes that share their guard and their kind are one group. */
function groupOf(change: Change): string {
  const { from, lapsed = false } = change;
  return `${kindOf(change)} ${from.version} ${lapsed} ${from.claim}`;
}

/** Writes changes in as few statements as may be; answers with how many guards held. */
async function writeGroup(context: Context, lines: readonly Line[]): Promise<number> {
  const [first] = lines as readonly [Line];
  const kind = kindOf(first.change);
  let held = 0;
  let ids: string[] = [];
  let size = 0;
  let assignments = new Assignments(kind === "remove" ? "complete" : kind);
  const flush = async (): Promise<void> => {
    const { session, names } = context;
    const where = `where id in (${ids.map(bytes).join(", ")})${guardOf(context, first.change)}`;
    const text =
      kind === "remove"
        ? `delete from ${names.tasks} ${where}`
        : `update ${names.tasks} force index (primary) set ${assignments.text()} ${where}`;
    held += (await session.write(text)).count;
    ids = [];
    size = 0;
    assignments = new Assignments(kind === "remove" ? "complete" : kind);
  };
  for (const { change, id } of lines) {
    const values = kind === "remove" ? [] : literalsOf(kind, change.to as TaskRecord);
    const length = values.reduce((sum, value) => sum + value.length, 0);
    const isFull = ids.length >= LISTED || (ids.length > 0 && size + length > 2 * CARRIED);
    if (isFull) await flush();
    if (kind !== "remove" && !assignments.add(id, values)) {
      await flush();
      assignments.add(id, values);
    }
    ids.push(id);
    size += length;
  }
  await flush();
  return held;
}

/** The guard that a group shares. */
function guardOf(context: Context, { from, lapsed }: Change): string {
  const claim = from.claim === null ? "null" : quoted(from.claim);
  const over = lapsed ? ` and lease_until < ${context.now}` : "";
  return ` and version = ${whole(from.version)} and claim <=> ${claim}${over}`;
}

function kindOf({ from, to, lapsed }: Change): ChangeKind | "remove" {
  if (to === null) return "remove";
  // A token vouches that what `from` does not show to have changed is stored as it says. Without one, the id alone does
  // not: the record may have been removed and another one of that id stored since.
  const vouched = from.claim !== null;
  if (vouched && !lapsed && !isTerminal(from) && isCompletion(from, to)) return "complete";
  return vouched && isSameRequest(from, to) ? "change" : "replace";
}

interface Lease {
  readonly id: string;
  readonly until: Millis;
}

/** Extends leases, in input order; to be called in a transaction. */
export async function renew(context: Context, claims: readonly ClaimRef[], lease: Millis): Promise<Renewal[]> {
  const { session, names } = context;
  const column = { name: "id", type: "bytes" } as const;
  const ids = [...new Set(claims.map(({ id }) => stored(id)))].sort();
  const rows = await session.query(
    `select t.id, t.state, t.claim, t.started_at, cast(t.policy as binary), if(t.cancel_requested_at is null, 0, 1), ${context.now}
      from ${table("u", [column])} straight_join ${names.tasks} t force index (primary) where t.id = ${cell("u", column)} for update`,
    [JSON.stringify(ids.map((id) => [id]))],
  );
  const found = new Map(rows.map((row) => [row[0] ?? "", row]));
  const leases = new Map<string, Lease>();
  const renewals = claims.map(({ id, claim }): Renewal => {
    const row = found.get(stored(id));
    if (row === undefined) return { state: "gone" };
    if (row[1] !== String(RUNNING) || row[2] !== stored(claim)) return { state: "lost" };
    const now = context.heard(row[6]);
    const timeout = policyIn(row[4] ?? "")?.timeout ?? null;
    const startedAt = row[3] === null ? null : Number(row[3]);
    const until = leaseEnd({ policy: { timeout } as TaskRecord["policy"], startedAt }, now, lease);
    leases.set(id, { id, until });
    return { state: "held", remaining: until - now, cancelRequested: row[5] === "1" };
  });
  await extend(context, [...leases.values()]);
  return renewals;
}

/** Most leases of one renewal end at the same time. */
async function extend({ session, names }: Context, leases: readonly Lease[]): Promise<void> {
  const ends = new Map<Millis, string[]>();
  for (const { id, until } of leases) {
    const ids = ends.get(until);
    if (ids === undefined) ends.set(until, [id]);
    else ids.push(id);
  }
  for (const [until, ids] of ends) {
    for (let from = 0; from < ids.length; from += LISTED) {
      const some = ids.slice(from, from + LISTED);
      const which = some.length === 1 ? `id = ${quoted(some[0] as string)}` : `id in ${among(some)}`;
      await session.write(
        `update ${names.tasks} force index (primary) set lease_until = ${whole(until)} where ${which}`,
      );
    }
  }
}
