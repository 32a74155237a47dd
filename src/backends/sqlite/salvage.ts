/**
 * Damaged rows. A row that no longer holds a record must not stop anybody's work: it is set aside as failed with the
 * reason `corrupt`; its broken columns stay in the file as evidence and read as if they were empty.
 */
import { type Millis, type TaskFailure, type TaskRecord, TERMINAL_STATES } from "../../model/record.ts";
import type { SqlRow, SqlValue } from "./driver.ts";
import { AT, COLUMNS, decoded, policyText, RowFault, STATES } from "./rows.ts";
import type { Transaction } from "./transaction.ts";

/** Reason of a record that was damaged in the store. */
const CORRUPT = "corrupt";

/** At most so many rows are set aside by one call. */
export const SALVAGE_LIMIT = 1_000;

/** A damaged row that has not been set aside yet. */
export interface Damage {
  readonly seq: SqlValue;
  readonly why: string;
}

const FAILED = STATES.indexOf("failed");
const ENDED: readonly unknown[] = TERMINAL_STATES.map((state) => STATES.indexOf(state));

const EMPTY_POLICY = policyText({
  retries: 0,
  backoff: { kind: "fixed", delay: 0, factor: 1, maxDelay: 0, jitter: 0 },
  timeout: null,
  requeueOnShutdown: true,
});

/** The record in a row, or what can be told of it; `damages` takes note of a damaged row that still looks alive. */
export function salvaged(row: SqlRow, damages: Damage[]): TaskRecord {
  try {
    return decoded(row);
  } catch (fault) {
    if (!(fault instanceof RowFault)) throw fault;
    if (!ENDED.includes(row[AT.state])) damages.push({ seq: row[AT.seq] as SqlValue, why: fault.message });
    return patched(row);
  }
}

/** Marks damaged rows as failed. */
export function setAside(tx: Transaction, damages: readonly Damage[]): void {
  for (const { seq, why } of damages.slice(0, SALVAGE_LIMIT)) {
    tx.statement(tx.sql.quarantine).run(tx.now, CORRUPT, damageText(why, tx.now), seq);
    tx.wrote = true;
  }
}

/** The failure that is written on a damaged row, as JSON. */
function damageText(why: string, at: Millis): string {
  const message = `The stored record is damaged: ${why}`;
  const failure: TaskFailure = { name: "CorruptRecord", message, stack: null, code: "STORE_CORRUPT", attempt: 0, at };
  return JSON.stringify(failure);
}

/** Decodes after replacing each column that cannot be read. */
function patched(row: SqlRow): TaskRecord {
  const whole = row.slice(0, COLUMNS.length);
  for (;;) {
    try {
      return decoded(whole);
    } catch (fault) {
      if (!(fault instanceof RowFault)) throw fault;
      whole[fault.column] = substitute(fault.column, whole[fault.column]);
    }
  }
}

function substitute(column: number, value: SqlValue | undefined): SqlValue {
  switch (COLUMNS[column]?.[1]) {
    case "text":
      return String(value);
    case "number":
      return 0;
    case "state":
      return FAILED;
    case "policy":
      return EMPTY_POLICY;
    default:
      return null;
  }
}
