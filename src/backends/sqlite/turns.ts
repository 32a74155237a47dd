/**
 * Turns at the lock. SQLite has one writer at a time; who finds the file locked by another process waits here, in the
 * order of arrival and without blocking the event loop, until it is free or the patience is over.
 */
import type { Clock } from "../../contracts/clock.ts";
import type { Millis } from "../../model/record.ts";
import { isLocked } from "./errors.ts";

/** Delays between tries grow from the first to the second of these. */
const SHORTEST: Millis = 1;
const LONGEST: Millis = 20;

interface Waiter {
  readonly deadline: Millis;
  /** Throws if the file is still locked. */
  readonly attempt: () => void;
  readonly reject: (error: unknown) => void;
}

export class Turns {
  readonly #clock: Clock;
  readonly #patience: Millis;
  readonly #waiting: Waiter[] = [];
  #idle: (() => void)[] = [];

  constructor(clock: Clock, patience: Millis) {
    this.#clock = clock;
    this.#patience = patience;
  }

  /** Does it at once if nobody waits and the file is free, else in turn. Rejects with the lock's error when patience ends. */
  take<T>(action: () => T): Promise<T> {
    if (this.#waiting.length === 0) {
      try {
        return Promise.resolve(action());
      } catch (error) {
        if (!isLocked(error)) return Promise.reject(error);
      }
    }
    return new Promise((resolve, reject) => {
      const deadline = this.#clock.mono() + this.#patience;
      this.#waiting.push({ deadline, attempt: () => resolve(action()), reject });
      if (this.#waiting.length === 1) this.#again(SHORTEST);
    });
  }

  /** Resolves when nobody waits. */
  async idle(): Promise<void> {
    if (this.#waiting.length > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #again(delay: Millis): void {
    // The fraction of the clock spreads processes that were turned away at the same moment.
    const spread = 0.5 + ((this.#clock.mono() * 997) % 1);
    this.#clock.after(delay * spread, () => this.#retry(delay));
  }

  #retry(delay: Millis): void {
    for (let head = this.#waiting[0]; head !== undefined; head = this.#waiting[0]) {
      try {
        head.attempt();
      } catch (error) {
        if (isLocked(error) && this.#clock.mono() < head.deadline) {
          this.#again(Math.min(delay * 2, LONGEST));
          return;
        }
        head.reject(error);
      }
      this.#waiting.shift();
    }
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
