/** Claiming: what the worker asks for, as one statement; and what it answers, as records. */
import type { Clock } from "../../contracts/clock.ts";
import type { ClaimRequest } from "../../contracts/queue-backend.ts";
import { type ClaimFacts, claimed, enqueued, stamped } from "../../model/lifecycle.ts";
import type { Millis, TaskRecord } from "../../model/record.ts";
import type { ColumnName } from "../sql/columns.ts";
import { isLimited, type LaneHints, type LaneName, laneOf, type Route } from "../sql/lane-hints.ts";
import type { Text, TextRow } from "../sql/port.ts";
import { damageOf, policyOf, RowFault } from "../sql/rows.ts";
import { type Damage, SALVAGE_LIMIT } from "../sql/salvage.ts";
import { restored, stored } from "../sql/text.ts";
import { decoded } from "../sql/text-rows.ts";
import type { Context } from "./context.ts";
import { setAside } from "./damage.ts";
import { gapsIn, toldIn } from "./lane-search.ts";
import { allOf } from "./names.ts";
import { type ClaimForm, claiming, TAKEN } from "./taking.ts";

/** How often a claim is repeated that others left nothing of what it saw. */
const TRIES = 5;

interface Taken {
  readonly record: TaskRecord;
  readonly seq: number;
}

/** Claims; in claim order. */
export async function claim(
  context: Context,
  request: ClaimRequest,
  hints: LaneHints,
  clock: Clock,
): Promise<readonly TaskRecord[]> {
  let damaged = 0;
  for (let tries = 0; tries < TRIES; ) {
    const from = clock.mono();
    const route = hints.of(request, from);
    const [head, ...rows] = await context.timed(
      claiming(context.names, formOf(request, route)),
      valuesOf(request, route),
    );
    const [time, known, peeked, lanes] = head as TextRow;
    const now = context.time(time);
    if (known === "1") return owned(context, request.token);
    const { token, lease, workerId } = request;
    const taken = await recordsIn(context, rows, { now, token, lease, workerId }, onlyLane(route));
    // Behind what was damaged there may be sound records: many tries for many damaged ones, though not for ever.
    damaged += rows.length - taken.length;
    if (rows.length === taken.length || damaged > SALVAGE_LIMIT) tries += 1;
    if (route.kind === "everywhere") hints.looked(request, lanesIn(lanes), from, clock.mono());
    else if (route.kind === "between") hints.met(lanesIn(lanes));
    hints.claimed(taken.map(laneOf), taken.length < request.limit);
    if (taken.length > 0 || (route.kind !== "told" && peeked === "0")) return taken;
  }
  return [];
}

function formOf(request: ClaimRequest, route: Route): ClaimForm {
  return { route: route.kind, limited: isLimited(request), single: onlyLane(route) !== undefined };
}

/** The lane, where a claim is told of one alone. */
function onlyLane(route: Route): LaneName | undefined {
  return route.kind === "told" && route.lanes.length === 1 ? route.lanes[0] : undefined;
}

function valuesOf(request: ClaimRequest, route: Route): Text[] {
  const { token, workerId, lease, limit, queues, tasks, executions, queueLimits } = request;
  const values: Text[] = [stored(token), stored(workerId), String(lease), String(limit)];
  if (route.kind === "told") return [...values, ...toldIn(route.lanes.toSorted((a, b) => b.priority - a.priority))];
  values.push(queues === null ? null : texts(queues), texts(tasks), texts(executions));
  if (isLimited(request)) values.push(texts(Object.keys(queueLimits)), texts(Object.values(queueLimits).map(String)));
  return route.kind === "between" ? [...values, ...toldIn(route.lanes), gapsIn(route.lanes)] : values;
}

function texts(list: readonly string[]): string {
  return JSON.stringify(list.map(stored));
}

function lanesIn(value: Text | undefined): LaneName[] {
  const lanes = JSON.parse(value ?? "[]") as readonly (readonly [string, string, string, number])[];
  return lanes.map(([queue, task, execution, priority]) => ({
    queue: restored(queue),
    task: restored(task),
    execution: restored(execution),
    priority,
  }));
}

