/** The store's clock as this process knows it: its last reading, carried on by the monotonic clock. */
import type { Clock } from "../contracts/clock.ts";
import type { Millis } from "../model/record.ts";
import type { Calls } from "./calls.ts";

export class StoreTime {
  readonly #calls: Calls;
  readonly #clock: Clock;
  #offset: Millis | null = null;

  constructor(calls: Calls, clock: Clock) {
    this.#calls = calls;
    this.#clock = clock;
  }

  /**
   * Reads the store's clock, at some moment of the round trip: first the middle of it is taken; later, what was known
   * before as far as it can be true. So an answer that waited, for the network or for a process that was stopped
   * meanwhile, spoils nothing.
   */
  async sync(): Promise<Millis> {
    const sent = this.#clock.mono();
    const now = await this.#calls.now();
    const received = this.#clock.mono();
    const known = this.#offset ?? now - (sent + received) / 2;
    this.#offset = Math.min(Math.max(known, now - received), now + 1 - sent);
    return now;
  }

  /** The store's clock was seen to have come this far: it never runs backwards. */
  atLeast(seen: Millis): void {
    if (this.#offset !== null && seen > this.now()) this.#offset = seen - this.#clock.mono();
  }

  /** The store's time, estimated. Before the first reading: this process' wall clock. */
  now(): Millis {
    if (this.#offset === null) return this.#clock.wall();
    return Math.floor(this.#clock.mono() + this.#offset);
  }
}
