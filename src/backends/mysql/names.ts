/** The names in one namespace, which is a prefix of tables; and the expressions that nearly every statement needs. */
import { COLUMNS } from "../sql/text-rows.ts";

export interface Names {
  /** The namespace: an allow-listed word. */
  readonly namespace: string;
  readonly tasks: string;
  /** The tokens of claims. */
  readonly claims: string;
  readonly holds: string;
  readonly schedules: string;
  /** The one row of the store itself. */
  readonly store: string;
  /** The store's time in ms, never before the expression given; the same throughout one statement. */
  now(floor: string): string;
}

/** @param injected - Whether what is given to `now` is the time itself, for tests; else the server's clock counts. */
export function namesIn(namespace: string, injected: boolean): Names {
  const named = (table: string): string => `\`${namespace}_${table}\``;
  // Neither the session's time zone nor its summer time has a part in this.
  const server = "timestampdiff(microsecond, '1970-01-01', utc_timestamp(6)) div 1000";
  return {
    namespace,
    tasks: named("tasks"),
    claims: named("claims"),
    holds: named("holds"),
    schedules: named("schedules"),
    store: named("store"),
    now: (floor) => (injected ? floor : `greatest(${server}, ${floor})`),
  };
}

/** How a column is kept. Bytes compare as they are: no case, no accents, no padding; texts are for people to read. */
export type Type = "bytes" | "text" | "int" | "bigint";

/** How many bytes the columns take that are kept as bytes, since they are in an index. */
export const LENGTHS: Readonly<Record<string, number>> = {
  id: 255,
  task_name: 250,
  queue: 250,
  execution: 250,
  claim: 255,
  key: 2_600,
};

/** The type of a record's column. */
export function typeOf(name: string): Type {
  if (LENGTHS[name] !== undefined) return "bytes";
  const kind = COLUMNS.find(([column]) => column === name)?.[1];
  if (kind === "count") return "int";
  return kind === "number" || kind === "number?" ? "bigint" : "text";
}

/** A column, as bytes where it is a text: the session's idea of texts has no part in that. */
export function column(alias: string, name: string): string {
  return typeOf(name) === "text" ? `cast(${alias}.\`${name}\` as binary)` : `${alias}.\`${name}\``;
}

/** Every column of a record, of the table of this alias. */
export function allOf(alias: string): string {
  return COLUMNS.map(([name]) => column(alias, name)).join(", ");
}

/** The first places of `state`. */
export const PENDING = 0;
export const RUNNING = 2;

/** What `alarm` holds besides the time until which a pending record must have started; null: nothing to look for. */
export const ALARM = { dead: -1, cancelling: -2 } as const;
