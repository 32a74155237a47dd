/** The server's and the client's errors in our terms: what happened and where, never an address, a password or a value. */
import { type ErrorCode, SiderealError } from "../../model/errors.ts";
import { codeOf, isLost, type LossSigns } from "../sql/errors.ts";

/** Errors that a repetition may not meet again: deadlock, serialization failure, lock not available. */
const CONTENTION: readonly string[] = ["40P01", "40001", "55P03"];

const CODES: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  "25006": ["STORE_READ_ONLY", "the server is read-only"],
  "28000": ["STORE_UNAVAILABLE", "the server refused the user"],
  "28P01": ["STORE_UNAVAILABLE", "the server refused the password"],
  "3D000": ["STORE_UNAVAILABLE", "there is no such database"],
  "42501": ["STORE_READ_ONLY", "the user lacks a permission"],
  "3F000": ["STORE_SCHEMA", "the schema is missing"],
  "42P01": ["STORE_SCHEMA", "a table is missing"],
  "42703": ["STORE_SCHEMA", "a column is missing"],
  "42883": ["STORE_SCHEMA", "a function is missing"],
  "53100": ["STORE_FULL", "the server's disk is full"],
  "53200": ["STORE_UNAVAILABLE", "the server is out of memory"],
  "53300": ["STORE_UNAVAILABLE", "the server takes no more connections"],
  "57014": ["STORE_TIMEOUT", "the server cancelled the statement"],
  XX001: ["STORE_CORRUPT", "the server found damaged data"],
  XX002: ["STORE_CORRUPT", "the server found a damaged index"],
};

/** Classes of codes: connection failures, and the server on its way down or up. */
const AWAY: readonly string[] = ["08", "57"];

/** The five-character code of a server's error; undefined if it is none. */
export function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" && /^[0-9A-Z]{5}$/u.test(code) ? code : undefined;
}

/** Whether a repetition may succeed at once. */
export function isContention(error: unknown): boolean {
  return CONTENTION.includes(sqlState(error) ?? "");
}

/** Whether the connection lives on after this error. */
export function isConnectionUsable(error: unknown): boolean {
  if (error instanceof SiderealError) return true;
  const state = sqlState(error);
  return state !== undefined && "severity" in (error as object) && !state.startsWith("08") && !state.startsWith("57P");
}

/**
 * What to throw for something that was thrown.
 * @param doing - In the infinitive: `claim`, `open the store`.
 */
export function storeError(error: unknown, doing: string): unknown {
  if (error instanceof SiderealError) return error;
  const refuse = (code: ErrorCode, why: string): SiderealError =>
    new SiderealError(code, `PostgreSQL: could not ${doing}: ${why}`, { cause: error });
  if (isNoAddress(error)) {
    // Without the cause: it may hold the whole address.
    const why = "the address cannot be read; # % / ? of a password are written %23 %25 %2F %3F";
    return new SiderealError("CONFIG_INVALID", `PostgreSQL: could not ${doing}: ${why}`);
  }
  const state = sqlState(error);
  if (state !== undefined && isServerError(error)) {
    const known = CODES[state];
    if (known !== undefined) return refuse(known[0], `${known[1]} (${state})`);
    if (isContention(error)) return refuse("STORE_BUSY", `others were in the way each time (${state})`);
    if (AWAY.includes(state.slice(0, 2)))
      return refuse("STORE_UNAVAILABLE", `the server ended the connection (${state})`);
    return refuse("STORE_FAILED", `the server refused it (${state}): ${(error as Error).message}`);
  }
  if (isLost(error, LOST)) return refuse("STORE_UNAVAILABLE", `the connection failed (${codeOf(error)})`);
  return error;
}

/** Whether the client could not take the address apart. */
function isNoAddress(error: unknown): boolean {
  return error instanceof URIError || (error as { code?: unknown } | null)?.code === "ERR_INVALID_URL";
}

function isServerError(error: unknown): boolean {
  return error instanceof Error && "severity" in error;
}

/** Of the system, and of postgres.js. */
const LOST: LossSigns = {
  codes: /^(?:E[A-Z]{3,}$|CONNECT)/u,
  words: /connection|socket|terminated|closed|ended|timeout/iu,
};
