/**
 * Sessions over connections of `mysql2`. Nothing here depends on what a session is set to: texts travel as bytes, and
 * statements hold no quoted text. Those with values are prepared, the others are sent as they are.
 */
import type { Caller } from "../../sql/callers/caller.ts";
import { callerOf, noneOpen, type QueryBuilderTransaction, unknownTransaction } from "../../sql/callers/index.ts";
import type { Text, TextRow } from "../../sql/port.ts";

/** What a write did. */
export interface Written {
  /** Rows inserted, deleted, or found by an update. */
  readonly count: number;
  /** What the statement gave to `last_insert_id(…)`. */
  readonly told: number;
  /** Whether a transaction was open when the server answered, where that is known. */
  readonly isOpen?: boolean;
}

/** One connection. */
export interface Session {
  query(text: string, values?: readonly Text[]): Promise<readonly TextRow[]>;
  write(text: string, values?: readonly Text[]): Promise<Written>;
}

/** A statement as `mysql2` takes it. */
export interface MysqlStatement {
  sql: string;
  rowsAsArray: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: each version of the client has a type of its own
  values?: any;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  typeCast?: any;
  nestTables?: false;
}

/** A connection of `mysql2/promise`. */
export interface MysqlConnection {
  // biome-ignore lint/suspicious/noExplicitAny: the client's answers are overloaded
  query(statement: MysqlStatement): Promise<[any, any]>;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  execute(statement: MysqlStatement): Promise<[any, any]>;
}

/** A connection of `mysql2` with callbacks, which has the other kind inside. */
export interface MysqlCallbackConnection {
  promise(): MysqlConnection;
}

/** A connection out of a pool of `mysql2/promise`. */
export interface MysqlPoolConnection extends MysqlConnection {
  release(): void;
  destroy(): void;
}

/** A pool of `mysql2/promise`. */
export interface MysqlPool {
  getConnection(): Promise<MysqlPoolConnection>;
}

/** The caller's own open transaction: its connection, of `mysql2/promise` or of `mysql2`, or a query builder's. */
export type MysqlTransaction = MysqlConnection | MysqlCallbackConnection | QueryBuilderTransaction;

/** As the protocol has it. */
const IN_TRANSACTION = 1;

/** How much of a statement an error keeps: what it does, and to which table. */
const SHOWN = 40;

const OTHER_THAN_ASCII = /[^\0-\u007f]/u;

/** A session over a connection. */
export function sessionOver(connection: MysqlConnection): Session {
  const run = async (text: string, values: readonly Text[] | undefined): Promise<unknown> => {
    const statement: MysqlStatement = { sql: text, rowsAsArray: true, typeCast: true, nestTables: false };
    try {
      const [answer] =
        values === undefined || values.length === 0
          ? await connection.query(statement)
          : await connection.execute({ ...statement, values: values.map(sent) });
      return answer;
    } catch (error) {
      // Our statements hold the values; an error's text must not.
      if (error instanceof Error && "sql" in error) error.sql = text.slice(0, SHOWN);
      throw error;
    }
  };
  return {
    query: async (text, values) => ((await run(text, values)) as readonly unknown[][]).map(received),
    write: async (text, values) => {
      const header = (await run(text, values)) as { affectedRows: number; insertId: number; serverStatus?: number };
      const { affectedRows, insertId, serverStatus } = header;
      const isOpen = serverStatus === undefined ? {} : { isOpen: (serverStatus & IN_TRANSACTION) !== 0 };
      return { count: affectedRows, told: Number(insertId), ...isOpen };
    },
  };
}

/** Bytes are taken as they are, whatever the connection believes about texts; ASCII is the same everywhere. */
function sent(value: Text): string | Buffer | null {
  return value !== null && OTHER_THAN_ASCII.test(value) ? Buffer.from(value, "utf8") : value;
}

function received(row: readonly unknown[]): TextRow {
  return row.map((value) => {
    if (typeof value === "string" || value === null) return value;
    return value instanceof Uint8Array ? Buffer.from(value).toString("utf8") : String(value);
  });
}

const TAKEN = "a connection of mysql2 or mysql2/promise";

/** A session within the caller's own transaction. @throws TRANSACTION_UNSUPPORTED, OPTION_INVALID if none is open */
export function sessionOf(tx: unknown, doing: string): Session {
  const caller = callerOf(tx, "mysql", doing);
  if (caller !== undefined) return callerSession(caller);
  const candidate = (tx ?? {}) as Candidate;
  if (typeof candidate.getConnection === "function")
    throw noneOpen(doing, "a pool of mysql2 runs each statement anywhere");
  if (typeof candidate.execute !== "function") throw unknownTransaction(tx, doing, TAKEN);
  if (typeof candidate.promise === "function") return sessionOver((tx as MysqlCallbackConnection).promise());
  if (typeof candidate.query !== "function") throw unknownTransaction(tx, doing, TAKEN);
  return sessionOver(tx as MysqlConnection);
}

/** What tells connections and pools apart. */
interface Candidate {
  readonly query?: unknown;
  readonly execute?: unknown;
  readonly promise?: unknown;
  readonly getConnection?: unknown;
}

/** Every text goes as bytes: these libraries put values into the statement, by rules that depend on the session. */
function callerSession(caller: Caller): Session {
  const bytes = (value: Text): Buffer | null => (value === null ? null : Buffer.from(value, "utf8"));
  return {
    query: async (text, values = []) => {
      const { rows } = await caller.run(text, values.map(bytes), true);
      return rows.map((row) => received(Array.isArray(row) ? row : Object.values(row as object)));
    },
    write: async (text, values = []) => {
      const { affected, isOpen } = await caller.run(text, values.map(bytes), false);
      return { count: affected, told: 0, ...(isOpen === undefined ? {} : { isOpen }) };
    },
  };
}
