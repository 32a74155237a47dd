/**
 * Records as rows and back. Texts are kept as they are; what is a structure becomes JSON, null where it is empty, since
 * most records have none of it. Reading checks every column: a damaged row is told apart, never half believed.
 */
import type {
  JsonText,
  Origin,
  RecordState,
  TaskFailure,
  TaskPolicy,
  TaskProgress,
  TaskRecord,
} from "../../model/record.ts";
import type { SqlRow, SqlValue } from "./driver.ts";

/** The stored number of a state is its place here. */
export const STATES: readonly RecordState[] = ["pending", "dispatched", "running", "completed", "failed", "cancelled"];

type Kind = "text" | "text?" | "number" | "number?" | "state" | "policy" | "list?" | "object?";

/** The columns of a record in the order in which rows are read and written. */
export const COLUMNS: readonly (readonly [name: string, kind: Kind])[] = [
  ["id", "text"],
  ["task_name", "text"],
  ["queue", "text"],
  ["execution", "text"],
  ["execution_profile", "text?"],
  ["priority", "number"],
  ["input", "text?"],
  ["policy", "policy"],
  ["created_at", "number"],
  ["expires_at", "number?"],
  ["metadata", "text?"],
  ["tags", "list?"],
  ["description", "text?"],
  ["state", "state"],
  ["version", "number"],
  ["claim", "text?"],
  ["attempt", "number"],
  ["failures", "number"],
  ["losses", "number"],
  ["interruptions", "number"],
  ["snoozes", "number"],
  ["begun", "number"],
  ["key", "text?"],
  ["ref", "text?"],
  ["queued_at", "number"],
  ["ready_at", "number"],
  ["started_at", "number?"],
  ["finished_at", "number?"],
  ["cancel_requested_at", "number?"],
  ["reason", "text?"],
  ["result", "text?"],
  ["error", "object?"],
  ["progress", "object?"],
  ["logs", "list?"],
  ["lease_until", "number?"],
  ["worker_id", "text?"],
  ["origin", "object?"],
  ["revivals", "number"],
];

/** The columns as a list for `select`. */
export const SELECTED: string = COLUMNS.map(([name]) => name).join(", ");

/** Where `select ${SELECTED}, seq` has these. */
export const AT: { readonly state: number; readonly seq: number } = { state: 13, seq: COLUMNS.length };

/** A row that does not hold a record. */
export class RowFault extends Error {
  override readonly name = "RowFault";
  readonly column: number;

  constructor(column: number, why: string) {
    super(`column ${COLUMNS[column]?.[0]} ${why}`);
    this.column = column;
  }
}

/** The record in a row. @throws RowFault */
export function decoded(row: SqlRow): TaskRecord {
  return {
    id: text(row, 0),
    taskName: text(row, 1),
    queue: text(row, 2),
    execution: text(row, 3),
    executionProfile: textOrNull(row, 4),
    priority: number(row, 5),
    input: textOrNull(row, 6),
    policy: policyOf(text(row, 7)),
    createdAt: number(row, 8),
    expiresAt: numberOrNull(row, 9),
    metadata: textOrNull(row, 10),
    tags: row[11] === null ? NOTHING : parsed(row, 11, true),
    description: textOrNull(row, 12),
    state: stateOf(row),
    version: number(row, 14),
    claim: textOrNull(row, 15),
    attempt: number(row, 16),
    failures: number(row, 17),
    losses: number(row, 18),
    interruptions: number(row, 19),
    snoozes: number(row, 20),
    begun: number(row, 21) !== 0,
    key: textOrNull(row, 22),
    ref: textOrNull(row, 23),
    queuedAt: number(row, 24),
    readyAt: number(row, 25),
    startedAt: numberOrNull(row, 26),
    finishedAt: numberOrNull(row, 27),
    cancelRequestedAt: numberOrNull(row, 28),
    reason: textOrNull(row, 29),
    result: textOrNull(row, 30),
    error: row[31] === null ? null : parsed<TaskFailure>(row, 31, false),
    progress: row[32] === null ? null : parsed<TaskProgress>(row, 32, false),
    logs: row[33] === null ? NOTHING : parsed(row, 33, true),
    leaseUntil: numberOrNull(row, 34),
    workerId: textOrNull(row, 35),
    origin: row[36] === null ? null : parsed<Origin>(row, 36, false),
    revivals: number(row, 37),
  };
}

/** Queue, task, execution and priority: what those records share that every claim treats alike. */
export type LaneName = readonly [queue: string, taskName: string, execution: string, priority: number];

/** The columns that `decodedFresh` needs. */
export const FRESH: string =
  "id, input, policy, created_at, expires_at, execution_profile, metadata, tags, description, key, ready_at, version, origin, seq";

/** Where a row of them has these. */
export const FRESH_AT: { readonly readyAt: number; readonly seq: number } = { readyAt: 10, seq: 13 };

/**
 * The record in a row of `FRESH` if it is pending and as it was enqueued, which its version tells: every verb adds to
 * it. Else undefined, and also if anything is odd or has tags or an origin: then the whole row is to be read. @throws RowFault
 */
