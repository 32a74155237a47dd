/**
 * Time in the simulation: one true time, and for each process a clock of its own that is wrong by some amount, runs at
 * its own rate, and calls nobody back while its process is stopped.
 */
import type { Cancel, Clock } from "../../src/contracts/clock.ts";
import type { VirtualClock } from "../../src/testing/virtual-clock.ts";

/** How one machine's clock differs from the truth. */
export interface ClockError {
  /** Milliseconds that its wall clock is ahead. */
  readonly skew: number;
  /** How much faster its wall clock runs, as a share. */
  readonly wallDrift: number;
  /** How much faster its monotonic clock runs, as a share. */
  readonly monoDrift: number;
}

export class ProcessClock implements Clock {
  readonly truth: VirtualClock;
  readonly #error: ClockError;
  readonly #bornAt: number;
  #late: (() => void)[] = [];
  #paused = false;
  #dead = false;
  #armed = 0;
  /** True time of the last return from a pause. */
  resumedAt = Number.NEGATIVE_INFINITY;

  constructor(truth: VirtualClock, error: ClockError) {
    this.truth = truth;
    this.#error = error;
    this.#bornAt = truth.mono();
  }

  wall(): number {
    return Math.floor(this.truth.wall() + this.#error.skew + this.truth.mono() * this.#error.wallDrift);
  }

  mono(): number {
    return (this.truth.mono() - this.#bornAt) * (1 + this.#error.monoDrift) + 1_000;
  }

  after(delay: number, callback: () => void): Cancel {
    let done = false;
    this.#armed += 1;
    const end = (): void => {
      if (!done) this.#armed -= 1;
      done = true;
    };
    // A timer is never early by its own process' clock, whatever rounding does.
    const wait = delay <= 0 ? 0 : delay / (1 + this.#error.monoDrift) + 0.001;
    const cancel = this.truth.after(wait, () =>
      this.run(() => {
        if (done) return;
        end();
        callback();
      }),
    );
    return () => {
      cancel();
      end();
    };
  }

  soon(callback: () => void): void {
    this.truth.soon(() => this.run(callback));
  }

  /** Lets code of this process run: now, when it wakes, or never. */
  run(code: () => void): void {
    if (this.#dead) return;
    if (this.#paused) this.#late.push(code);
    else code();
  }

  /** Timers that were neither fired nor cancelled. */
  get armed(): number {
    return this.#armed;
  }

  get paused(): boolean {
    return this.#paused;
  }

  get dead(): boolean {
    return this.#dead;
  }

  /** Stops the process where it is, as SIGSTOP or a blocked event loop does. */
  pause(): void {
    this.#paused = true;
  }

  /** Lets it go on: what became due meanwhile comes first, one piece after the other. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.resumedAt = this.truth.mono();
    for (const code of this.#late.splice(0)) this.truth.after(0, () => this.run(code));
  }

  /** Ends the process: nothing of it runs any more. */
  kill(): void {
    this.#dead = true;
    this.#late = [];
  }
}

/** The store's clock: true, except when an operator or a time service sets it. */
export class StoreClock implements Clock {
  readonly #truth: VirtualClock;
  #jumped = 0;
  /** True time of the last jump forward. */
  aheadAt = Number.NEGATIVE_INFINITY;

  constructor(truth: VirtualClock) {
    this.#truth = truth;
  }

  wall(): number {
    return this.#truth.wall() + this.#jumped;
  }

  mono(): number {
    return this.#truth.mono();
  }

  after(delay: number, callback: () => void): Cancel {
    return this.#truth.after(delay, callback);
  }

  soon(callback: () => void): void {
    this.#truth.soon(callback);
  }

  jump(by: number): void {
    this.#jumped += by;
    if (by > 0) this.aheadAt = this.#truth.mono();
  }
}
