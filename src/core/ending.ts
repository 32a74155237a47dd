/** How a handler ended, with a result that can be stored or without one. */
import type { SiderealError, TaskCancelledError } from "../model/errors.ts";
import { type EncodeOptions, encodeJson } from "../model/json.ts";
import type { JsonText } from "../model/record.ts";
import type { ScopeOutcome } from "./dependency.ts";
import { clean } from "./failure.ts";

export type Ending =
  /** What it returned, as it is stored. */
  | { readonly result: JsonText | null }
  /** It returned something that cannot be stored. */
  | { readonly unstorable: unknown }
  | { readonly threw: unknown }
  /** Its stored input no longer passes the task's validation. */
  | { readonly refused: SiderealError };

const RESULT: EncodeOptions = {
  what: "result",
  notJson: "RESULT_NOT_JSON",
  tooLarge: "RESULT_TOO_LARGE",
  dropUndefined: true,
};

/** A returned value as it is stored, or why it cannot be. */
export function storable(value: unknown): Ending {
  try {
    return { result: value === undefined ? null : encodeJson(value, RESULT) };
  } catch (unstorable) {
    return { unstorable };
  }
}

/**
 * What the attempt's dependencies are told of its ending.
 * @param revoked - Why the ending no longer counts; null where it does.
 */
export function scopeOutcome(ending: Ending, revoked: SiderealError | null): ScopeOutcome {
  if (revoked !== null) return { ok: false, error: revoked };
  if ("result" in ending) return { ok: true };
  if ("threw" in ending) return { ok: false, error: ending.threw };
  return { ok: false, error: "refused" in ending ? ending.refused : ending.unstorable };
}

/** The reason of a cancel that a handler threw; errors of another copy of the class have it too. */
export function describeCancel(thrown: TaskCancelledError): string | null {
  try {
    return typeof thrown.reason === "string" ? clean(thrown.reason, 1_000) : null;
  } catch {
    return null;
  }
}
