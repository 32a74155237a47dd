/** Joining the caller's own transaction: which connection it is, and a savepoint, so that a batch is written whole or not. */
import { statSync } from "node:fs";
import { SiderealError } from "../../model/errors.ts";
import { Prepared } from "./connection.ts";
import { prepare, type SqliteConnection } from "./driver.ts";
import { storeError } from "./errors.ts";
import type { Settings } from "./options.ts";

const known = new WeakMap<SqliteConnection, Map<string, Prepared>>();

/** Runs on the caller's connection. @throws OPTION_INVALID if it has no transaction, or does not have the file open */
export function joined<T>(
  connection: SqliteConnection,
  settings: Settings,
  doing: string,
  action: (prepared: Prepared) => T,
): T {
  if (typeof connection?.prepare !== "function") {
    throw new SiderealError(
      "TRANSACTION_UNSUPPORTED",
      `Cannot ${doing}: this is no connection of SQLite that is known. Taken are a DatabaseSync of node:sqlite or ` +
        "@photostructure/sqlite, and a Database of better-sqlite3; of a query builder give the connection beneath it",
    );
  }
  if (!hasTransaction(connection)) {
    throw new SiderealError(
      "OPTION_INVALID",
      `Cannot ${doing}: the connection has no open transaction; begin one first`,
    );
  }
  const prepared = preparedFor(connection, settings, doing);
  try {
    prepared.get("savepoint sidereal_batch").run();
    try {
      const result = action(prepared);
      prepared.get("release sidereal_batch").run();
      return result;
    } catch (error) {
      undo(prepared);
      throw error;
    }
  } catch (error) {
    throw storeError(error, { path: settings.path, doing });
  }
}

function hasTransaction(connection: SqliteConnection): boolean {
  const { isTransaction, inTransaction } = connection as { isTransaction?: boolean; inTransaction?: boolean };
  const known = isTransaction ?? inTransaction;
  if (known !== undefined) return known;
  try {
    connection.prepare("begin").run();
  } catch {
    // Which is refused within a transaction, and only there.
    return true;
  }
  connection.prepare("rollback").run();
  return false;
}

function undo(prepared: Prepared): void {
  try {
    prepared.get("rollback to sidereal_batch").run();
    prepared.get("release sidereal_batch").run();
  } catch {
    // SQLite has rolled the caller's transaction back by itself.
  }
}

function preparedFor(connection: SqliteConnection, { path, file }: Settings, doing: string): Prepared {
  const files = known.get(connection) ?? new Map<string, Prepared>();
  known.set(connection, files);
  let prepared = files.get(file);
  if (prepared === undefined) {
    if (!hasOpen(connection, file)) {
      throw new SiderealError("OPTION_INVALID", `Cannot ${doing}: the connection does not have ${path} open`);
    }
    prepared = new Prepared(connection);
    files.set(file, prepared);
  }
  return prepared;
}

function hasOpen(connection: SqliteConnection, path: string): boolean {
  const own = statSync(path, { throwIfNoEntry: false });
  return prepare(connection, "pragma database_list")
    .all()
    .some(([, , file]) => {
      if (typeof file !== "string" || file === "") return false;
      const theirs = statSync(file, { throwIfNoEntry: false });
      return own !== undefined && theirs !== undefined && own.ino === theirs.ino && own.dev === theirs.dev;
    });
}
