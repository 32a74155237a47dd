/** Sessions over what callers hand in: a client of `pg`, one of `postgres`, or anything that runs a query. */
import type { Caller } from "../../sql/callers/caller.ts";
import { callerOf, noneOpen, type QueryBuilderTransaction, unknownTransaction } from "../../sql/callers/index.ts";
import type { Session, Text, TextRow } from "../../sql/port.ts";

/** Anything that runs one statement; values are texts or null, and so are those in its answer. */
export interface PostgresClient {
  query(text: string, values: (string | null)[]): Promise<{ readonly rows: readonly unknown[] }>;
}

/** A query as `pg` takes it. */
export interface PgQuery {
  text: string;
  values: Text[];
  rowMode: "array";
  name?: string;
  // biome-ignore lint/suspicious/noExplicitAny: each version of `@types/pg` has its own type of this
  types: any;
}

/** A client of `pg`, on its own or out of a pool. */
export interface PgClient {
  query(query: PgQuery): Promise<{ readonly rows: readonly unknown[] }>;
  getTypeParser: unknown;
}

/** A client out of a pool of `pg`. */
export interface PgPoolClient extends PgClient {
  release(error?: Error | boolean): void;
  on(event: "error", listener: (error: Error) => void): unknown;
  removeListener(event: "error", listener: (error: Error) => void): unknown;
  readonly connection?: { readonly stream?: { destroy?(): void } };
}

/** A pool of `pg`. */
export interface PgPool {
  connect(): Promise<PgPoolClient>;
}

/** A `postgres` (postgres.js) instance, or its transaction. */
export interface PostgresJs {
  unsafe(text: string, values: (string | null)[], options: { prepare: boolean }): { raw(): PromiseLike<unknown> };
}

/** The caller's own open transaction. */
export type PostgresTransaction = PostgresClient | PgClient | PostgresJs | QueryBuilderTransaction;

/** Every value is text already. */
const AS_IS = { getTypeParser: () => (value: unknown) => value };

/** How many different statements are prepared by name; the shapes of batches are few. */
const NAMED = 400;
const names = new Map<string, string>();

/** A session over a client of `pg`. @param prepares - Whether the statements may be kept prepared on its connection. */
export function pgSession(client: Pick<PgClient, "query">, prepares: boolean): Session {
  return {
    query: async (text, values) => {
      const name = prepares ? nameOf(text) : undefined;
      const query: PgQuery = { text, values: [...values], rowMode: "array", types: AS_IS };
      const { rows } = await client.query(name === undefined ? query : { ...query, name });
      return rows as readonly TextRow[];
    },
  };
}

function nameOf(text: string): string | undefined {
  const known = names.get(text);
  if (known !== undefined || names.size >= NAMED) return known;
  const name = `sidereal_${names.size}`;
  names.set(text, name);
  return name;
}

/** A session over `postgres`. */
export function postgresJsSession(sql: PostgresJs, prepare: boolean): Session {
  return {
    query: async (text, values) => {
      const rows = (await sql
        .unsafe(text, [...values], { prepare })
        .raw()) as readonly (readonly (Uint8Array | null)[])[];
      return rows.map((row) => row.map((value) => (value === null ? null : Buffer.from(value).toString("utf8"))));
    },
  };
}

/** A session over anything that runs a query, whether its rows are lists or objects. */
export function clientSession(client: PostgresClient): Session {
  return {
    query: async (text, values) => {
      const { rows } = await client.query(text, [...values]);
      return rows.map(listOf);
    },
  };
}

const TAKEN = "a connected client of pg, the sql that begin() of postgres gives, an object with query(text, values)";

/** A session within the caller's own transaction. @throws TRANSACTION_UNSUPPORTED, OPTION_INVALID if none is open */
export function sessionOf(tx: unknown, doing: string): Session {
  const caller = callerOf(tx, "postgres", doing);
  if (caller !== undefined) return callerSession(caller);
  const candidate = (tx ?? {}) as Candidate;
  if (typeof candidate.unsafe === "function") {
    if (typeof candidate.savepoint === "function") return postgresJsSession(tx as PostgresJs, false);
    throw noneOpen(doing, "this sql of postgres is not that of a transaction");
  }
  if (typeof candidate.query !== "function") throw unknownTransaction(tx, doing, TAKEN);
  if (typeof candidate.totalCount === "number") throw noneOpen(doing, "a pool of pg runs each statement anywhere");
  if (typeof candidate.getTypeParser !== "function") return clientSession(tx as PostgresClient);
  // Older versions do not tell.
  if (candidate.getTransactionStatus?.() === "I") throw noneOpen(doing, "this client of pg has no open transaction");
  return pgSession(tx as PgClient, false);
}

/** What tells the clients and their pools apart. */
interface Candidate {
  readonly query?: unknown;
  readonly unsafe?: unknown;
  readonly savepoint?: unknown;
  readonly totalCount?: unknown;
  readonly getTypeParser?: unknown;
  getTransactionStatus?(): unknown;
}

function callerSession(caller: Caller): Session {
  return { query: async (text, values) => (await caller.run(text, values, true)).rows.map(listOf) };
}

function listOf(row: unknown): TextRow {
  return (Array.isArray(row) ? row : Object.values(row as object)) as TextRow;
}
