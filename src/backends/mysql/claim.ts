/**
 * Claiming. A look at the lanes says what is ready; then, in one transaction, the first records of the index are locked
 * lane by lane, skipping what others have locked, the request's token is written down, and the records become its own.
 */
import type { ClaimRequest } from "../../contracts/queue-backend.ts";
import { claimed, DEADLINE_GRACE } from "../../model/lifecycle.ts";
import type { Millis, TaskRecord } from "../../model/record.ts";
import { FRESH, freshRecord, isFresh } from "../sql/fresh.ts";
import { BEGINNING, type LaneName, limitOf, type Route, serves } from "../sql/lane-hints.ts";
import type { Text, TextRow } from "../sql/port.ts";
import { damageOf } from "../sql/rows.ts";
import type { Damage } from "../sql/salvage.ts";
import { decoded } from "../sql/text-rows.ts";
import type { Context } from "./context.ts";
import { setAside } from "./damage.ts";
import { isDuplicate } from "./errors.ts";
import { lanesBetween } from "./lanes.ts";
import { bytes, quoted, whole } from "./literals.ts";
import { ALARM, allOf, column, PENDING, RUNNING } from "./names.ts";
import { quotasOf, readyIn, type Source } from "./quotas.ts";

/** What is known before a claim. */
export interface Look {
  readonly now: Millis;
  /** Whether the token has claimed before. */
  readonly known: boolean;
  /** The lanes that the request serves; the rest may be left out. */
  readonly lanes: readonly Source[];
}

/** Looks whether there is anything to claim, without a lock. `all` are all lanes, served or not, with nothing ready, too. */
export async function look(
  context: Context,
  request: ClaimRequest,
  route: Exclude<Route, { kind: "told" }>,
): Promise<Look & { readonly all: readonly LaneName[] }> {
  const known = `(select count(*) from ${context.names.claims} where token = ${quoted(request.token)})`;
  const along = `${context.now}, ${known}, null, null, null`;
  const { lanes: all, head } = await (route.kind === "everywhere"
    ? context.lanes(PENDING, along)
    : lanesBetween(context.session, context.names, route.lanes, along));
  const now = context.heard(head[0]);
  const ready = all.filter((lane) => serves(request, lane) && lane.first <= now);
  const lanes = ready.map((lane) => ({ ...lane, floor: Math.max(BEGINNING, lane.first) }));
  return { now, known: head[1] !== "0", lanes, all };
}

/** What a claim answers: records, or that the token was used meanwhile. */
export type Claimed = readonly TaskRecord[] | "known" | "damaged";

/** Claims from these lanes, in claim order; to be called in a transaction. */
export async function claim(context: Context, request: ClaimRequest, { now, lanes }: Look): Promise<Claimed> {
  const rows = await lockedRows(context, request, lanes, now);
  const { token, lease, workerId } = request;
  const damages: Damage[] = [];
  const found = await recordsIn(context, rows, damages);
  if (damages.length > 0) await setAside(context, damages);
  if (found.length === 0) return damages.length > 0 ? "damaged" : [];
  if (!(await noted(context, token, now))) return "known";
  const taken = found.map((record) => claimed(record, { now, token, lease, workerId }));
  await take(context, request, now, taken);
  return taken;
}

/** Writes the token down; false: it is there. Waits for a claim under the same token. */
async function noted({ session, names }: Context, token: string, now: Millis): Promise<boolean> {
  try {
    await session.write(`insert into ${names.claims} (token, at) values (${quoted(token)}, ${whole(now)})`);
    return true;
  } catch (error) {
    if (isDuplicate(error)) return false;
    throw error;
  }
}

/** What the token owns already, its reply having been lost; to be called in a transaction, which keeps the token locked. */
export async function owned(context: Context, request: ClaimRequest): Promise<readonly TaskRecord[]> {
  const { session, names } = context;
  const token = quoted(request.token);
  await session.query(`select token from ${names.claims} where token = ${token} for update`);
  const rows = await session.query(
    `select ${allOf("t")} from ${names.tasks} t force index (lane) where t.state = ${RUNNING} and t.claim = ${token} order by t.weight, t.ready_at, t.seq`,
  );
  const damages: Damage[] = [];
  const records = rows.map((row) => sound(row, () => decoded(row), damages)).filter((record) => record !== undefined);
  if (damages.length > 0) await setAside(context, damages);
  return records;
}

/** Claims again under a token that owns nothing any more. */
export async function claimAgain(context: Context, request: ClaimRequest, from: Look): Promise<Claimed> {
  const mine = await owned(context, request);
  if (mine.length > 0) return mine;
  await context.session.write(`delete from ${context.names.claims} where token = ${quoted(request.token)}`);
  return claim(context, request, from);
}

