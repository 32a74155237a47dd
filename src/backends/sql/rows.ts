/**
 * Records as rows of texts and back. What is a structure becomes JSON, null where it is empty, since most records have
 * none of it. Reading checks every column: a damaged row is told apart, never half believed.
 */
import type { JsonText, Origin, RecordState, TaskFailure, TaskProgress, TaskRecord } from "../../model/record.ts";
import { policyIn, policyText } from "./policy.ts";
import type { Text, TextRow } from "./port.ts";
import { restored, stored } from "./text.ts";

/** The stored number of a state is its place here. */
export const STATES: readonly RecordState[] = ["pending", "dispatched", "running", "completed", "failed", "cancelled"];

/** How a column is kept: words and long texts, small and large numbers. A question mark: may be null. */
export type Kind = "text" | "text?" | "count" | "number" | "number?";

/** The columns of a record in the order in which rows are read and written. */
export const COLUMNS: readonly (readonly [name: string, kind: Kind])[] = [
  ["id", "text"],
  ["task_name", "text"],
  ["queue", "text"],
  ["execution", "text"],
  ["execution_profile", "text?"],
  ["priority", "count"],
  ["input", "text?"],
  ["policy", "text"],
  ["created_at", "number"],
  ["expires_at", "number?"],
  ["metadata", "text?"],
  ["tags", "text?"],
  ["description", "text?"],
  ["origin", "text?"],
  ["state", "count"],
  ["version", "number"],
  ["claim", "text?"],
  ["attempt", "count"],
  ["failures", "count"],
  ["losses", "count"],
  ["interruptions", "count"],
  ["snoozes", "count"],
  ["revivals", "count"],
  ["begun", "count"],
  ["key", "text?"],
  ["ref", "text?"],
  ["queued_at", "number"],
  ["ready_at", "number"],
  ["started_at", "number?"],
  ["finished_at", "number?"],
  ["cancel_requested_at", "number?"],
  ["reason", "text?"],
  ["result", "text?"],
  ["error", "text?"],
  ["progress", "text?"],
  ["logs", "text?"],
  ["lease_until", "number?"],
  ["worker_id", "text?"],
];

/** The columns' names, in order. */
export const NAMES: readonly string[] = COLUMNS.map(([name]) => name);

/** The place of a column in a row. */
export function placeOf(name: string): number {
  return NAMES.indexOf(name);
}

const POLICY = placeOf("policy");
const STATE = placeOf("state");

/** A row that does not hold a record. */
export class RowFault extends Error {
  override readonly name = "RowFault";
  readonly column: number;

  constructor(column: number, why: string) {
    super(`column ${NAMES[column]} ${why}`);
    this.column = column;
  }
}

/** The record in a row. @throws RowFault */
export function decoded(row: TextRow): TaskRecord {
  return {
    id: text(row, 0),
    taskName: text(row, 1),
    queue: text(row, 2),
    execution: text(row, 3),
    executionProfile: textOrNull(row, 4),
    priority: number(row, 5),
    input: textOrNull(row, 6),
    policy: policyOf(text(row, POLICY)),
    createdAt: number(row, 8),
    expiresAt: numberOrNull(row, 9),
    metadata: textOrNull(row, 10),
    tags: list(row, 11),
    description: textOrNull(row, 12),
    origin: object<Origin>(row, 13),
    state: stateOf(row),
    version: number(row, 15),
    claim: textOrNull(row, 16),
    attempt: number(row, 17),
    failures: number(row, 18),
    losses: number(row, 19),
    interruptions: number(row, 20),
    snoozes: number(row, 21),
    revivals: number(row, 22),
    begun: number(row, 23) !== 0,
    key: textOrNull(row, 24),
    ref: textOrNull(row, 25),
    queuedAt: number(row, 26),
    readyAt: number(row, 27),
    startedAt: numberOrNull(row, 28),
    finishedAt: numberOrNull(row, 29),
    cancelRequestedAt: numberOrNull(row, 30),
    reason: textOrNull(row, 31),
    result: textOrNull(row, 32),
    error: object<TaskFailure>(row, 33),
    progress: object<TaskProgress>(row, 34),
    logs: list(row, 35),
    leaseUntil: numberOrNull(row, 36),
    workerId: textOrNull(row, 37),
  };
}

