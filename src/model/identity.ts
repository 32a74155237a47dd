/** Identity: time-ordered ids, claim tokens, and the uniqueness keys that are derived from a task or its input. */
import type { JsonText, Millis } from "./record.ts";

/** What is needed of randomness here. */
interface Bytes {
  fill(bytes: Uint8Array): void;
}

const DIGITS = Uint8Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0));
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
  // Ids are written as bytes and read as one text: a text joined of pieces would be flattened later, at a higher price.
  readonly #id = Buffer.from("00000000-0000-7000-8000-000000000000", "latin1");
  readonly #token = Buffer.alloc(32);
  #used = POOL;
  #ms = -1;
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
    const id = this.#id;
    if (now > this.#ms) {
      this.#ms = now;
      write(id, 0, 8, Math.floor(now / 0x1_0000));
      write(id, 9, 4, now % 0x1_0000);
      // A random start below a quarter of the range leaves room to count up within the millisecond.
      this.#count = (byte(pool, at + 4) << 16) | (byte(pool, at + 5) << 8) | byte(pool, at + 6);
    } else {
      this.#count += 1;
    }
    const count = this.#count;
    write(id, 15, 3, count >>> 20);
    write(id, 19, 4, 0x8000 | ((count >>> 6) & 0x3fff));
    write(id, 24, 2, ((count & 0x3f) << 2) | (byte(pool, at + 7) & 3));
    for (let i = 0; i < 4; i += 1) write(id, 26 + 2 * i, 2, byte(pool, at + i));
    write(id, 34, 2, byte(pool, at + 7));
    return id.toString("latin1");
  }

  /** A claim token: 128 random bits in hex. */
  token(): string {
    const at = this.#take(16);
    for (let i = 0; i < 16; i += 1) write(this.#token, 2 * i, 2, byte(this.#pool, at + i));
    return this.#token.toString("latin1");
  }

  #take(count: number): number {
    if (this.#used + count > POOL) {
      this.#random.fill(this.#pool);
      this.#used = 0;
    }
    this.#used += count;
    return this.#used - count;
  }
}

const byte = (pool: Uint8Array, at: number): number => pool[at] as number;

/** Writes a number as so many hexadecimal digits. */
function write(text: Uint8Array, at: number, digits: number, value: number): void {
  let left = value;
  for (let place = at + digits - 1; place >= at; place -= 1) {
    text[place] = DIGITS[left & 15] as number;
    left >>>= 4;
  }
}

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