const FRESH_COLUMNS = FRESH.map((name) => column("c", name)).join(", ");
const SEQ = FRESH.length;
const IS_FRESH = isFresh("c", 1);

/** Locks the rows that the request gets, best priority first. Columns: `FRESH`, seq, whether that is all there is to it. */
async function lockedRows(
  context: Context,
  request: ClaimRequest,
  lanes: readonly Source[],
  now: Millis,
): Promise<TextRow[]> {
  const rows: TextRow[] = [];
  const rooms = new Map<string, number>();
  const priorities = [...new Set(lanes.map(({ priority }) => priority))].sort((a, b) => b - a);
  for (const priority of priorities) {
    if (rows.length >= request.limit) break;
    const level = lanes.filter((lane) => lane.priority === priority);
    const room = (queue: string): number =>
      rooms.get(queue) ?? limitOf(request.queueLimits, queue) ?? Number.POSITIVE_INFINITY;
    const quotas = await quotasOf(context, level, { limit: request.limit - rows.length, room, now });
    const locked: TextRow[] = [];
    for (const { lane, quota } of quotas) {
      const text = `select ${FRESH_COLUMNS}, cast(c.seq as char), (${IS_FRESH}) from ${context.names.tasks} c force index (lane)
        where ${readyIn(lane, now)} order by c.at, c.seq limit ${whole(quota)} for update skip locked`;
      const found = await context.session.query(text);
      rooms.set(lane.queue, room(lane.queue) - found.length);
      locked.push(...found);
    }
    rows.push(...(quotas.length > 1 ? locked.sort(inOrder) : locked));
  }
  return rows;
}

const READY_AT = FRESH.indexOf("ready_at");

function inOrder(a: TextRow, b: TextRow): number {
  const byTime = Number(a[READY_AT]) - Number(b[READY_AT]);
  if (byTime !== 0) return byTime;
  const [first, second] = [BigInt(a[SEQ] ?? 0), BigInt(b[SEQ] ?? 0)];
  return first < second ? -1 : first > second ? 1 : 0;
}

async function recordsIn(context: Context, rows: readonly TextRow[], damages: Damage[]): Promise<TaskRecord[]> {
  const older = rows.filter((row) => row[SEQ + 1] !== "1").map((row) => row[0] as string);
  const whole = await wholeRows(context, older);
  return rows
    .map((row) => {
      const full = row[SEQ + 1] === "1" ? undefined : whole.get(row[0] as string);
      return sound(row, () => (full === undefined ? freshRecord(row) : decoded(full)), damages);
    })
    .filter((record) => record !== undefined);
}

async function wholeRows({ session, names }: Context, ids: readonly string[]): Promise<Map<Text, TextRow>> {
  if (ids.length === 0) return new Map();
  const rows = await session.query(
    `select ${allOf("t")} from ${names.tasks} t force index (primary) where t.id in (${ids.map(bytes).join(", ")}) for update`,
  );
  return new Map(rows.map((row) => [row[0] ?? null, row]));
}

/** The record, or undefined and a note of the damage. */
function sound(row: TextRow, decode: () => TaskRecord, damages: Damage[]): TaskRecord | undefined {
  try {
    return decode();
  } catch (fault) {
    damages.push(damageOf(fault, row[0] ?? null));
    return undefined;
  }
}

/** How many records one update takes: some servers read longer lists in another way. */
const LISTED = 500;

async function take(
  { session, names }: Context,
  { token, workerId, lease }: ClaimRequest,
  now: Millis,
  taken: readonly TaskRecord[],
): Promise<void> {
  const startedAt = `greatest(${whole(now)}, coalesce(started_at, 0) + 1)`;
  const end = whole(now + lease);
  for (let from = 0; from < taken.length; from += LISTED) {
    const ids = taken.slice(from, from + LISTED).map(({ id }) => quoted(id));
    // The lease comes before the start that it is reckoned from: some servers would see the new one.
    await session.write(
      `update ${names.tasks} force index (primary) set lease_until = coalesce(least(${end}, ${startedAt} + timeout + ${DEADLINE_GRACE}), ${end}),
      started_at = ${startedAt}, state = ${RUNNING}, version = version + 1, claim = ${quoted(token)}, attempt = attempt + 1,
      worker_id = convert(${quoted(workerId)} using utf8mb4), room = x'', alarm = if(cancel_requested_at is null, null, ${ALARM.cancelling})
      where id in (${ids.join(", ")})`,
    );
  }
}
