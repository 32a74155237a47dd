/**
 * Waiting for records to end: subscribe, then read, then wait with a deadline. Hints only make the next read come
 * sooner; a poll comes anyway, so that nothing is missed and nobody hangs.
 */
import type { Cancel, Clock } from "../contracts/clock.ts";
import type { Hint, Signals } from "../contracts/signals.ts";
import { SiderealError } from "../model/errors.ts";
import { isTerminal, type Millis, type TaskRecord } from "../model/record.ts";
import type { Calls } from "./calls.ts";

interface Waiter {
  readonly resolve: (record: TaskRecord) => void;
  readonly reject: (error: unknown) => void;
}

/** First and longest wait between two reads when no hint arrives. */
const POLL: { readonly first: Millis; readonly longest: Millis } = { first: 50, longest: 1_000 };
const PAGE = 500;

export class Outcomes {
  readonly #calls: Calls;
  readonly #clock: Clock;
  readonly #signals: Signals | undefined;
  readonly #waiters = new Map<string, Set<Waiter>>();
  readonly #dirty = new Set<string>();
  #unsubscribe: Cancel | null = null;
  #poll: { readonly cancel: Cancel; readonly every: Millis } | null = null;
  #reading = false;
  #lastError: unknown = null;
  #closed: SiderealError | null = null;

  constructor(calls: Calls, clock: Clock, signals: Signals | undefined) {
    this.#calls = calls;
    this.#clock = clock;
    this.#signals = signals;
  }

  /**
   * Resolves with the record once it is terminal.
   * @throws RESULT_TIMEOUT after `timeout` ms, with the store's last error as cause if it could not be read; RECORD_GONE;
   * what `signal` was aborted with.
   */
  async wait(id: string, timeout: Millis, signal?: AbortSignal): Promise<TaskRecord> {
    signal?.throwIfAborted();
    if (this.#closed !== null) throw this.#closed;
    let cancel: Cancel = () => {};
    let onAbort = (): void => {};
    let waiter: Waiter | undefined;
    try {
      return await new Promise<TaskRecord>((resolve, reject) => {
        waiter = { resolve, reject };
        this.#add(id, waiter);
        cancel = this.#clock.after(timeout, () => reject(this.#late(id, timeout)));
        onAbort = () => reject(signal?.reason);
        signal?.addEventListener("abort", onAbort, { once: true });
      });
    } finally {
      cancel();
      signal?.removeEventListener("abort", onAbort);
      if (waiter !== undefined) this.#remove(id, waiter);
    }
  }

  /** Rejects everybody who waits, or will until `reopen`. */
  close(error: SiderealError): void {
    this.#closed = error;
    for (const waiters of [...this.#waiters.values()]) for (const waiter of waiters) waiter.reject(error);
  }

  reopen(): void {
    this.#closed = null;
  }

  #late(id: string, timeout: Millis): SiderealError {
    const cause = this.#lastError;
    return new SiderealError(
      "RESULT_TIMEOUT",
      `Task ${id} had not finished after ${timeout} ms`,
      cause === null ? {} : { cause },
    );
  }

  #add(id: string, waiter: Waiter): void {
    const waiters = this.#waiters.get(id) ?? new Set();
    waiters.add(waiter);
    this.#waiters.set(id, waiters);
    this.#unsubscribe ??= this.#signals?.subscribe((hint) => this.#hear(hint)) ?? null;
    this.#mark([id]);
    if (this.#poll === null || this.#poll.every > POLL.first) this.#pollAfter(POLL.first);
  }

  #remove(id: string, waiter: Waiter): void {
    const waiters = this.#waiters.get(id);
    waiters?.delete(waiter);
    if (waiters?.size === 0) this.#waiters.delete(id);
    if (this.#waiters.size > 0) return;
    this.#unsubscribe?.();
    this.#unsubscribe = null;
    this.#poll?.cancel();
    this.#poll = null;
  }

  #hear(hint: Hint): void {
    if (hint.about === "outcome") this.#mark(hint.ids.filter((id) => this.#waiters.has(id)));
    if (hint.about === "any") this.#mark(this.#waiters.keys());
  }

  #mark(ids: Iterable<string>): void {
    for (const id of ids) this.#dirty.add(id);
    if (this.#reading || this.#dirty.size === 0) return;
    this.#reading = true;
    this.#clock.soon(() => void this.#read());
  }

  #pollAfter(every: Millis): void {
    this.#poll?.cancel();
    const cancel = this.#clock.after(every, () => {
      this.#mark(this.#waiters.keys());
      this.#pollAfter(Math.min(POLL.longest, every * 2));
    });
    this.#poll = { cancel, every };
  }

  async #read(): Promise<void> {
    while (this.#dirty.size > 0) {
      const ids = [...this.#dirty].slice(0, PAGE);
      for (const id of ids) this.#dirty.delete(id);
      try {
        const found = new Map((await this.#calls.find({ by: "id", ids })).map((record) => [record.id, record]));
        this.#lastError = null;
        for (const id of ids) this.#tell(id, found.get(id));
      } catch (error) {
        // The poll asks again; whoever waits hears of it at the deadline.
        this.#lastError = error;
      }
    }
    this.#reading = false;
  }

  #tell(id: string, record: TaskRecord | undefined): void {
    for (const waiter of this.#waiters.get(id) ?? []) {
      if (record === undefined) waiter.reject(new SiderealError("RECORD_GONE", `Task ${id} is not in the store`));
      else if (isTerminal(record)) waiter.resolve(record);
    }
  }
}
