/**
 * Blocks of the event loop: a timer that fires late was kept waiting by code that did not let go, most likely a task's.
 * Nothing else tells a slow task from one that keeps the whole worker from its leases.
 */
import type { Cancel, Clock } from "../contracts/clock.ts";
import type { Millis } from "../model/record.ts";

/** One block. */
export interface LoopBlock {
  /** When it was noticed, by the wall clock. */
  readonly at: Millis;
  /** How long it was at least; up to half a second more. */
  readonly ms: Millis;
  /** Names of the tasks that ran then, up to ten; one of them, or what it calls, did not let go. */
  readonly tasks: readonly string[];
}

/** Time between two ticks. */
export const TICK: Millis = 500;
/** A tick that comes so much too late is a block; and a handler that ran so long may be its cause. */
export const LATE: Millis = 200;
/** How many blocks are kept, and for how long. */
const MOST_BLOCKS = 10;
export const KEPT: Millis = 600_000;
const MOST_NAMES = 10;

export class LoopWatch {
  readonly #clock: Clock;
  readonly #running: () => Iterable<string>;
  /** Names of handlers that ran long and have ended since the last tick. */
  readonly #slow = new Set<string>();
  readonly #blocks: { readonly block: LoopBlock; readonly mono: Millis }[] = [];
  #cancel: Cancel = () => {};

  /** @param running - Names of the tasks that run now. */
  constructor(clock: Clock, running: () => Iterable<string>) {
    this.#clock = clock;
    this.#running = running;
  }

  start(): void {
    const due = this.#clock.mono() + TICK;
    this.#cancel = this.#clock.after(TICK, () => {
      this.#ticked(due);
      this.start();
    });
  }

  stop(): void {
    this.#cancel();
  }

  /** A handler has ended that ran for so long: it may be the one that a late tick tells of, and is running no more. */
  ended(task: string, took: Millis): void {
    if (took >= LATE && this.#slow.size < MOST_NAMES) this.#slow.add(task);
  }

  /** The last blocks of the last ten minutes, the oldest first. */
  get blocks(): readonly LoopBlock[] {
    const since = this.#clock.mono() - KEPT;
    return this.#blocks.filter(({ mono }) => mono >= since).map(({ block }) => block);
  }

  #ticked(due: Millis): void {
    const mono = this.#clock.mono();
    const late = mono - due;
    if (late >= LATE) {
      const tasks = [...new Set([...this.#slow, ...this.#running()])].slice(0, MOST_NAMES);
      this.#blocks.push({ block: { at: this.#clock.wall(), ms: Math.round(late), tasks }, mono });
      if (this.#blocks.length > MOST_BLOCKS) this.#blocks.shift();
    }
    this.#slow.clear();
  }
}