export function decodedFresh(row: SqlRow, [queue, taskName, execution, priority]: LaneName): TaskRecord | undefined {
  const [id, input, policy, createdAt, expiresAt, executionProfile, metadata, tags, description, key, readyAt] = row;
  if (
    row[11] !== 1 ||
    typeof id !== "string" ||
    typeof policy !== "string" ||
    typeof createdAt !== "number" ||
    typeof readyAt !== "number" ||
    !isTextOrNull(input) ||
    !isTextOrNull(executionProfile) ||
    !isTextOrNull(metadata) ||
    !isTextOrNull(description) ||
    !isTextOrNull(key) ||
    !(expiresAt === null || typeof expiresAt === "number") ||
    tags !== null ||
    row[12] !== null
  ) {
    return undefined;
  }
  return {
    id,
    taskName,
    queue,
    execution,
    executionProfile,
    priority,
    input,
    policy: policyOf(policy),
    createdAt,
    expiresAt,
    metadata,
    tags: NOTHING,
    description,
    origin: null,
    state: "pending",
    version: 1,
    claim: null,
    attempt: 0,
    failures: 0,
    losses: 0,
    interruptions: 0,
    snoozes: 0,
    revivals: 0,
    begun: false,
    key,
    ref: null,
    queuedAt: createdAt,
    readyAt,
    startedAt: null,
    finishedAt: null,
    cancelRequestedAt: null,
    reason: null,
    result: null,
    error: null,
    progress: null,
    logs: NOTHING,
    leaseUntil: null,
    workerId: null,
  };
}

function isTextOrNull(value: SqlValue | undefined): value is string | null {
  return value === null || typeof value === "string";
}

/** The row of a record, in the order of `COLUMNS`. */
export function encoded(record: TaskRecord): SqlValue[] {
  const r = record;
  return [
    r.id,
    r.taskName,
    r.queue,
    r.execution,
    r.executionProfile,
    r.priority,
    r.input,
    policyText(r.policy),
    r.createdAt,
    r.expiresAt,
    r.metadata,
    listText(r.tags),
    r.description,
    STATES.indexOf(r.state),
    r.version,
    r.claim,
    r.attempt,
    r.failures,
    r.losses,
    r.interruptions,
    r.snoozes,
    r.begun ? 1 : 0,
    r.key,
    r.ref,
    r.queuedAt,
    r.readyAt,
    r.startedAt,
    r.finishedAt,
    r.cancelRequestedAt,
    r.reason,
    r.result,
    objectText(r.error),
    objectText(r.progress),
    listText(r.logs),
    r.leaseUntil,
    r.workerId,
    objectText(r.origin),
    r.revivals,
  ];
}

export function listText(list: readonly unknown[]): JsonText | null {
  return list.length === 0 ? null : JSON.stringify(list);
}

export function objectText(value: object | null): JsonText | null {
  return value === null ? null : JSON.stringify(value);
}

const NOTHING: readonly never[] = [];

/** Most records share a handful of policies, so each text is read once and each object written once. */
const REMEMBERED = 1_000;
const policies = new Map<string, TaskPolicy>();
const policyTexts = new WeakMap<TaskPolicy, JsonText>();

/** A policy as the list of its values: short, since every row carries it. */
export function policyText(policy: TaskPolicy): JsonText {
  const known = policyTexts.get(policy);
  if (known !== undefined) return known;
  const { retries, timeout, requeueOnShutdown } = policy;
  const { kind, delay, factor, maxDelay, jitter } = policy.backoff;
  const text = JSON.stringify([retries, kind, delay, factor, maxDelay, jitter, timeout, requeueOnShutdown ? 1 : 0]);
  policyTexts.set(policy, text);
  return text;
}

function policyOf(text: string): TaskPolicy {
  const known = policies.get(text);
  if (known !== undefined) return known;
  const policy = parsedPolicy(text);
  if (policies.size >= REMEMBERED) policies.clear();
  policies.set(text, policy);
  return policy;
}

function parsedPolicy(text: string): TaskPolicy {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    throw new RowFault(7, "is not valid JSON");
  }
  const values: unknown[] = Array.isArray(list) ? list : [];
  const [retries, kind, delay, factor, maxDelay, jitter, timeout, requeue] = values;
  const numbers = [retries, delay, factor, maxDelay, jitter].every((value) => typeof value === "number");
  const known = kind === "fixed" || kind === "linear" || kind === "exponential" || kind === "custom";
  if (!numbers || !known || !(timeout === null || typeof timeout === "number")) {
    throw new RowFault(7, "does not hold a policy");
  }
  const backoff = { kind, delay, factor, maxDelay, jitter } as TaskPolicy["backoff"];
  return { retries: retries as number, backoff, timeout, requeueOnShutdown: requeue === 1 };
}

function text(row: SqlRow, column: number): string {
  const value = row[column];
  if (typeof value === "string") return value;
  throw new RowFault(column, "is not a text");
}

function textOrNull(row: SqlRow, column: number): string | null {
  const value = row[column];
  if (value === null || typeof value === "string") return value;
  throw new RowFault(column, "is not a text");
}

function number(row: SqlRow, column: number): number {
  const value = row[column];
  if (typeof value === "number") return value;
  throw new RowFault(column, "is not a number of a usable size");
}

function numberOrNull(row: SqlRow, column: number): number | null {
  const value = row[column];
  if (value === null || typeof value === "number") return value;
  throw new RowFault(column, "is not a number of a usable size");
}

function stateOf(row: SqlRow): RecordState {
  const place = row[AT.state];
  const state = typeof place === "number" ? STATES[place] : undefined;
  if (state !== undefined) return state;
  throw new RowFault(AT.state, "is not a known state");
}

function parsed<T>(row: SqlRow, column: number, list: boolean): T {
  let value: unknown;
  try {
    value = JSON.parse(text(row, column));
  } catch (error) {
    throw error instanceof RowFault ? error : new RowFault(column, "is not valid JSON");
  }
  if (typeof value === "object" && value !== null && Array.isArray(value) === list) return value as T;
  throw new RowFault(column, `does not hold a JSON ${list ? "array" : "object"}`);
}
