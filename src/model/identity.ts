/** Identity: time-ordered ids, claim tokens, and the uniqueness keys that are derived from a task or its input. */
import type { JsonText, Millis } from "./record.ts";

/** What is needed of randomness here. */
interface Bytes {
  fill(bytes: Uint8Array): void;
}

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
const POOL = 4_096;

/**
 * Makes UUIDs of version 7 that strictly grow within one process: 48 bits of time, a 12-bit and a 30-bit part that
 * count up within a millisecond, 32 random bits. Time comes from the producer's clock and orders ids only for people
 * and pages; no decision rests on it.
 */
export class Ids {
  readonly #random: Bytes;
  readonly #wall: () => Millis;
  readonly #pool = new Uint8Array(POOL);
  #used = POOL;
  #ms = -1;
  #high = "";
  #count = 0;

  constructor(random: Bytes, wall: () => Millis) {
    this.#random = random;
    this.#wall = wall;
  }

  /** A fresh id. */
  next(): string {
    const now = Math.max(0, Math.floor(this.#wall()));
    const at = this.#take(8);
    const pool = this.#pool;
    if (now > this.#ms) {
      this.#ms = now;
      const hex = now.toString(16).padStart(12, "0");
      this.#high = `${hex.slice(0, 8)}-${hex.slice(8)}-7`;
      // A random start below a quarter of the range leaves room to count up within the millisecond.
      this.#count = (byte(pool, at + 4) << 16) | (byte(pool, at + 5) << 8) | byte(pool, at + 6);
    } else {
      this.#count += 1;
    }
    const count = this.#count;
    const top = (count >>> 20) & 0xfff;
    const low = count & 0xfffff;
    const a = (top >>> 8).toString(16) + HEX[top & 0xff];
    const b = `${(8 + ((low >>> 18) & 3)).toString(16)}${(0x1000 + ((low >>> 6) & 0xfff)).toString(16).slice(1)}`;
    const c = `${HEX[((low & 0x3f) << 2) | (byte(pool, at + 7) & 3)]}`;
    return `${this.#high}${a}-${b}-${c}${this.#hex(at, 4)}${HEX[byte(pool, at + 7)]}`;
  }

  /** A claim token: 128 random bits in hex. */
  token(): string {
    return this.#hex(this.#take(16), 16);
  }

  #take(count: number): number {
    if (this.#used + count > POOL) {
      this.#random.fill(this.#pool);
      this.#used = 0;
    }
    this.#used += count;
    return this.#used - count;
  }

  #hex(at: number, count: number): string {
    let text = "";
    for (let i = at; i < at + count; i += 1) text += HEX[byte(this.#pool, i)];
    return text;
  }
}

const byte = (pool: Uint8Array, at: number): number => pool[at] as number;

/** Whether a value looks like an id made here or by any other maker of UUIDs. */
export function isId(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/u.test(value);
}

/**
 * The text whose hash is the key of `uniqueBy: "input"`: members sorted at every level, so that two spellings of one
 * value are one identity.
 */
export function canonicalIdentity(taskName: string, input: JsonText | null): string {
  return `{"input":${input === null ? "null" : canonical(JSON.parse(input))},"task":${JSON.stringify(taskName)},"version":"v1"}`;
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, inner]) => `${JSON.stringify(name)}:${canonical(inner)}`).join(",")}}`;
}
