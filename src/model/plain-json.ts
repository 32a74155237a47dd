/** The short way to the text of a value that is plainly fine, as nearly all are; every doubt is left to `encodeJson`. */
import type { JsonText } from "./record.ts";

/** Parts and levels up to which the short way looks at a value. */
const PARTS = 10_000;
const LEVELS = 100;
/** Bytes that a character takes at most. */
const WIDEST = 3;

let left = 0;

/**
 * The JSON text of a value of plain objects, arrays, texts, finite numbers, booleans and nulls, without NUL and lone
 * surrogates, surely within `bytes` of UTF-8; null where that is not certain.
 */
export function plainText(value: unknown, bytes: number, dropUndefined: boolean): JsonText | null {
  left = PARTS;
  try {
    if (!isPlain(value, 0, dropUndefined)) return null;
    const text = JSON.stringify(value) as string;
    // Both come out as escapes, so one look at the text finds them wherever they are.
    return text.length * WIDEST > bytes || text.includes("\\u") ? null : text;
  } catch {
    return null;
  }
}

function isPlain(value: unknown, depth: number, dropUndefined: boolean): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0);
    case "object":
      if (value === null) return true;
      left -= 1;
      if (depth > LEVELS || left < 0) return false;
      return Array.isArray(value)
        ? isPlainArray(value, depth, dropUndefined)
        : isPlainObject(value, depth, dropUndefined);
    default:
      return false;
  }
}

function isPlainArray(values: readonly unknown[], depth: number, dropUndefined: boolean): boolean {
  if (Object.getPrototypeOf(values) !== Array.prototype || isOdd(values) || values.length > left) return false;
  if (Object.keys(values).length !== values.length) return false;
  left -= values.length;
  for (const inner of values) if (!isPlain(inner, depth + 1, dropUndefined)) return false;
  return true;
}

function isPlainObject(value: object, depth: number, dropUndefined: boolean): boolean {
  if (Object.getPrototypeOf(value) !== Object.prototype || isOdd(value)) return false;
  for (const name of Object.keys(value)) {
    if (name === "__proto__") return false;
    const inner = (value as Readonly<Record<string, unknown>>)[name];
    if (inner === undefined && dropUndefined) continue;
    if (!isPlain(inner, depth + 1, dropUndefined)) return false;
  }
  return true;
}

function isOdd(value: object): boolean {
  return typeof (value as { toJSON?: unknown }).toJSON === "function" || Object.getOwnPropertySymbols(value).length > 0;
}
