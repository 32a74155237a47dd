/**
 * Keeps the write-ahead log bounded. SQLite copies it back as it goes, but starts it over only when no reader is in
 * its way; under steady traffic of several processes that may never be, so past a bound we make it so.
 */
import { statSync } from "node:fs";
import { BLOCKING_WAIT } from "./connection.ts";
import type { OwnConnection } from "./driver.ts";

/** Size at which the log is cut. */
export const LOG_BOUND: number = 64 * 1024 * 1024;

/** How many writes between two looks at the size. */
const EVERY = 64;

export class LogBound {
  readonly #file: string;
  readonly #bound: number;
  #writes = 0;

  constructor(file: string, bound: number = LOG_BOUND) {
    this.#file = `${file}-wal`;
    this.#bound = bound;
  }

  /** To be called after each write. */
  wrote(connection: OwnConnection): void {
    this.#writes += 1;
    if (this.#writes % EVERY !== 0) return;
    if ((statSync(this.#file, { throwIfNoEntry: false })?.size ?? 0) > this.#bound) cut(connection);
  }
}

/** Copies the log back and cuts it to nothing, unless somebody reads or writes just now. */
export function cut(connection: OwnConnection): void {
  try {
    connection.exec("pragma busy_timeout = 0");
    connection.exec("pragma wal_checkpoint(truncate)");
  } catch {
    // The next look tries again.
  } finally {
    connection.exec(`pragma busy_timeout = ${BLOCKING_WAIT}`);
  }
}
