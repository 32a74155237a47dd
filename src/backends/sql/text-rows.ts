/** Records as the rows of a server store: every value travels as text, and whole numbers keep every digit. */
import type { TaskRecord } from "../../model/record.ts";
import { type Column, columnsOf, STATES } from "./columns.ts";
import { policyText } from "./policy.ts";
import type { Text, TextRow } from "./port.ts";
import { listText, objectText, Rows } from "./rows.ts";
import type { Damage } from "./salvage.ts";
import { restored, stored } from "./text.ts";

/** The columns of a record in the order in which rows are read and written. */
export const COLUMNS: readonly Column[] = columnsOf(
  "id task_name queue execution execution_profile priority input policy created_at expires_at metadata tags description origin " +
    "state version claim attempt failures losses interruptions snoozes revivals begun key ref queued_at ready_at started_at " +
    "finished_at cancel_requested_at reason result error progress logs lease_until worker_id",
);

/** The columns' names, in order. */
export const NAMES: readonly string[] = COLUMNS.map(([name]) => name);

/** The place of a column in a row. */
export function placeOf(name: string): number {
  return NAMES.indexOf(name);
}

const ROWS = new Rows<Text>(COLUMNS, {
  text: (value) => (typeof value === "string" ? restored(value) : undefined),
  number: (value) => countedOrNull(value) ?? undefined,
  kept: (content) => (content === null ? null : String(content)),
});

/** The record in a row. @throws RowFault */
export function decoded(row: TextRow): TaskRecord {
  return ROWS.decoded(row);
}

/** The record in a row, or what can be told of it; `damages` takes note of a damaged row that still looks alive. */
export function salvaged(row: TextRow, damages: Damage[]): TaskRecord {
  return ROWS.salvaged(row, row[0] ?? null, damages);
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

/** The number in a text; null where there is none, or it is larger than JavaScript counts. */
export function countedOrNull(value: Text | undefined): number | null {
  const read = typeof value === "string" && value !== "" ? Number(value) : Number.NaN;
  return Number.isSafeInteger(read) ? read : null;
}
