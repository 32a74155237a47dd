/** SQLite's result codes as the package's errors: they name the file as the user gave it, never a driver's stack. */
import { accessSync, constants, existsSync } from "node:fs";
import { dirname } from "node:path";
import { type ErrorCode, SiderealError } from "../../model/errors.ts";
import type { Millis } from "../../model/record.ts";

const BUSY = 5;
const CANNOT_OPEN = 14;

/** The codes that a repetition may not meet again: busy, locked, and a race for the log that SQLite gave up. */
const LOCKED: readonly number[] = [BUSY, 6, 15];

const CODES: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  7: ["STORE_UNAVAILABLE", "could not be used: there is not enough memory"],
  8: ["STORE_READ_ONLY", "cannot be written"],
  10: ["STORE_UNAVAILABLE", "could not be read or written: the disk reported an error"],
  11: ["STORE_CORRUPT", "is damaged"],
  13: ["STORE_FULL", "cannot grow: no space is left"],
  26: ["STORE_CORRUPT", "is not an SQLite database, or it is encrypted"],
};

/** What is known of a failed operation. */
export interface Failure {
  readonly path: string;
  /** In the infinitive: `claim`, `open the store`. */
  readonly doing: string;
  /** How long was waited for a lock before giving up; absent: not at all. */
  readonly waited?: Millis;
}

/** SQLite's primary result code of whatever was thrown; undefined if it is none of SQLite's errors. */
function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  const { errcode, code } = error as { errcode?: unknown; code?: unknown };
  if (typeof errcode === "number") return errcode & 0xff;
  return typeof code === "string" ? NAMES[code.split("_", 2).join("_")] : undefined;
}

/** As `better-sqlite3` names the codes, whose connections may be given to `within`. */
const NAMES: Readonly<Record<string, number>> = {
  SQLITE_ERROR: 1,
  SQLITE_BUSY: BUSY,
  SQLITE_LOCKED: 6,
  SQLITE_NOMEM: 7,
  SQLITE_READONLY: 8,
  SQLITE_IOERR: 10,
  SQLITE_CORRUPT: 11,
  SQLITE_FULL: 13,
  SQLITE_CANTOPEN: CANNOT_OPEN,
  SQLITE_PROTOCOL: 15,
  SQLITE_CONSTRAINT: 19,
  SQLITE_NOTADB: 26,
};

/** Whether a repetition may find the lock free. */
export function isLocked(error: unknown): boolean {
  return LOCKED.includes(resultCode(error) ?? 0);
}

/** What to throw for something that was thrown: SQLite's errors in our terms, everything else as it is. */
export function storeError(error: unknown, failure: Failure): unknown {
  const code = resultCode(error);
  if (code === undefined) return error;
  const { path, doing, waited } = failure;
  const text = (what: string): string => `Could not ${doing}: the file ${path} ${what}`;
  const cause = { cause: error };
  if (isLocked(error)) {
    const time = waited === undefined ? "" : ` and stayed so for ${Math.round(waited)} ms`;
    return new SiderealError("STORE_BUSY", text(`is locked by another connection${time}`), cause);
  }
  if (code === CANNOT_OPEN) return new SiderealError(...cannotOpen(path, text), cause);
  const known = CODES[code];
  if (known !== undefined) return new SiderealError(known[0], text(known[1]), cause);
  return new SiderealError("STORE_FAILED", `SQLite refused to ${doing} (${path}): ${(error as Error).message}`, cause);
}

function cannotOpen(path: string, text: (what: string) => string): [ErrorCode, string] {
  const folder = dirname(path);
  if (!existsSync(folder)) {
    return ["STORE_UNAVAILABLE", text(`could not be opened: there is no folder ${folder}; create it first`)];
  }
  if (!isWritable(folder)) {
    return [
      "STORE_READ_ONLY",
      text(`could not be opened: SQLite keeps two more files in ${folder}, which is read-only`),
    ];
  }
  return ["STORE_UNAVAILABLE", text("could not be opened")];
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
