/**
 * Keeping leases: one batched renewal for everything a worker owns, and a local watchdog on the monotonic clock that
 * stops an attempt before anybody else may take its record over.
 */
import type { Cancel, Runtime } from "../contracts/clock.ts";
import type { Renewal } from "../contracts/queue-backend.ts";
import { SiderealError } from "../model/errors.ts";
import type { Millis, TaskRecord } from "../model/record.ts";
import type { Calls } from "./calls.ts";
import { Loop } from "./loop.ts";

/** Something whose lease is kept. */
export interface Owned {
  readonly id: string;
  readonly claim: string;
  /** The lease is lost (LEASE_LOST), or may be (LEASE_UNCERTAIN). */
  lose(error: SiderealError): void;
  /** The record is being completed in a transaction, which has its lock: a renewal would wait for it, and all others with it. */
  readonly isLocked?: boolean;
  /** A cancel was requested; the record that says so, where it was read. */
  cancelRequested(record?: TaskRecord): void;
}

interface Entry {
  /** Null once it is removed: a table of entries that was outgrown lives on until the next full collection. */
  owned: Owned | null;
  /** Monotonic time until which the record is surely ours. */
  until: Millis;
  warned: boolean;
}

/** An entry that has not been removed, and whose it is. */
interface Held {
  readonly entry: Entry;
  readonly owned: Owned;
}

function heldBy(entry: Entry): Held {
  return { entry, owned: entry.owned as Owned };
}

/** Share of a lease that the local window takes, counted from the moment the request was sent. */
const WINDOW = 0.9;
const PAGE = 1_000;
/** How often a renewal is sent, and what share of a lease lies between a failure and the next try. */
const TRIES = 3;
const AGAIN = 24;

export interface LeaseOptions {
  readonly lease: Millis;
  readonly every: Millis;
}

export class LeaseKeeper {
  readonly #calls: Calls;
  readonly #runtime: Runtime;
  readonly #lease: Millis;
  readonly #entries = new Map<string, Entry>();
  readonly #loop: Loop;
  #stopped = false;
  #failing = false;
  /** Monotonic time of the last answer to a renewal. */
  renewedAt: Millis = 0;
  #watch: { readonly cancel: Cancel; readonly at: Millis } | null = null;

  constructor(calls: Calls, runtime: Runtime, { lease, every }: LeaseOptions) {
    this.#calls = calls;
    this.#runtime = runtime;
    this.#lease = lease;
    this.#loop = new Loop(runtime, { name: "lease renewal", every, pass: () => this.#renew() });
  }

  start(): void {
    this.#stopped = false;
    this.#loop.start();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#watch?.cancel();
    this.#watch = null;
    await this.#loop.stop();
  }

  /**
   * Keeps the lease of a record whose claim was sent at `sent`, monotonic time.
   * @param granted - How long the store gave; less than a whole lease where the attempt's hard end is near.
   */
  add(owned: Owned, sent: Millis, granted: Millis = this.#lease): void {
    const until = sent + Math.min(this.#lease, granted) * WINDOW;
    const before = this.#entries.get(owned.id);
    // We took over from ourselves: the older attempt may still run, and would find the new lease under its id.
    before?.owned?.lose(new SiderealError("LEASE_LOST", `Task ${owned.id} was claimed again after its lease ended`));
    if (before !== undefined) before.owned = null;
    this.#entries.set(owned.id, { owned, until, warned: false });
    this.#watchAt(until);
  }

  remove(owned: Owned): void {
    const entry = this.#entries.get(owned.id);
    if (entry?.owned !== owned) return;
    entry.owned = null;
    this.#entries.delete(owned.id);
  }

  /** Whether the record is surely still ours, by the monotonic clock. */
  isSure(id: string): boolean {
    const entry = this.#entries.get(id);
    return entry !== undefined && entry.until > this.#runtime.clock.mono();
  }

  /** Whether the last renewal was not answered. */
  get failing(): boolean {
    return this.#failing && this.#entries.size > 0;
  }

  async #renew(): Promise<void> {
    const held = Array.from(this.#entries.values(), heldBy).filter(({ owned }) => !owned.isLocked);
    for (let at = 0; at < held.length; at += PAGE) {
      await this.#renewPage(held.slice(at, at + PAGE));
    }
  }

  /** One lost answer must not cost a lease: the next regular renewal could come too late, so it is asked again soon. */
  async #renewPage(page: readonly Held[]): Promise<void> {
    const claims = page.map(({ owned }) => ({ id: owned.id, claim: owned.claim }));
    for (let tries = 1; ; tries += 1) {
      const sent = this.#runtime.clock.mono();
      try {
        const answers = await this.#calls.renew(claims, this.#lease);
        for (const [index, held] of page.entries()) this.#answer(held, answers[index] as Renewal, sent);
        this.#failing = false;
        this.renewedAt = this.#runtime.clock.mono();
        return;
      } catch (error) {
        this.#failing = true;
        const passing = error instanceof SiderealError && error.retryable;
        if (!passing || tries >= TRIES || this.#stopped) throw error;
      }
      await new Promise<void>((resolve) => this.#runtime.clock.after(this.#lease / AGAIN, resolve));
    }
  }

  #answer({ entry, owned }: Held, answer: Renewal, sent: Millis): void {
    if (entry.owned !== owned) return;
    if (answer.state === "held") {
      entry.until = sent + Math.min(this.#lease, answer.remaining) * WINDOW;
      this.#watchAt(entry.until);
      if (answer.cancelRequested) owned.cancelRequested();
      return;
    }
    this.remove(owned);
    const why = answer.state === "gone" ? "is no longer in the store" : "was taken over after its lease ended";
    owned.lose(new SiderealError("LEASE_LOST", `Task ${owned.id} ${why}`));
  }

  #watchAt(at: Millis): void {
    if (this.#watch !== null && this.#watch.at <= at) return;
    this.#watch?.cancel();
    const wait = Math.max(0, at - this.#runtime.clock.mono());
    this.#watch = { at, cancel: this.#runtime.clock.after(wait, () => this.#check()) };
  }

  #check(): void {
    this.#watch = null;
    const now = this.#runtime.clock.mono();
    let next = Number.POSITIVE_INFINITY;
    for (const entry of this.#entries.values()) {
      if (entry.until > now) next = Math.min(next, entry.until);
      else if (!entry.warned) {
        entry.warned = true;
        const { owned } = heldBy(entry);
        owned.lose(
          new SiderealError(
            "LEASE_UNCERTAIN",
            `Task ${owned.id}: the lease could not be renewed for ${Math.round(this.#lease * WINDOW)} ms`,
          ),
        );
      }
    }
    if (next < Number.POSITIVE_INFINITY) this.#watchAt(next);
  }
}
