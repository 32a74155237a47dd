/**
 * Strict JSON: a value is taken only if it reads back the same from every store. What cannot is refused with the path
 * of the value, instead of being changed in silence as `JSON.stringify` does.
 */
import type { ErrorCode } from "./errors.ts";
import { SiderealError } from "./errors.ts";
import type { JsonText } from "./record.ts";

/** What can be enqueued and returned. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** Bounds of one value. */
export const JSON_LIMITS = {
  /** Bytes of UTF-8: 1 MiB. */
  bytes: 1_048_576,
  /** Arrays and objects inside each other. */
  depth: 200,
} as const;

export interface EncodeOptions {
  /** Begins the path in messages: `input`, `result`, `metadata`. */
  readonly what: string;
  readonly notJson: ErrorCode;
  readonly tooLarge: ErrorCode;
  /** Leave object members that are undefined out, as optional members of a result often are. Default false: refuse. */
  readonly dropUndefined?: boolean;
}

/**
 * Encodes a value as JSON text that reads back equal.
 * @throws the `notJson` code with the path of the value: undefined, functions, symbols, bigint, NaN, ±Infinity, −0,
 * Date, Map and every other class instance, symbol keys, sparse arrays, cycles, more than 200 levels, NUL characters,
 * lone surrogates, a member called `__proto__`; the `tooLarge` code above 1 MiB of UTF-8.
 */
export function encodeJson(value: unknown, options: EncodeOptions): JsonText {
  const problem = check(value, "", 0, options.dropUndefined ?? false);
  if (problem !== null) throw new SiderealError(options.notJson, `${options.what}${problem}`);
  const text = JSON.stringify(value) as string;
  // A character is at most three bytes here: only then is the exact count worth its price.
  if (text.length * 3 > JSON_LIMITS.bytes) {
    const bytes = Buffer.byteLength(text);
    if (bytes > JSON_LIMITS.bytes) {
      throw new SiderealError(
        options.tooLarge,
        `${options.what} has ${bytes} bytes of JSON, more than ${JSON_LIMITS.bytes}`,
      );
    }
  }
  return text;
}

/** Reads text that was made by `encodeJson`. */
export function decodeJson(text: JsonText): unknown {
  return JSON.parse(text);
}

// Neither NUL nor half of a surrogate pair survives every store.
const UNSAFE = /[\0\p{Surrogate}]/u;

/** The path and nature of the first thing that cannot round-trip, or null. */
function check(value: unknown, path: string, depth: number, dropUndefined: boolean): string | null {
  switch (typeof value) {
    case "string":
      return UNSAFE.test(value)
        ? `${path} holds ${value.includes("\0") ? "a NUL character" : "a lone surrogate"}`
        : null;
    case "number":
      if (!Number.isFinite(value)) return `${path} is ${value}`;
      return Object.is(value, -0) ? `${path} is -0` : null;
    case "boolean":
      return null;
    case "object":
      if (value === null) return null;
      if (depth >= JSON_LIMITS.depth)
        return `${short(path)} is nested deeper than ${JSON_LIMITS.depth} levels, or refers to itself`;
      return Array.isArray(value)
        ? checkArray(value, path, depth, dropUndefined)
        : checkObject(value, path, depth, dropUndefined);
    default:
      return `${path} is ${value === undefined ? "undefined" : `a ${typeof value}`}`;
  }
}

function checkArray(values: readonly unknown[], path: string, depth: number, dropUndefined: boolean): string | null {
  if (Object.keys(values).length !== values.length) return `${path} is an array with holes or extra properties`;
  for (let at = 0; at < values.length; at += 1) {
    const problem = check(values[at], `${path}[${at}]`, depth + 1, dropUndefined);
    if (problem !== null) return problem;
  }
  return null;
}

function checkObject(value: object, path: string, depth: number, dropUndefined: boolean): string | null {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    return `${path} is ${className(value)}, not a plain object`;
  }
  if (typeof (value as { toJSON?: unknown }).toJSON === "function") return `${path} has a toJSON method`;
  if (Object.getOwnPropertySymbols(value).length > 0) return `${path} has a symbol as key`;
  for (const name of Object.keys(value)) {
    const member = `${path}.${name}`;
    if (name === "__proto__" || UNSAFE.test(name)) return `${short(member)} is not allowed as a name`;
    const inner = (value as Record<string, unknown>)[name];
    if (inner === undefined && dropUndefined) continue;
    const problem = check(inner, member, depth + 1, dropUndefined);
    if (problem !== null) return problem;
  }
  return null;
}

function className(value: object): string {
  const maker: unknown = value.constructor;
  return typeof maker === "function" && maker.name !== "" ? `a ${maker.name}` : "a class instance";
}

function short(path: string): string {
  return JSON.stringify(path.length > 60 ? `${path.slice(0, 60)}…` : path).slice(1, -1);
}
