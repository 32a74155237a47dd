/** The slots of one worker: what runs, what was claimed and waits, what has ended and is being reported. */
import type { Millis } from "../model/record.ts";
import type { Attempt } from "./attempt.ts";

export class Slots {
  readonly capacity: number;
  /** A list, not a set: the tables that a busy set leaves behind keep what was in them from the young collector. */
  readonly #running: Attempt[] = [];
  readonly #caps: ReadonlyMap<string, number>;
  readonly #perQueue = new Map<string, number>();
  readonly #stuck = new Map<Attempt, Millis>();
  #waiting: Attempt[] = [];
  #reporting = 0;
  #changed: (() => void)[] = [];

  constructor(capacity: number, caps: Readonly<Record<string, number>>) {
    this.capacity = capacity;
    this.#caps = new Map(Object.entries(caps));
  }

  /** What runs, longest first. */
  get running(): readonly Attempt[] {
    return this.#running;
  }

  get waiting(): readonly Attempt[] {
    return this.#waiting;
  }

  /** Slots used or spoken for. */
  get taken(): number {
    return this.#running.length + this.#waiting.length;
  }

  /** Attempts whose handler has ended but whose report is not stored yet. */
  get reports(): number {
    return this.#reporting;
  }

  /** What runs and ignores its signal, and since when that is known. */
  get stuck(): readonly { readonly attempt: Attempt; readonly since: Millis }[] {
    return [...this.#stuck].map(([attempt, since]) => ({ attempt, since }));
  }

  /** How many further records each capped queue may give. */
  queueLimits(): Readonly<Record<string, number>> {
    return Object.fromEntries(
      [...this.#caps].map(([queue, cap]) => [queue, Math.max(0, cap - (this.#perQueue.get(queue) ?? 0))]),
    );
  }

  /** Whether a queue has reached its cap, so that one ended attempt lets more of it in. */
  isFull(queue: string): boolean {
    return this.#caps.get(queue) === this.#perQueue.get(queue) && this.#caps.has(queue);
  }

  /** The queues that have reached their caps. */
  get full(): readonly string[] {
    return [...this.#caps.keys()].filter((queue) => this.isFull(queue));
  }

  wait(attempt: Attempt): void {
    this.#waiting.push(attempt);
    this.#count(attempt, 1);
  }

  /** Moves the next waiting attempt into a free slot. */
  begin(): Attempt | undefined {
    if (this.#running.length >= this.capacity) return undefined;
    const attempt = this.#waiting.shift();
    if (attempt !== undefined) this.#running.push(attempt);
    return attempt;
  }

  /** Takes out everything that waits, or what of it is meant; it is reported as what has ended is. */
  takeWaiting(meant: (attempt: Attempt) => boolean = () => true): readonly Attempt[] {
    const taken = this.#waiting.filter(meant);
    this.#waiting = this.#waiting.filter((attempt) => !meant(attempt));
    for (const attempt of taken) this.#count(attempt, -1);
    this.#reporting += taken.length;
    return taken;
  }

  /** The handler has ended, or was given up; the report may be under way: each call is followed by one of `reported`. */
  end(attempt: Attempt): void {
    const at = this.#running.indexOf(attempt);
    if (at >= 0) {
      this.#running.copyWithin(at, at + 1);
      this.#running.pop();
      this.#count(attempt, -1);
    }
    this.#stuck.delete(attempt);
    this.#reporting += 1;
    this.#tell();
  }

  reported(): void {
    this.#reporting -= 1;
    this.#tell();
  }

  isStuck(attempt: Attempt): boolean {
    return this.#stuck.has(attempt);
  }

  markStuck(attempt: Attempt, since: Millis): void {
    if (this.#running.includes(attempt)) this.#stuck.set(attempt, since);
  }

  /** Resolves when nothing runs. */
  async drained(): Promise<void> {
    while (this.#running.length > 0) await this.#change();
  }

  /** Resolves when every report is stored or given up. */
  async settled(): Promise<void> {
    while (this.#reporting > 0) await this.#change();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#changed.push(resolve));
  }

  #tell(): void {
    if (this.#changed.length === 0) return;
    for (const resolve of this.#changed.splice(0)) resolve();
  }

  #count(attempt: Attempt, by: number): void {
    if (!this.#caps.has(attempt.queue)) return;
    this.#perQueue.set(attempt.queue, (this.#perQueue.get(attempt.queue) ?? 0) + by);
  }
}