/** How a column of a record is written. */
export const WRITERS: readonly ((record: TaskRecord) => Text)[] = [
  (r) => stored(r.id),
  (r) => stored(r.taskName),
  (r) => stored(r.queue),
  (r) => stored(r.execution),
  (r) => safe(r.executionProfile),
  (r) => String(r.priority),
  (r) => safe(r.input),
  (r) => policyText(r.policy),
  (r) => String(r.createdAt),
  (r) => digits(r.expiresAt),
  (r) => safe(r.metadata),
  (r) => listText(r.tags),
  (r) => safe(r.description),
  (r) => objectText(r.origin),
  (r) => String(STATES.indexOf(r.state)),
  (r) => String(r.version),
  (r) => safe(r.claim),
  (r) => String(r.attempt),
  (r) => String(r.failures),
  (r) => String(r.losses),
  (r) => String(r.interruptions),
  (r) => String(r.snoozes),
  (r) => String(r.revivals),
  (r) => (r.begun ? "1" : "0"),
  (r) => safe(r.key),
  (r) => safe(r.ref),
  (r) => String(r.queuedAt),
  (r) => String(r.readyAt),
  (r) => digits(r.startedAt),
  (r) => digits(r.finishedAt),
  (r) => digits(r.cancelRequestedAt),
  (r) => safe(r.reason),
  (r) => safe(r.result),
  (r) => objectText(r.error),
  (r) => objectText(r.progress),
  (r) => listText(r.logs),
  (r) => digits(r.leaseUntil),
  (r) => safe(r.workerId),
];

/** A text or nothing, as a server takes it. */
export function safe(value: string | null): Text {
  return value === null ? null : stored(value);
}

/** A number or nothing, as it travels. */
export function digits(value: number | null): Text {
  return value === null ? null : String(value);
}

function listText(items: readonly unknown[]): JsonText | null {
  return items.length === 0 ? null : JSON.stringify(items);
}

function objectText(value: object | null): JsonText | null {
  return value === null ? null : JSON.stringify(value);
}

/** A number of a schedule; null where it is none, or damaged: larger than JavaScript counts. */
export function countedOrNull(value: Text | undefined): number | null {
  const read = typeof value === "string" && value !== "" ? Number(value) : Number.NaN;
  return Number.isSafeInteger(read) ? read : null;
}

const NOTHING: readonly never[] = [];

function policyOf(value: string): TaskRecord["policy"] {
  const policy = policyIn(value);
  if (policy === undefined) throw new RowFault(POLICY, "does not hold a policy");
  return policy;
}

function text(row: TextRow, column: number): string {
  const value = row[column];
  if (typeof value === "string") return restored(value);
  throw new RowFault(column, "is not a text");
}

function textOrNull(row: TextRow, column: number): string | null {
  return row[column] === null ? null : text(row, column);
}

function number(row: TextRow, column: number): number {
  const value = row[column];
  const read = typeof value === "string" && value !== "" ? Number(value) : Number.NaN;
  if (Number.isSafeInteger(read)) return read;
  throw new RowFault(column, "is not a number of a usable size");
}

function numberOrNull(row: TextRow, column: number): number | null {
  return row[column] === null ? null : number(row, column);
}

function stateOf(row: TextRow): RecordState {
  const state = STATES[number(row, STATE)];
  if (state !== undefined) return state;
  throw new RowFault(STATE, "is not a known state");
}

function list<T>(row: TextRow, column: number): readonly T[] {
  if (row[column] === null) return NOTHING;
  const value = parsed(row, column);
  if (Array.isArray(value)) return value;
  throw new RowFault(column, "does not hold a JSON array");
}

function object<T>(row: TextRow, column: number): T | null {
  if (row[column] === null) return null;
  const value = parsed(row, column);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as T;
  throw new RowFault(column, "does not hold a JSON object");
}

function parsed(row: TextRow, column: number): unknown {
  try {
    return JSON.parse(String(row[column]));
  } catch {
    throw new RowFault(column, "is not valid JSON");
  }
}
