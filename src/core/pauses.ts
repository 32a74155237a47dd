/**
 * Paused queues: how a pause is kept (a hold per queue, until released), and how a worker obeys: it reads the pauses on
 * a loop of its own, so that no claim waits for that, and keeps to the last ones it knows.
 */
import type { Cancel } from "../contracts/clock.ts";
import type { Hold } from "../contracts/queue-backend.ts";
import type { JsonText, Millis } from "../model/record.ts";
import { clean } from "./failure.ts";
import { Loop } from "./loop.ts";
import type { QueuePause } from "./operators.ts";
import type { Parts } from "./parts.ts";
import { instantOf } from "./wording.ts";

/** The holds' names begin so; the queue follows. */
export const PAUSES = "pause:";
export const REASON_LENGTH = 1_000;
/** With the loop's spread and the time of a read this stays well below a second. */
const EVERY: Millis = 400;
/** An answer that is later than this is not waited for: the next look may be luckier. */
const PATIENCE: Millis = 500;

/** The queue that a hold pauses. */
export function pausedQueue(hold: Hold): string {
  return hold.name.slice(PAUSES.length);
}

/** What is kept with a pause. */
export function pauseNote(pause: QueuePause): JsonText {
  return JSON.stringify(pause);
}

/** What a hold says of its pause; nothing, where its note is damaged. */
export function pauseOf({ note }: Hold): QueuePause {
  try {
    const { at, reason } = JSON.parse(note ?? "{}") as Readonly<Record<string, unknown>>;
    return {
      at: instantOf(at),
      reason: typeof reason === "string" ? clean(reason, REASON_LENGTH) : null,
    };
  } catch {
    return { at: null, reason: null };
  }
}

/** What a worker does when pauses come and go. */
export interface PauseListener {
  /** Queues were paused. */
  paused(): void;
  /** Queues may be claimed from again. */
  resumed(): void;
}

export class PauseWatch {
  readonly #parts: Parts;
  readonly #workerId: string;
  readonly #listener: PauseListener;
  readonly #loop: Loop;
  /** Null: the pauses were never read. */
  #paused: ReadonlySet<string> | null = null;
  #zeros: Readonly<Record<string, number>> = {};
  #sent = 0;
  #answered = 0;
  #failing = false;

  constructor(parts: Parts, workerId: string, listener: PauseListener) {
    this.#parts = parts;
    this.#workerId = workerId;
    this.#listener = listener;
    this.#loop = new Loop(parts.runtime, { name: "pauses", every: EVERY, pass: () => this.look() });
  }

  start(): void {
    this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** Whether the pauses have been read at all: before, nothing may be claimed. */
  get known(): boolean {
    return this.#paused !== null;
  }

  get any(): boolean {
    return this.#paused !== null && this.#paused.size > 0;
  }

  has(queue: string): boolean {
    return this.#paused?.has(queue) ?? false;
  }

  /** The limits of a claim, with nothing from paused queues. */
  limits(limits: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
    return this.any ? { ...limits, ...this.#zeros } : limits;
  }

  /** Reads the pauses. Never rejects; after a failure the last known ones count. */
  async look(): Promise<void> {
    this.#sent += 1;
    const asked = this.#sent;
    const { calls, runtime } = this.#parts;
    let forget: Cancel = () => {};
    const late = new Promise<void>((resolve) => {
      forget = runtime.clock.after(PATIENCE, resolve);
    });
    const read = calls.held(PAUSES).then(
      (holds) => this.#read(asked, holds),
      (error: unknown) => this.#failed(error),
    );
    await Promise.race([read, late]);
    forget();
  }

  #read(asked: number, holds: readonly Hold[]): void {
    if (this.#failing) this.#parts.runtime.logger.info("paused queues can be read again", { worker: this.#workerId });
    this.#failing = false;
    // Answers may overtake each other.
    if (asked < this.#answered) return;
    this.#answered = asked;
    const before = this.#paused;
    const now = new Set(holds.map(pausedQueue));
    const resumed = before !== null && [...before].some((queue) => !now.has(queue));
    const paused = [...now].some((queue) => before?.has(queue) !== true);
    if (before !== null && !resumed && !paused) return;
    this.#paused = now;
    this.#zeros = Object.fromEntries([...now].map((queue) => [queue, 0]));
    if (paused) this.#listener.paused();
    if (resumed) this.#listener.resumed();
  }

  #failed(error: unknown): void {
    if (this.#failing) return;
    this.#failing = true;
    this.#parts.runtime.logger.warn("paused queues cannot be read; the last known ones count", {
      worker: this.#workerId,
      error,
    });
  }
}
