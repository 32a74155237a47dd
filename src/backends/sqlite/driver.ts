/**
 * The SQLite library: `node:sqlite` where the runtime has it, else the package with the same API. The rest of the
 * folder sees only the small interfaces below, which a connection of the caller's own can meet too.
 */
import { SiderealError } from "../../model/errors.ts";

/** What SQLite keeps in a column. */
export type SqlValue = string | number | bigint | null | Uint8Array;

/** A row as the list of its columns. */
export type SqlRow = readonly SqlValue[];

/** A prepared statement that answers with rows as lists. */
export interface Statement {
  run(...values: SqlValue[]): { readonly changes: number | bigint };
  all(...values: SqlValue[]): SqlRow[];
  get(...values: SqlValue[]): SqlRow | undefined;
}

/** A prepared statement as the libraries have it. */
export interface SqliteStatement {
  // biome-ignore lint/suspicious/noExplicitAny: parameter types differ between the libraries; every one takes SqlValue
  run(...values: any[]): { readonly changes: number | bigint };
  // biome-ignore lint/suspicious/noExplicitAny: as above
  all(...values: any[]): unknown[];
  // biome-ignore lint/suspicious/noExplicitAny: as above
  get(...values: any[]): unknown;
}

/** An open SQLite connection: a `DatabaseSync` of `node:sqlite`, or anything that prepares statements like one. */
export interface SqliteConnection {
  prepare(sql: string): SqliteStatement;
}

/** A connection that we opened. */
export interface OwnConnection extends SqliteConnection {
  exec(sql: string): void;
  close(): void;
}

export type OpenFile = (path: string) => OwnConnection;

interface Library {
  readonly DatabaseSync: new (path: string) => OwnConnection;
}

/** Finds the library. @throws DEPENDENCY_MISSING */
export async function loadDriver(): Promise<OpenFile> {
  const { DatabaseSync } = builtIn() ?? (await dropIn());
  return (path) => new DatabaseSync(path);
}

function builtIn(): Library | undefined {
  // The runtime calls its SQLite experimental on first use; whoever chose this store has been told in the docs.
  const { emitWarning } = process;
  process.emitWarning = ((...args: Parameters<typeof emitWarning>) => {
    if (!String(args[0]).includes("SQLite")) Reflect.apply(emitWarning, process, args);
  }) as typeof emitWarning;
  try {
    return process.getBuiltinModule?.("node:sqlite") as Library | undefined;
  } catch {
    return undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
}

async function dropIn(): Promise<Library> {
  try {
    return (await import("@photostructure/sqlite")) as unknown as Library;
  } catch (cause) {
    throw new SiderealError(
      "DEPENDENCY_MISSING",
      `Node ${process.versions.node} has no node:sqlite, and @photostructure/sqlite could not be loaded. ` +
        "Run: npm install @photostructure/sqlite",
      { cause },
    );
  }
}

/** How the statements of one connection are prepared: they may use `?1` freely, and rows come as lists. */
export class Dialect {
  readonly #connection: SqliteConnection;
  readonly #numbers: boolean;

  constructor(connection: SqliteConnection) {
    this.#connection = connection;
    this.#numbers = knowsNumbers(connection);
  }

  /** @param exact - Whether integers come as bigints. */
  prepare(sql: string, exact = false): Statement {
    if (this.#numbers) return lists(this.#connection.prepare(sql), exact);
    const { text, order } = unnumbered(sql);
    const statement = lists(this.#connection.prepare(text), exact);
    if (order.length === 0) return statement;
    const inOrder = (values: readonly SqlValue[]): SqlValue[] => order.map((place) => values[place - 1] as SqlValue);
    return {
      run: (...values) => statement.run(...inOrder(values)),
      all: (...values) => statement.all(...inOrder(values)),
      get: (...values) => statement.get(...inOrder(values)),
    };
  }
}

/** Prepares one statement; for those that are used once. */
export function prepare(connection: SqliteConnection, sql: string): Statement {
  return new Dialect(connection).prepare(sql);
}

/** Node before 22.20 and better-sqlite3 take numbered parameters for names. */
function knowsNumbers(connection: SqliteConnection): boolean {
  try {
    connection.prepare("select ?1").get(1);
    return true;
  } catch {
    return false;
  }
}

/** The statement with plain question marks, and which value each of them stands for. */
function unnumbered(sql: string): { text: string; order: number[] } {
  const order: number[] = [];
  const text = sql.replace(/\?(\d+)/gu, (_, place) => {
    order.push(Number(place));
    return "?";
  });
  return { text, order };
}

function lists(prepared: SqliteStatement, exact: boolean): Statement {
  const statement = prepared as SqliteStatement & {
    setReturnArrays?(on: boolean): void;
    setReadBigInts?(on: boolean): void;
    safeIntegers?(on: boolean): void;
  };
  if (exact) (statement.setReadBigInts ?? statement.safeIntegers)?.call(statement, true);
  if (statement.setReturnArrays !== undefined) {
    statement.setReturnArrays(true);
    return statement as Statement;
  }
  const list = (row: unknown): SqlRow => Object.values(row as Record<string, SqlValue>);
  return {
    run: (...values) => statement.run(...values),
    all: (...values) => statement.all(...values).map(list),
    get: (...values) => {
      const row = statement.get(...values);
      return row === undefined ? undefined : list(row);
    },
  };
}
