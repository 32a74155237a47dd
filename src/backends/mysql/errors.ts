/** The server's and the client's errors in our terms: what happened and where, never an address, a password or a value. */
import { type ErrorCode, SiderealError } from "../../model/errors.ts";
import { codeOf, isLost, type LossSigns } from "../sql/errors.ts";

/** Errors that a repetition may not meet again: deadlock, lock wait timeout, record changed since it was read. */
const CONTENTION: readonly number[] = [1213, 1205, 1020];

/** Of these the one that has taken its time already. */
const WAITED = 1205;

const DUPLICATE = 1062;

const CODES: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  1021: ["STORE_FULL", "the server's disk is full"],
  1114: ["STORE_FULL", "the table is full"],
  1030: ["STORE_FAILED", "the storage engine failed"],
  1034: ["STORE_CORRUPT", "the server found a damaged index"],
  1194: ["STORE_CORRUPT", "the server found a damaged table"],
  1712: ["STORE_CORRUPT", "the server found a damaged index"],
  1036: ["STORE_READ_ONLY", "the table is read-only"],
  1290: ["STORE_READ_ONLY", "the server is read-only"],
  1792: ["STORE_READ_ONLY", "the transaction is read-only"],
  1836: ["STORE_READ_ONLY", "the server is read-only"],
  1142: ["STORE_READ_ONLY", "the user lacks a permission"],
  1143: ["STORE_READ_ONLY", "the user lacks a permission"],
  1227: ["STORE_READ_ONLY", "the user lacks a permission"],
  1054: ["STORE_SCHEMA", "a column is missing"],
  1146: ["STORE_SCHEMA", "a table is missing"],
  1037: ["STORE_UNAVAILABLE", "the server is out of memory"],
  1040: ["STORE_UNAVAILABLE", "the server takes no more connections"],
  1203: ["STORE_UNAVAILABLE", "the user has too many connections"],
  1044: ["STORE_UNAVAILABLE", "the server refused the user"],
  1045: ["STORE_UNAVAILABLE", "the server refused the user or the password"],
  1698: ["STORE_UNAVAILABLE", "the server refused the user or the password"],
  1046: ["STORE_UNAVAILABLE", "no database is chosen"],
  1049: ["STORE_UNAVAILABLE", "there is no such database"],
  1053: ["STORE_UNAVAILABLE", "the server is shutting down"],
  1152: ["STORE_UNAVAILABLE", "the server ended the connection"],
  1927: ["STORE_UNAVAILABLE", "the server ended the connection"],
  1317: ["STORE_TIMEOUT", "the server cancelled the statement"],
  1969: ["STORE_TIMEOUT", "the server cancelled the statement"],
  3024: ["STORE_TIMEOUT", "the server cancelled the statement"],
  4031: ["STORE_UNAVAILABLE", "the server ended an idle connection"],
  1175: ["STORE_FAILED", "the session has sql_safe_updates on, which refuses updates by a list of ids"],
  1153: ["STORE_FAILED", "a packet was larger than max_allowed_packet"],
};

/** The server's number of an error; undefined if it is none of a server. */
export function serverCode(error: unknown): number | undefined {
  const { errno, sqlState } = (error ?? {}) as { errno?: unknown; sqlState?: unknown };
  return typeof errno === "number" && typeof sqlState === "string" ? errno : undefined;
}

/** Whether a repetition of the transaction may succeed at once. */
export function isContention(error: unknown): boolean {
  return CONTENTION.includes(serverCode(error) ?? 0) || (error as { sqlState?: unknown } | null)?.sqlState === "40001";
}

/** Whether it waited for another transaction until the server's patience ended: a few repetitions would take long. */
function hasWaited(error: unknown): boolean {
  return serverCode(error) === WAITED;
}

/** Whether a row of the same unique key is there already. */
export function isDuplicate(error: unknown): boolean {
  return serverCode(error) === DUPLICATE;
}

/** Whether the connection lives on after this error. */
export function isUsable(error: unknown): boolean {
  if (error instanceof SiderealError) return true;
  const code = serverCode(error);
  if (code === undefined) return false;
  const known = CODES[code]?.[0];
  return known !== "STORE_UNAVAILABLE" && known !== "STORE_TIMEOUT" && (error as { fatal?: unknown }).fatal !== true;
}

/**
 * What to throw for something that was thrown.
 * @param doing - In the infinitive: `claim`, `open the store`.
 */
export function storeError(error: unknown, doing: string): unknown {
  if (error instanceof SiderealError) return error;
  const refuse = (code: ErrorCode, why: string): SiderealError =>
    new SiderealError(code, `MySQL: could not ${doing}: ${why}`, { cause: error });
  const code = serverCode(error);
  if (code !== undefined) {
    const known = CODES[code];
    if (known !== undefined) return refuse(known[0], `${known[1]} (${code})`);
    if (isContention(error)) return refuse("STORE_BUSY", `others were in the way each time (${code})`);
    return refuse("STORE_FAILED", `the server refused it (${code} ${codeOf(error)})`);
  }
  if (isLost(error, LOST)) return refuse("STORE_UNAVAILABLE", `the connection failed (${codeOf(error)})`);
  return error;
}

/** Of the system, of the protocol, of the handshake. */
const LOST: LossSigns = {
  codes: /^(?:E[A-Z]{3,}|PROTOCOL_[A-Z_]+|ER_[A-Z_]+|HANDSHAKE_[A-Z_]+)$/u,
  words: /connection|socket|closed|pool|timeout|handshake/iu,
};

/** How often a transaction is tried that others were in the way of. */
const TRIES = 6;

/** How often, if each try waits until the server's patience ends. */
const WAITS = 2;

/** Whether a transaction that failed like this is worth another try after so many. */
export function isWorthAnother(error: unknown, tries: number): boolean {
  return (isContention(error) || isDuplicate(error)) && tries < (hasWaited(error) ? WAITS : TRIES);
}
