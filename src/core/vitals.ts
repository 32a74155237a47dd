/** A worker's vital signs: whether its store answers it, what blocks its event loop, which handlers do not let go. */
import type { Millis } from "../model/record.ts";
import type { Claims } from "./claims.ts";
import type { LeaseKeeper } from "./lease.ts";
import { type LoopBlock, LoopWatch } from "./loop-watch.ts";
import type { Parts } from "./parts.ts";
import type { Slots } from "./slots.ts";

/** How a worker is; small enough to be asked for every second. Times are milliseconds by the worker's wall clock. */
export interface WorkerHealth {
  /** Whether the worker runs, has lately had a claim answered by its store, and has a slot that is not stuck. */
  readonly healthy: boolean;
  /** Why it is not healthy, one sentence each; empty where it is. */
  readonly reasons: readonly string[];
  /** The worker's id. */
  readonly worker: string;
  readonly state: "new" | "running" | "stopping" | "stopped";
  /** As `status().ready`: stricter, and of this very moment. */
  readonly ready: boolean;
  readonly running: number;
  /** Claimed, waiting for a slot. */
  readonly claimed: number;
  /** The last answer of the store to a claim; null before the first. A worker whose slots are all taken claims nothing. */
  readonly lastClaim: { readonly at: Millis; readonly age: Millis } | null;
  readonly eventLoop: {
    /** The longest block of the last ten minutes; 0 where there was none. */
    readonly blockedMs: Millis;
    /** Up to ten blocks, the newest last. Blocks above 0.7 s are all seen, shorter ones by chance. */
    readonly blocks: readonly LoopBlock[];
  };
  /** Handlers that ignore their signal, and since when that is known. */
  readonly stuck: readonly { readonly id: string; readonly task: string; readonly since: Millis }[];
}

/** The longest rest between two claims, as a multiple of the poll interval, with jitter. */
const LONGEST_REST = 12;
/** No store counts as away before this. */
const LEAST_PATIENCE: Millis = 5_000;
/** Renewals that may be missing before a worker with full slots counts as cut off. */
const RENEWALS = 2.5;

interface Worker {
  readonly id: string;
  readonly state: WorkerHealth["state"];
  /** Whether it claims nothing because no slot is free. */
  readonly full: boolean;
}

export class Vitals {
  readonly #parts: Parts;
  readonly #claims: Claims;
  readonly #leases: LeaseKeeper;
  readonly #slots: Slots;
  readonly #watch: LoopWatch;
  /** Whether the last claim was not answered. */
  failing = false;
  /** Monotonic time of the last answer to a claim; null before the first. */
  #claimedAt: Millis | null = null;
  /** Monotonic time since which claims are expected: the start, or when a slot became free. */
  #expectedSince: Millis = 0;

  constructor(parts: Parts, claims: Claims, leases: LeaseKeeper, slots: Slots) {
    this.#parts = parts;
    this.#claims = claims;
    this.#leases = leases;
    this.#slots = slots;
    this.#watch = new LoopWatch(parts.runtime.clock, () => slots.running.map(({ taskName }) => taskName));
  }

  start(): void {
    this.expectClaims();
    this.#watch.start();
  }

  stop(): void {
    this.#watch.stop();
  }

  /** From now on claims are made; before, there was no room for what they bring. */
  expectClaims(): void {
    this.#expectedSince = this.#parts.runtime.clock.mono();
  }

  /** The store has answered a claim. */
  claimed(): void {
    this.failing = false;
    this.#claimedAt = this.#parts.runtime.clock.mono();
  }

  /** A handler has ended after so long. */
  ended(task: string, took: Millis): void {
    this.#watch.ended(task, took);
  }

  /** Whether the store has answered at all. */
  get answered(): boolean {
    return this.#claimedAt !== null;
  }

  /** Whether a claim was answered, later ones are within two poll intervals, and renewals too. */
  get ready(): boolean {
    const now = this.#parts.runtime.clock.mono();
    const waiting = now - (this.#claims.waitingSince ?? now);
    const patience = 2 * this.#parts.settings.worker.pollInterval;
    return this.answered && !this.failing && !this.#leases.failing && waiting <= patience;
  }

  health(worker: Worker): WorkerHealth {
    const { clock } = this.#parts.runtime;
    const { id, state } = worker;
    const age = this.#claimedAt === null ? null : Math.round(clock.mono() - this.#claimedAt);
    const reasons = this.#reasons(worker);
    const { blocks } = this.#watch;
    return {
      ...{ healthy: reasons.length === 0, reasons, worker: id, state, ready: state === "running" && this.ready },
      ...{ running: this.#slots.running.length, claimed: this.#slots.waiting.length },
      lastClaim: age === null ? null : { at: clock.wall() - age, age },
      eventLoop: { blockedMs: blocks.reduce((most, { ms }) => Math.max(most, ms), 0), blocks },
      stuck: this.#slots.stuck.map(({ attempt, since }) => ({ id: attempt.id, task: attempt.taskName, since })),
    };
  }

  #reasons({ state, full }: Worker): readonly string[] {
    if (state !== "running") return [state === "new" ? "the worker has not been started" : `the worker is ${state}`];
    const reasons: string[] = [];
    const now = this.#parts.runtime.clock.mono();
    const silent = Math.round(now - this.#lastSign(full));
    if (silent > this.#patience(full)) {
      const what = full ? "no renewal" : this.answered ? "no claim" : "not one claim";
      reasons.push(`${what} was answered by the store for ${silent} ms`);
    } else if (!this.answered) reasons.push("no claim was answered by the store yet");
    const { stuck, capacity } = this.#slots;
    if (stuck.length >= capacity) reasons.push(`all ${capacity} slots are held by handlers that ignore their signal`);
    return reasons;
  }

  /** Monotonic time at which the store was last known to answer, or was first expected to. */
  #lastSign(full: boolean): Millis {
    const claim = Math.max(this.#expectedSince, this.#claimedAt ?? 0);
    return full ? Math.max(claim, this.#leases.renewedAt) : claim;
  }

  #patience(full: boolean): Millis {
    const { pollInterval, heartbeatInterval } = this.#parts.settings.worker;
    const least = Math.max(LEAST_PATIENCE, LONGEST_REST * pollInterval);
    return full ? Math.max(least, RENEWALS * heartbeatInterval) : least;
  }
}
