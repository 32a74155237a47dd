/** A clock that stands still until a test moves it: what the suite gives to stores that run on an injected one. */
import type { Cancel, Clock } from "../../contracts/clock.ts";
import type { Millis } from "../../model/record.ts";

interface Timer {
  readonly due: Millis;
  readonly callback: () => void;
}

export class ManualClock implements Clock {
  #wall: Millis;
  #mono: Millis = 5_000.5;
  readonly #timers = new Set<Timer>();

  constructor(wall: Millis = 1_800_000_000_000) {
    this.#wall = wall;
  }

  wall(): Millis {
    return this.#wall;
  }

  mono(): Millis {
    return this.#mono;
  }

  after(delay: Millis, callback: () => void): Cancel {
    const timer = { due: this.#mono + delay, callback };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  soon(callback: () => void): void {
    queueMicrotask(callback);
  }

  /** Lets time pass, and calls back what became due, in order. */
  advance(ms: Millis): void {
    this.#wall += ms;
    this.#mono += ms;
    const due = [...this.#timers].filter((timer) => timer.due <= this.#mono).sort((a, b) => a.due - b.due);
    for (const timer of due) {
      if (this.#timers.delete(timer)) timer.callback();
    }
  }

  /** Sets the wall clock alone, as an operator or a time service does. */
  setBack(ms: Millis): void {
    this.#wall -= ms;
  }
}
