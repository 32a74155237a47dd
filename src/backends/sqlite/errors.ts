/** SQLite's result codes as the package's errors: they name the file as the user gave it, never a driver's stack. */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { type ErrorCode, SiderealError } from "../../model/errors.ts";

const BUSY = 5;
const LOCKED = 6;

const CODES: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  [BUSY]: ["STORE_BUSY", "is locked by another connection"],
  [LOCKED]: ["STORE_BUSY", "is locked by another statement of the same connection"],
  7: ["STORE_UNAVAILABLE", "could not be used: there is not enough memory"],
  8: ["STORE_READ_ONLY", "cannot be written"],
  10: ["STORE_UNAVAILABLE", "could not be read or written: the disk reported an error"],
  11: ["STORE_CORRUPT", "is damaged"],
  13: ["STORE_FULL", "cannot grow: no space is left"],
  14: ["STORE_UNAVAILABLE", "could not be opened"],
  26: ["STORE_CORRUPT", "is not an SQLite database, or it is encrypted"],
};

/** SQLite's primary result code of whatever was thrown; undefined if it is none of SQLite's errors. */
export function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  const { errcode, code } = error as { errcode?: unknown; code?: unknown };
  if (typeof errcode === "number") return errcode & 0xff;
  return typeof code === "string" && code.startsWith("SQLITE_BUSY") ? BUSY : undefined;
}

/** Whether a repetition may find the lock free. */
export function isLocked(error: unknown): boolean {
  const code = resultCode(error);
  return code === BUSY || code === LOCKED;
}

/** The error to throw for one that came out of SQLite; errors of our own pass unchanged. */
export function storeError(error: unknown, path: string, doing: string): SiderealError {
  if (error instanceof SiderealError) return error;
  const code = resultCode(error);
  const known = code === undefined ? undefined : CODES[code];
  if (known === undefined) {
    const why = error instanceof Error ? error.message : String(error);
    return new SiderealError("STORE_FAILED", `SQLite refused to ${doing} (${path}): ${why}`, { cause: error });
  }
  const folder = dirname(path);
  const missing = code === 14 && !existsSync(folder) ? `: there is no folder ${folder}; create it first` : "";
  return new SiderealError(known[0], `Could not ${doing}: the file ${path} ${known[1]}${missing}`, { cause: error });
}
