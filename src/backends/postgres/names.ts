/** The names in one namespace, which is a schema of its own; and the expressions that nearly every statement needs. */
import type { Kind } from "../sql/columns.ts";
import { COLUMNS, NAMES } from "../sql/text-rows.ts";

export interface Names {
  /** The namespace: an allow-listed word. */
  readonly namespace: string;
  /** Records that can still change by themselves: pending, dispatched, running. */
  readonly live: string;
  /** Records that have ended. */
  readonly done: string;
  readonly holds: string;
  readonly schedules: string;
  /** The one row of the store itself. */
  readonly store: string;
  /** Numbers the batches of records that come in. */
  readonly batches: string;
  /** A function in the schema. */
  fn(name: string): string;
  /** The store's time in ms, never before the first parameter; to be read once per statement. */
  readonly now: string;
}

/**
 * @param injected - Whether the first parameter of each statement is the time itself, for tests; else the server's
 *   clock counts, which unlike `now()` goes on within a transaction.
 */
export function namesIn(namespace: string, injected: boolean): Names {
  const named = (table: string): string => `"${namespace}".${table}`;
  const server = "floor(extract(epoch from clock_timestamp()) * 1000)::bigint";
  return {
    namespace,
    live: named("live"),
    done: named("done"),
    holds: named("holds"),
    schedules: named("schedules"),
    store: named("store"),
    batches: `${named("batches")}`,
    fn: named,
    now: injected ? "$1::text::bigint" : `greatest(${server}, $1::text::bigint)`,
  };
}

/** The types in which columns are stored. */
export type Type = "text" | "bigint" | "integer";

/** The type of a column. */
export function typeOf(kind: Kind): Type {
  if (kind === "count") return "integer";
  return kind === "number" || kind === "number?" ? "bigint" : "text";
}

/** Every column of a record as text, of the table of this alias. */
export function allOf(alias: string): string {
  return COLUMNS.map(([name, kind]) => (typeOf(kind) === "text" ? `${alias}.${name}` : `${alias}.${name}::text`)).join(
    ", ",
  );
}

/** The columns of both tables, in order. */
export const STORED: string = [...NAMES, "seq"].join(", ");
