/**
 * Strict JSON: a value is taken only if it reads back the same from every store. What cannot is refused with the path
 * of the value, instead of being changed in silence as `JSON.stringify` does.
 */
import type { ErrorCode } from "./errors.ts";
import { SiderealError } from "./errors.ts";
import { plainText } from "./plain-json.ts";
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
 * lone surrogates, a member called `__proto__`, whatever throws when it is read; the `tooLarge` code above 1 MiB of UTF-8.
 */
export function encodeJson(value: unknown, options: EncodeOptions): JsonText {
  const plain = plainText(value, JSON_LIMITS.bytes, options.dropUndefined ?? false);
  if (plain !== null) return plain;
  const { text, bytes, problem } = encoded(value, options.dropUndefined ?? false);
  if (problem !== null)
    throw new SiderealError(options.notJson, `${options.what}${shortPath(problem.path)} ${problem.why}`);
  if (text !== null && bytes <= JSON_LIMITS.bytes) return text;
  const size = text === null ? "" : `${bytes} bytes of JSON, `;
  throw new SiderealError(options.tooLarge, `${options.what} has ${size}more than ${JSON_LIMITS.bytes} bytes`);
}

/** Reads text that was made by `encodeJson`. */
export function decodeJson(text: JsonText): unknown {
  return JSON.parse(text);
}

interface Problem {
  /** Grows at its front while the walk returns: nothing is spent on the paths of values that are right. */
  path: string;
  readonly why: string;
}

interface Encoded {
  /** Null: not made, because of a problem or because it would be larger than any limit. */
  readonly text: JsonText | null;
  readonly bytes: number;
  readonly problem: Problem | null;
}

function encoded(value: unknown, dropUndefined: boolean): Encoded {
  const walk = new Walk(dropUndefined);
  const problem = walk.guarded(value, 0);
  if (problem !== null) return { text: null, bytes: 0, problem };
  if (walk.left < 0) return { text: null, bytes: 0, problem: null };
  try {
    const text = JSON.stringify(value) as string;
    // A character is at most three bytes here: only then is the exact count worth its price.
    return { text, bytes: text.length * 3 > JSON_LIMITS.bytes ? Buffer.byteLength(text) : text.length, problem: null };
  } catch {
    return { text: null, bytes: 0, problem: { path: "", why: "holds a value that throws when it is read again" } };
  }
}

// Neither NUL nor half of a surrogate pair survives every store.
const UNSAFE = /[\0\p{Surrogate}]/u;

/** One look at every part of a value. */
class Walk {
  /**
   * Bytes that may still come, by a count that is never above the real one: a huge value, or one that shares its parts
   * so often that its text would be huge, is left when they are used up.
   */
  left: number = JSON_LIMITS.bytes;
  readonly #dropUndefined: boolean;

  constructor(dropUndefined: boolean) {
    this.#dropUndefined = dropUndefined;
  }

  /** The path and nature of the first thing that cannot round-trip, or null. */
  guarded(value: unknown, depth: number): Problem | null {
    try {
      return this.#check(value, depth);
    } catch {
      return { path: "", why: "throws when it is read" };
    }
  }

  #check(value: unknown, depth: number): Problem | null {
    switch (typeof value) {
      case "string":
        this.left -= value.length + 2;
        return UNSAFE.test(value)
          ? problem(`holds ${value.includes("\0") ? "a NUL character" : "a lone surrogate"}`)
          : null;
      case "number":
        this.left -= 1;
        if (!Number.isFinite(value)) return problem(`is ${value}`);
        return Object.is(value, -0) ? problem("is -0") : null;
      case "boolean":
        this.left -= 4;
        return null;
      case "object":
        if (value === null) {
          this.left -= 4;
          return null;
        }
        if (depth >= JSON_LIMITS.depth)
          return problem(`is nested deeper than ${JSON_LIMITS.depth} levels, or refers to itself`);
        this.left -= 2;
        return Array.isArray(value) ? this.#array(value, depth) : this.#object(value, depth);
      default:
        return problem(`is ${value === undefined ? "undefined" : `a ${typeof value}`}`);
    }
  }

  #array(values: readonly unknown[], depth: number): Problem | null {
    const made = madeBy(values);
    if (made !== "Array") return problem(`is ${made}, not a plain array`);
    if (values.length > this.left) {
      this.left = -1;
      return null;
    }
    if (Object.keys(values).length !== values.length) return problem("is an array with holes or extra properties");
    if (Object.getOwnPropertySymbols(values).length > 0) return problem("has a symbol as key");
    if (hasToJson(values)) return problem("has a toJSON method");
    for (let at = 0; at < values.length && this.left >= 0; at += 1) {
      const inner = this.guarded(values[at], depth + 1);
      if (inner !== null) return under(`[${at}]`, inner);
    }
    return null;
  }

  #object(value: object, depth: number): Problem | null {
    const made = madeBy(value);
    if (made !== "Object") return problem(`is ${made}, not a plain object`);
    if (hasToJson(value)) return problem("has a toJSON method");
    if (Object.getOwnPropertySymbols(value).length > 0) return problem("has a symbol as key");
    for (const name of Object.keys(value)) {
      if (name === "__proto__" || UNSAFE.test(name)) return under(`.${name}`, problem("is not allowed as a name"));
      this.left -= name.length + 3;
      if (this.left < 0) return null;
      const inner = this.#member(value, name, depth);
      if (inner !== null) return under(`.${name}`, inner);
    }
    return null;
  }

  #member(value: object, name: string, depth: number): Problem | null {
    let inner: unknown;
    try {
      inner = (value as Record<string, unknown>)[name];
    } catch {
      return problem("throws when it is read");
    }
    return inner === undefined && this.#dropUndefined ? null : this.guarded(inner, depth + 1);
  }
}

const problem = (why: string): Problem => ({ path: "", why });

function under(step: string, inner: Problem): Problem {
  inner.path = step + inner.path;
  return inner;
}

const hasToJson = (value: object): boolean => typeof (value as { toJSON?: unknown }).toJSON === "function";

/** `Array` and `Object` for plain ones, of whichever realm; else the class, as `a Date`. */
function madeBy(value: object): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (Array.isArray(value)) {
    // The prototype of arrays is one itself, in every realm; that of a subclass is not.
    if (Array.isArray(prototype)) return "Array";
  } else if (prototype === null || prototype === Object.prototype) {
    return "Object";
  } else if (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, "isPrototypeOf")) {
    return "Object";
  }
  const maker: unknown = value.constructor;
  return typeof maker === "function" && maker.name !== "" ? `a ${maker.name}` : "a class instance";
}

/** A path as shown in a message: on one line, its middle left out when it is long. */
function shortPath(path: string): string {
  const cut = path.length > 200 ? `${path.slice(0, 120)}…${path.slice(-60)}` : path;
  return JSON.stringify(cut).slice(1, -1);
}
