/**
 * Damaged rows. A row that no longer holds a record must not stop anybody's work: it is set aside as failed with the
 * reason `corrupt`; its broken columns stay in the database as evidence and read as if they were empty.
 */
import { type Millis, type TaskFailure, type TaskRecord, TERMINAL_STATES } from "../../model/record.ts";
import { policyText } from "./policy.ts";
import type { Text, TextRow } from "./port.ts";
import { COLUMNS, decoded, placeOf, RowFault, STATES } from "./rows.ts";

/** Reason of a record that was damaged in the store. */
export const CORRUPT = "corrupt";

/** At most so many rows are set aside by one call. */
export const SALVAGE_LIMIT = 1_000;

/** A damaged row that has not been set aside yet. */
export interface Damage {
  /** The row's id as stored. */
  readonly id: Text;
  readonly why: string;
}

const STATE = placeOf("state");
const POLICY = placeOf("policy");
const FAILED = String(STATES.indexOf("failed"));
const ENDED: readonly unknown[] = TERMINAL_STATES.map((state) => String(STATES.indexOf(state)));

const EMPTY_POLICY = policyText({
  retries: 0,
  backoff: { kind: "fixed", delay: 0, factor: 1, maxDelay: 0, jitter: 0 },
  timeout: null,
  requeueOnShutdown: true,
});

/** The record in a row, or what can be told of it; `damages` takes note of a damaged row that still looks alive. */
export function salvaged(row: TextRow, damages: Damage[]): TaskRecord {
  try {
    return decoded(row);
  } catch (fault) {
    if (!(fault instanceof RowFault)) throw fault;
    if (!ENDED.includes(row[STATE])) damages.push({ id: row[0] ?? null, why: fault.message });
    return patched(row);
  }
}

/** The failure that is written on a damaged row, as JSON. */
export function damageText(why: string, at: Millis): string {
  const message = `The stored record is damaged: ${why}`;
  const failure: TaskFailure = { name: "CorruptRecord", message, stack: null, code: "STORE_CORRUPT", attempt: 0, at };
  return JSON.stringify(failure);
}

/** Decodes after replacing each column that cannot be read. */
function patched(row: TextRow): TaskRecord {
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

function substitute(column: number, value: Text | undefined): Text {
  if (column === STATE) return FAILED;
  if (column === POLICY) return EMPTY_POLICY;
  const kind = COLUMNS[column]?.[1];
  if (kind === "text") return String(value);
  return kind === "number" || kind === "count" ? "0" : null;
}
