/**
 * Damaged rows. A row that no longer holds a record must not stop anybody's work: it is set aside as failed with the
 * reason `corrupt`; its broken columns stay in the database as evidence and read as if they were empty.
 */
import type { Millis, TaskFailure } from "../../model/record.ts";
import type { Text } from "./port.ts";

/** Reason of a record that was damaged in the store. */
export const CORRUPT = "corrupt";

/** At most so many rows are set aside by one call. */
export const SALVAGE_LIMIT = 1_000;

/** A damaged row that has not been set aside yet. */
export interface Damage<Value = Text> {
  /** What the store knows the row by. */
  readonly by: Value;
  readonly why: string;
}

/** The failure that is written on a damaged row, as JSON. */
export function damageText(why: string, at: Millis): string {
  const message = `The stored record is damaged: ${why}`;
  const failure: TaskFailure = { name: "CorruptRecord", message, stack: null, code: "STORE_CORRUPT", attempt: 0, at };
  return JSON.stringify(failure);
}

/**
 * Reads what may meet damaged rows: then it sets them aside, and reads again.
 * @param setAside - Is given as many as one call may set aside.
 */
export async function soundly<T, Value>(
  read: (damages: Damage<Value>[]) => Promise<T>,
  setAside: (damages: readonly Damage<Value>[]) => Promise<void>,
): Promise<T> {
  const damages: Damage<Value>[] = [];
  const found = await read(damages);
  if (damages.length === 0) return found;
  await setAside(damages.slice(0, SALVAGE_LIMIT));
  return read([]);
}
