/**
 * Settling: decide, apply, and on conflict read again and decide again. The one answer to every race: the decision is
 * a pure function of the record, the write a compare-and-set on what it was made from.
 */
import type { Runtime } from "../contracts/clock.ts";
import type { Change } from "../contracts/queue-backend.ts";
import { SiderealError } from "../model/errors.ts";
import type { TaskRecord } from "../model/record.ts";
import type { Calls } from "./calls.ts";
import { GroupCommit } from "./commit.ts";

/** Makes the next record, or null where the current one no longer allows it. */
export type Decide = (current: TaskRecord) => TaskRecord | null;

export type Settled =
  /**
   * Ours was written, now or by an earlier try whose answer was lost. `inferred`: the record was found as we wanted it
   * after a write without a good answer, so that another process with the same decision may have been the one.
   */
  | { readonly verdict: "applied"; readonly record: TaskRecord; readonly inferred?: true }
  /** The record has moved on and the decision does not apply to it any more. */
  | { readonly verdict: "stale"; readonly record: TaskRecord }
  | { readonly verdict: "gone"; readonly record: null };

/** Conflicts in a row on one record before it is taken as a bug of the store. */
const MOST_CONFLICTS = 100;
/** Tries of a call whose failure may pass, for callers who wait for the answer. */
const TRIES = 4;

export interface SettleOptions {
  /** Asked after each failure that may pass: go on trying? Default: four tries. */
  readonly persist?: () => boolean;
  readonly lapsed?: true;
}

export class Settler {
  readonly #calls: Calls;
  readonly #runtime: Runtime;
  readonly #commit: GroupCommit<Change, boolean>;

  constructor(calls: Calls, runtime: Runtime, gathers: boolean) {
    this.#calls = calls;
    this.#runtime = runtime;
    this.#commit = new GroupCommit({
      write: (changes) => calls.apply(changes),
      limit: 1_000,
      defer: gathers ? (flush) => runtime.clock.soon(flush) : queueMicrotask,
    });
  }

  /** Settles a decision about a record that was read before; errors that may pass are retried. */
  settle(held: TaskRecord, decide: Decide, options: SettleOptions = {}): Promise<Settled> {
    let first: TaskRecord | null;
    try {
      first = decide(held);
    } catch (error) {
      return Promise.reject(error);
    }
    if (first === null) return Promise.resolve({ verdict: "stale", record: held });
    const record = first;
    const change: Change = options.lapsed ? { from: held, to: record, lapsed: true } : { from: held, to: record };
    return this.#commit.add(change).then(
      // A refusal, too, may be the second answer to a write that was sent twice.
      (written) => (written ? { verdict: "applied", record } : this.#again(held, decide, options, record, null)),
      (error: unknown) => this.#again(held, decide, options, record, error),
    );
  }

  /** Resolves when no write of ours is under way. */
  idle(): Promise<void> {
    return this.#commit.idle();
  }

  /** The slow path: after a conflict or an error. `sent` is a next record whose write has an unknown outcome. */
  async #again(
    held: TaskRecord,
    decide: Decide,
    options: SettleOptions,
    sent: TaskRecord,
    error: unknown,
  ): Promise<Settled> {
    let unknown = sent;
    let failure: unknown = error;
    let failures = 0;
    for (let conflicts = 0; conflicts < MOST_CONFLICTS; ) {
      if (failure !== null) {
        failures += 1;
        await this.#pause(failure, failures, options);
        failure = null;
      }
      try {
        const [current] = await this.#calls.find({ by: "id", ids: [held.id] });
        if (current === undefined) return { verdict: "gone", record: null };
        if (isSame(current, unknown)) return { verdict: "applied", record: current, inferred: true };
        const next = decide(current);
        if (next === null) return { verdict: "stale", record: current };
        unknown = next;
        const change = { from: current, to: next };
        if (await this.#commit.add(options.lapsed ? { ...change, lapsed: true } : change))
          return { verdict: "applied", record: next };
        // Refused for the lease, not for a conflict: the owner has renewed.
        if (options.lapsed) return { verdict: "stale", record: current };
        conflicts += 1;
      } catch (caught) {
        failure = caught;
      }
    }
    throw new SiderealError("STORE_FAILED", `Task ${held.id} kept changing: ${MOST_CONFLICTS} conflicts in a row`);
  }

  async #pause(error: unknown, failures: number, options: SettleOptions): Promise<void> {
    const passing = error instanceof SiderealError && error.retryable;
    const goOn = options.persist?.() ?? failures < TRIES;
    if (!passing || !goOn) throw error;
    const delay = Math.min(1_000, 25 * 2 ** Math.min(failures, 6)) * (0.5 + this.#runtime.random.next() / 2);
    await new Promise<void>((resolve) => this.#runtime.clock.after(delay, resolve));
  }
}

/** Whether a stored record is the outcome of our own write: the same in all that a decision writes. */
function isSame(stored: TaskRecord, ours: TaskRecord): boolean {
  return Object.entries(ours).every(
    ([field, value]) =>
      field === "leaseUntil" || field === "workerId" || equal(stored[field as keyof TaskRecord], value),
  );
}

/** Equality of plain values; a store may give members back in another order. */
function equal(one: unknown, other: unknown): boolean {
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) return one === other;
  const [fields, others] = [Object.entries(one), Object.keys(other)];
  return (
    fields.length === others.length &&
    fields.every(([field, value]) => equal(value, (other as Readonly<Record<string, unknown>>)[field]))
  );
}
