/** One connection to the file: opened, checked, tuned, with its statements prepared once. */
import { statSync } from "node:fs";
import { SiderealError } from "../../model/errors.ts";
import {
  Dialect,
  type OpenFile,
  type OwnConnection,
  prepare,
  type SqliteConnection,
  type SqlRow,
  type SqlValue,
  type Statement,
} from "./driver.ts";
import type { Settings } from "./options.ts";

/** How long SQLite itself may wait, blocking the event loop; longer waits are `Turns`. */
export const BLOCKING_WAIT = 5;

/** The log is copied back into the file once it has so many pages, and cut to so many bytes when it starts over. */
const CHECKPOINT_PAGES = 4_000;
const LOG_KEPT = 16 * 1024 * 1024;

/** Opens the file, creating it if need be. Throws SQLite's errors. */
export function connect(open: OpenFile, { path, file, synchronous }: Settings): OwnConnection {
  if (isFolder(file)) throw new SiderealError("STORE_UNAVAILABLE", `${path} is a folder; name a file in it`);
  const connection = open(file);
  try {
    connection.exec(`pragma busy_timeout = ${BLOCKING_WAIT}`);
    const mode = prepare(connection, "pragma journal_mode = wal").get()?.[0];
    if (mode !== "wal") {
      throw new SiderealError(
        "STORE_UNAVAILABLE",
        `${path} cannot use a write-ahead log (mode ${mode}); use a local disk`,
      );
    }
    connection.exec(`pragma synchronous = ${synchronous}`);
    connection.exec(`pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    connection.exec(`pragma journal_size_limit = ${LOG_KEPT}`);
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

function isFolder(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** The statements of one connection, each prepared when it is first used. */
export class Prepared {
  readonly #dialect: Dialect;
  readonly #statements = new Map<string, Statement>();
  readonly #exact = new Map<string, Statement>();

  constructor(connection: SqliteConnection) {
    this.#dialect = new Dialect(connection);
  }

  /** The statement of this text. */
  get(sql: string): Statement {
    return this.#of(this.#statements, sql, false);
  }

  /** The rows of a query. A number too large for JavaScript, for which the library would refuse all, stays a bigint. */
  rows(sql: string, ...values: SqlValue[]): SqlRow[] {
    try {
      return this.get(sql).all(...values);
    } catch (error) {
      // The libraries agree on the words only.
      if (!/too large to be represented/u.test((error as Error).message)) throw error;
    }
    return this.#of(this.#exact, sql, true)
      .all(...values)
      .map((row) => row.map(narrowed));
  }

  #of(known: Map<string, Statement>, sql: string, exact: boolean): Statement {
    let statement = known.get(sql);
    if (statement === undefined) {
      statement = this.#dialect.prepare(sql, exact);
      known.set(sql, statement);
    }
    return statement;
  }
}

function narrowed(value: SqlValue): SqlValue {
  if (typeof value !== "bigint") return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