/** The records in the rows of a claim, in claim order; damaged ones are set aside. */
async function recordsIn(
  context: Context,
  rows: readonly TextRow[],
  facts: ClaimFacts,
  lane: LaneName | undefined,
): Promise<TaskRecord[]> {
  const reader = new TakenReader(facts, lane);
  const taken: Taken[] = [];
  const damages: Damage[] = [];
  for (const row of rows) {
    try {
      taken.push({ record: reader.read(row), seq: Number(row[5]) });
    } catch (fault) {
      damages.push(damageOf(fault, row[0] ?? null));
    }
  }
  if (damages.length > 0) await setAside(context, damages.slice(0, SALVAGE_LIMIT));
  return taken.sort(inOrder).map(({ record }) => record);
}

function inOrder({ record: a, seq: first }: Taken, { record: b, seq: second }: Taken): number {
  return b.priority - a.priority || a.readyAt - b.readyAt || first - second;
}

/** Where the columns of `TAKEN_LANE` begin. */
const LANE = TAKEN.length;

/** Reads rows of one claim. Most are alike, so each is read as the one before it but for what differs. */
class TakenReader {
  readonly #facts: ClaimFacts;
  readonly #lane: LaneName | undefined;
  /** An ordinary row, and what it was read as. */
  #row: TextRow | undefined;
  #record: TaskRecord | undefined;

  constructor(facts: ClaimFacts, lane: LaneName | undefined) {
    this.#facts = facts;
    this.#lane = lane;
  }

  /** @throws RowFault */
  read(row: TextRow): TaskRecord {
    const more = row[6] as Text;
    const rest = more === null ? NOTHING_MORE : (JSON.parse(more) as Text[]);
    if (rest.length > 2) return decoded(rest);
    const createdAt = time(row[3] as Text, "created_at");
    const readyAt = row[4] === null ? createdAt : time(row[4] as Text, "ready_at");
    const id = restored(String(row[0]));
    const input = textOrNull(row[1]);
    if (more === null && this.#record !== undefined && isLike(row, this.#row as TextRow))
      return { ...this.#record, id, input, createdAt, queuedAt: createdAt, readyAt };
    const policy = policyOf(String(row[2]));
    const [expiresAt = null, key = null] = rest;
    const draft = enqueued({
      ...(this.#lane === undefined ? laneIn(row) : factsOf(this.#lane)),
      ...{ id, input, policy, key: textOrNull(key), runAt: readyAt },
      expiresAt: expiresAt === null ? null : time(expiresAt, "expires_at"),
    });
    const record = claimed(stamped(draft, createdAt), this.#facts);
    if (more === null) [this.#row, this.#record] = [row, record];
    return record;
  }
}

const NOTHING_MORE: readonly Text[] = [];

/** Whether two ordinary rows have the same policy and lie in the same lane. */
function isLike(one: TextRow, other: TextRow): boolean {
  if (one[2] !== other[2]) return false;
  for (let at = LANE; at < one.length; at += 1) if (one[at] !== other[at]) return false;
  return true;
}

type LaneFacts = Pick<TaskRecord, "queue" | "taskName" | "execution" | "priority">;

function laneIn(row: TextRow): LaneFacts {
  const [queue, taskName, execution, priority] = row.slice(LANE).map(String) as [string, string, string, string];
  return {
    ...{ queue: restored(queue), taskName: restored(taskName), execution: restored(execution) },
    priority: Number(priority),
  };
}

function factsOf({ queue, task, execution, priority }: LaneName): LaneFacts {
  return { queue, taskName: task, execution, priority };
}

/** @throws RowFault for a time that is larger than JavaScript counts */
function time(value: Text, column: ColumnName): Millis {
  const millis = Number(value);
  if (value !== null && Number.isSafeInteger(millis)) return millis;
  throw new RowFault(column, "is not a number of a usable size");
}

function textOrNull(value: Text | undefined): string | null {
  return typeof value === "string" ? restored(value) : null;
}

/** What the token owns already: the reply to its claim was lost. */
async function owned(context: Context, token: string): Promise<TaskRecord[]> {
  const { live } = context.names;
  const text = `select ${allOf("t")} from ${live} t where t.claim = $1::text and t.state in (1, 2) and t.state = 2
    order by -t.priority, t.ready_at, t.seq`;
  const rows = await context.session.query(text, [stored(token)]);
  const damages: Damage[] = [];
  const records: TaskRecord[] = [];
  for (const row of rows) {
    try {
      records.push(decoded(row));
    } catch (fault) {
      damages.push(damageOf(fault, row[0] ?? null));
    }
  }
  if (damages.length > 0) await setAside(context, damages.slice(0, SALVAGE_LIMIT));
  return records;
}
