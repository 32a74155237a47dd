/** Rows of records that are as they were enqueued, as most of those claimed are: little is read of them, and the rest follows. */
import { enqueued, stamped } from "../../model/lifecycle.ts";
import type { TaskRecord } from "../../model/record.ts";
import type { ColumnName } from "./columns.ts";
import type { Text, TextRow } from "./port.ts";
import { policyOf, RowFault } from "./rows.ts";
import { restored } from "./text.ts";

/** What is read of such a record, in order. */
export const FRESH: readonly ColumnName[] = [
  ...(["id", "task_name", "queue", "execution", "priority", "input", "policy"] as const),
  ...(["created_at", "expires_at", "key", "ready_at"] as const),
];

/** Being such a record. @param version - What its version is then. */
export function isFresh(alias: string, version: number): string {
  const empty = ["tags", "origin", "metadata", "description", "execution_profile"];
  return [`${alias}.version = ${version}`, ...empty.map((name) => `${alias}.${name} is null`)].join(" and ");
}

const TIMES: readonly number[] = [7, 8, 10];

/** The record in a row of `FRESH`, as it was enqueued. @throws RowFault */
export function freshRecord(row: TextRow): TaskRecord {
  checkTimes(row);
  const draft = enqueued({
    id: restored(String(row[0])),
    taskName: restored(String(row[1])),
    queue: restored(String(row[2])),
    execution: restored(String(row[3])),
    priority: Number(row[4]),
    input: textOrNull(row[5]),
    policy: policyOf(String(row[6])),
    key: textOrNull(row[9]),
    runAt: Number(row[10]),
    expiresAt: row[8] === null ? null : Number(row[8]),
  });
  return stamped(draft, Number(row[7]));
}

/** @throws RowFault for a time that is larger than JavaScript counts */
function checkTimes(row: TextRow): void {
  for (const place of TIMES) {
    const value = row[place];
    if (value === null || Number.isSafeInteger(Number(value))) continue;
    throw new RowFault(FRESH[place] as ColumnName, "is not a number of a usable size");
  }
}

function textOrNull(value: Text | undefined): string | null {
  return typeof value === "string" ? restored(value) : null;
}
