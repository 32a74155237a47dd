/**
 * A clock that moves only when it is told to. Timers fire in the order of their time, then of their making; between two
 * of them everything that was promised gets its turn, so a run is the same every time.
 */
import { Line } from "../backends/memory/line.ts";
import type { Cancel, Clock } from "../contracts/clock.ts";
import { systemClock } from "../host/clock.ts";
import { type Duration, parseDuration } from "../model/duration.ts";
import { SiderealError } from "../model/errors.ts";
import type { Millis } from "../model/record.ts";

interface Timer {
  readonly due: Millis;
  readonly place: number;
  readonly callback: () => void;
  cancelled: boolean;
}

/** Timers that `runUntilIdle` fires before it takes the queue for endless. */
const MOST_TIMERS = 20_000;

export interface VirtualClockOptions {
  /** The wall clock at first, as milliseconds since the epoch or a Date; default 2030-01-01T00:00:00Z. */
  readonly startAt?: Date | Millis;
}

export class VirtualClock implements Clock {
  readonly #wallAtZero: Millis;
  readonly #timers: Line<Timer> = new Line(before);
  #mono: Millis = 0;
  #places = 0;
  #alive = 0;
  #turns = 0;

  constructor(options: VirtualClockOptions = {}) {
    const { startAt = 1_893_456_000_000 } = options;
    this.#wallAtZero = startAt instanceof Date ? startAt.getTime() : startAt;
  }

  wall(): Millis {
    return this.#wallAtZero + Math.floor(this.#mono);
  }

  /** Milliseconds since the clock was made. */
  mono(): Millis {
    return this.#mono;
  }

  after(delay: Millis, callback: () => void): Cancel {
    this.#places += 1;
    this.#alive += 1;
    const timer: Timer = { due: this.#mono + Math.max(0, delay), place: this.#places, callback, cancelled: false };
    this.#timers.add(timer);
    return () => {
      if (timer.cancelled) return;
      timer.cancelled = true;
      this.#alive -= 1;
    };
  }

  soon(callback: () => void): void {
    this.#turns += 1;
    systemClock.soon(() => {
      this.#turns -= 1;
      callback();
    });
  }

  /** Timers that have neither fired nor been cancelled. */
  get pending(): number {
    return this.#alive;
  }

  /** Monotonic time of the next timer; null when there is none. */
  get nextAt(): Millis | null {
    while (this.#timers.first?.cancelled) this.#timers.shift();
    return this.#timers.first?.due ?? null;
  }

  /** Lets everything run that waits for no timer of this clock; time stands still. Real I/O is not waited for. */
  async settle(): Promise<void> {
    do await new Promise<void>((resolve) => systemClock.soon(resolve));
    while (this.#turns > 0);
  }

  /** Lets this much time pass: every timer that becomes due fires, at its own time. */
  async advance(duration: Duration): Promise<void> {
    await this.settle();
    const end = this.#mono + parseDuration(duration, "VirtualClock.advance");
    for (let next = this.nextAt; next !== null && next <= end; next = this.nextAt) await this.#fire();
    this.#mono = Math.max(this.#mono, end);
  }

  /** Moves to the next timer and fires it. @returns false when there is none */
  async step(): Promise<boolean> {
    await this.settle();
    if (this.nextAt === null) return false;
    await this.#fire();
    return true;
  }

  /** Fires timers for as long as the condition holds, asked before each; or until none is left. */
  async runWhile(condition: () => boolean): Promise<void> {
    await this.settle();
    while (this.nextAt !== null && condition()) await this.#fire();
  }

  /** Fires timers until the promise is settled, and gives what it resolved with. With no timer left, it just waits. */
  async runUntil<T>(promise: Promise<T>): Promise<T> {
    let done = false;
    const settled = promise.finally(() => {
      done = true;
    });
    settled.catch(() => {});
    await this.runWhile(() => !done);
    return settled;
  }

  /**
   * Fires timers until none is left. A started worker always has timers: use `advance`, or `drain`, with one.
   * @throws ASSERTION_FAILED after 20,000 timers
   */
  async runUntilIdle(): Promise<void> {
    for (let fired = 0; await this.step(); fired += 1) {
      if (fired < MOST_TIMERS) continue;
      throw new SiderealError(
        "ASSERTION_FAILED",
        `VirtualClock.runUntilIdle: ${MOST_TIMERS} timers have fired and ${this.pending} are pending; is a worker running?`,
      );
    }
  }

  async #fire(): Promise<void> {
    const timer = this.#timers.shift() as Timer;
    timer.cancelled = true;
    this.#alive -= 1;
    this.#mono = Math.max(this.#mono, timer.due);
    timer.callback();
    await this.settle();
  }
}

const before = (a: Timer, b: Timer): boolean => a.due < b.due || (a.due === b.due && a.place < b.place);
