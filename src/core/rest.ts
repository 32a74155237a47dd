/** How long an idle worker rests: polls back off with jitter, hints cut a rest short, useless hints are damped. */
import type { Cancel, Runtime } from "../contracts/clock.ts";
import type { Millis } from "../model/record.ts";

const JITTER = 0.15;
/** How far the poll backs off, as a multiple of its interval. */
const LONGEST = 10;
const FIRST_GAP: Millis = 2;

export class Rest {
  readonly #runtime: Runtime;
  readonly #interval: Millis;
  #current: Millis;
  /** Shortest time between two looks that a mere "something changed" may cause. */
  #gap: Millis = 0;
  #lookedAt: Millis = Number.NEGATIVE_INFINITY;
  #woken = false;
  #wake: (() => void) | null = null;
  #late: Cancel | null = null;
  #alarm: Cancel | null = null;

  constructor(runtime: Runtime, interval: Millis) {
    this.#runtime = runtime;
    this.#interval = interval;
    this.#current = interval;
  }

  /** The look at the store found something, or not. */
  looked(found: boolean): void {
    this.#lookedAt = this.#runtime.clock.mono();
    this.#gap = found ? 0 : Math.min(this.#interval, Math.max(FIRST_GAP, this.#gap * 2));
    this.#current = found ? this.#interval : Math.min(this.#current * 2, this.#interval * LONGEST);
  }

  /** The next rest, before anything cuts it short. */
  next(): Millis {
    const spread = 1 + JITTER * (2 * this.#runtime.random.next() - 1);
    return Math.max(this.#interval, this.#current * spread);
  }

  /** There is something to do: end the rest, or let the next one not begin. */
  wake(): void {
    this.#late?.();
    this.#late = null;
    this.#woken = true;
    this.#wake?.();
  }

  /** Something changed somewhere: wake, but not so often that others' writes keep us busy with nothing. */
  nudge(): void {
    const wait = this.#lookedAt + this.#gap - this.#runtime.clock.mono();
    if (wait <= 0) this.wake();
    else this.#late ??= this.#runtime.clock.after(wait, () => this.wake());
  }

  /** There will be something to do by then; takes the place of an earlier such call. */
  wakeIn(delay: Millis): void {
    this.#alarm?.();
    this.#alarm = this.#runtime.clock.after(delay, () => {
      this.#alarm = null;
      this.wake();
    });
  }

  /** Rests for at most so long. */
  async for(delay: Millis): Promise<void> {
    if (!this.#woken) {
      await new Promise<void>((resolve) => {
        const cancel = delay === Number.POSITIVE_INFINITY ? (): void => {} : this.#runtime.clock.after(delay, resolve);
        this.#wake = () => {
          cancel();
          resolve();
        };
      });
      this.#wake = null;
    }
    this.#woken = false;
  }

  /** Forgets timers. */
  stop(): void {
    this.#late?.();
    this.#late = null;
    this.#alarm?.();
    this.#alarm = null;
  }
}
