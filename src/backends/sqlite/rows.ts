/** Records as rows of SQLite and back. Texts and numbers are kept as they are. */
import type { TaskRecord } from "../../model/record.ts";
import { type Column, columnsOf, STATES } from "../sql/columns.ts";
import { policyText } from "../sql/policy.ts";
import { listText, NOTHING, objectText, policyOf, Rows } from "../sql/rows.ts";
import type { Damage } from "../sql/salvage.ts";
import type { SqlRow, SqlValue } from "./driver.ts";

/** The columns of a record in the order in which rows are read and written; new ones come last. */
export const COLUMNS: readonly Column[] = columnsOf(
  "id task_name queue execution execution_profile priority input policy created_at expires_at metadata tags description " +
    "state version claim attempt failures losses interruptions snoozes begun key ref queued_at ready_at started_at " +
    "finished_at cancel_requested_at reason result error progress logs lease_until worker_id origin revivals",
);

/** The columns as a list for `select`. */
export const SELECTED: string = COLUMNS.map(([name]) => name).join(", ");

/** Where `select ${SELECTED}, seq` has it. */
export const SEQ: number = COLUMNS.length;

const ROWS = new Rows<SqlValue>(COLUMNS, {
  text: (value) => (typeof value === "string" ? value : undefined),
  number: (value) => (typeof value === "number" ? value : undefined),
  kept: (content) => content,
});

/** The record in a row. @throws RowFault */
export function decoded(row: SqlRow): TaskRecord {
  return ROWS.decoded(row);
}

/** The record in a row with its seq, or what can be told of it; `damages` takes note of a damaged row that still looks alive. */
export function salvaged(row: SqlRow, damages: Damage<SqlValue>[]): TaskRecord {
  return ROWS.salvaged(row, row[SEQ] as SqlValue, damages);
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
