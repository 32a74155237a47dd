/**
 * The steps of a stop. First signal: drain; second: abort; third: leave at once. A parent process climbs it by messages,
 * and by dying. Signals are counted among themselves, because a terminal's Ctrl+C reaches parent and child alike.
 */
import { constants } from "node:os";

/** 0 works, 1 drains, 2 aborts. */
export type Step = 0 | 1 | 2;

const SIGNALS = ["SIGTERM", "SIGINT"] as const;
type Signal = (typeof SIGNALS)[number];

export class Ladder {
  readonly #climbed: (step: Step, why: string) => void;
  readonly #leave: (code: number, why: string) => void;
  readonly #waiting: { readonly step: Step; readonly resolve: () => void }[] = [];
  readonly #listeners = new Map<Signal, () => void>();
  #step: Step = 0;
  #signals = 0;

  /**
   * @param climbed - Called once per step, with what caused it.
   * @param leave - Ends the process at once.
   */
  constructor(climbed: (step: Step, why: string) => void, leave: (code: number, why: string) => void) {
    this.#climbed = climbed;
    this.#leave = leave;
  }

  get step(): Step {
    return this.#step;
  }

  /** Begins to hear signals. On Windows only SIGINT arrives, and does it alone. */
  listen(): void {
    for (const signal of SIGNALS) {
      const heard = (): void => this.#heard(signal);
      this.#listeners.set(signal, heard);
      process.on(signal, heard);
    }
  }

  /** Hears no more signals: they end the process again. */
  ignore(): void {
    for (const [signal, heard] of this.#listeners) process.off(signal, heard);
    this.#listeners.clear();
  }

  /** Goes up to a step; at or above it nothing happens. */
  climb(to: Step, why: string): void {
    while (this.#step < to) {
      this.#step = (this.#step + 1) as Step;
      this.#climbed(this.#step, why);
    }
    for (const { step, resolve } of this.#waiting) if (step <= this.#step) resolve();
  }

  /** Resolves once the step is reached. */
  reached(step: Step): Promise<void> {
    if (step <= this.#step) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push({ step, resolve });
    });
  }

  #heard(signal: Signal): void {
    this.#signals += 1;
    if (this.#signals > 2) this.#leave(128 + constants.signals[signal], signal);
    else this.climb(this.#signals as Step, signal);
  }
}
