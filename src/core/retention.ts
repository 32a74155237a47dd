/** Retention: finished records that are too old, or too many, are removed in pages, oldest first. */
import type { Millis } from "../model/record.ts";
import type { Parts } from "./parts.ts";
import { FINISHED, type FinishedState, type RetentionRules } from "./retention-rules.ts";

/** Records per call of the store, and calls per pass of a worker: a flood is worked off over several passes. */
const PAGE = 1_000;
const PAGES = 100;
const EVERY: Millis = 60_000;
/** Counting walks an index of all finished records: not more often than this. */
const COUNT_EVERY: Millis = 60_000;
/** Whoever removes by count holds this: two who counted the same excess would remove it twice. */
export const RETENTION_HOLD = "retention";
const HOLD_LEASE: Millis = 60_000;

/** Whether to go on with another page. */
export type GoOn = () => boolean | Promise<boolean>;

/** What a pass removed, and whether nothing was left to remove. */
export interface Pruned {
  readonly changed: number;
  readonly done: boolean;
}

/** Whether any rule can ever remove a record. */
export function isRetentionOn(rules: RetentionRules): boolean {
  return FINISHED.some((state) => rules[state].age !== null || rules[state].count !== null);
}

/** How often a worker looks: once a minute, sooner where records are kept for less than that. */
export function retentionInterval(rules: RetentionRules): Millis {
  const ages = FINISHED.flatMap((state) => rules[state].age ?? []);
  return Math.max(1_000, Math.min(EVERY, ...ages));
}

/** Removes what the rules say; one for each worker, because it remembers when it last counted. */
export class Retention {
  readonly #parts: Parts;
  readonly #rules: RetentionRules;
  readonly #holder: string;
  /** By the monotonic clock. */
  #counted = Number.NEGATIVE_INFINITY;

  constructor(parts: Parts, rules: RetentionRules) {
    this.#parts = parts;
    this.#rules = rules;
    this.#holder = parts.ids.token();
  }

  /** @param goOn - Asked before each page; default: up to the cap of a worker's pass. */
  async pass(goOn: GoOn = upTo(PAGES)): Promise<Pruned> {
    const now = await this.#parts.storeTime.sync();
    const counts = FINISHED.filter((state) => this.#rules[state].count !== null);
    if (counts.length === 0) return this.#byAge(now, goOn);
    const { clock } = this.#parts.runtime;
    const mayCount = clock.mono() - this.#counted >= COUNT_EVERY;
    // What another removes by age meanwhile is part of the excess that was counted: one at a time.
    const { holder } = await this.#parts.calls.hold(RETENTION_HOLD, this.#holder, { lease: HOLD_LEASE });
    if (holder !== this.#holder) return { changed: 0, done: true };
    const until = clock.mono() + HOLD_LEASE / 2;
    const isOurs: GoOn = () => clock.mono() < until && goOn();
    try {
      const old = await this.#byAge(now, isOurs);
      if (!mayCount || !old.done) return old;
      const many = await this.#byCount(counts, now, isOurs);
      if (many.done) this.#counted = clock.mono();
      return { changed: old.changed + many.changed, done: many.done };
    } finally {
      await this.#giveBack();
    }
  }

  /** A turn that is not given back is over with its lease. */
  async #giveBack(): Promise<void> {
    const { calls, runtime } = this.#parts;
    await calls.release(RETENTION_HOLD, this.#holder).catch((error: unknown) => {
      runtime.logger.warn("the turn of retention could not be given back", { error });
    });
  }

  async #byAge(now: Millis, goOn: GoOn): Promise<Pruned> {
    let changed = 0;
    for (const age of new Set(FINISHED.map((state) => this.#rules[state].age))) {
      if (age === null) continue;
      const states = FINISHED.filter((state) => this.#rules[state].age === age);
      const pruned = await this.#prune(states, now - age, Number.POSITIVE_INFINITY, goOn);
      changed += pruned.changed;
      if (!pruned.done) return { changed, done: false };
    }
    return { changed, done: true };
  }

  async #byCount(states: readonly FinishedState[], now: Millis, goOn: GoOn): Promise<Pruned> {
    const tallies = await this.#parts.calls.tally();
    let changed = 0;
    for (const state of states) {
      const stored = tallies.reduce((sum, tally) => sum + tally[state], 0);
      const excess = stored - (this.#rules[state].count ?? stored);
      if (excess <= 0) continue;
      const pruned = await this.#prune([state], now, excess, goOn);
      changed += pruned.changed;
      if (!pruned.done) return { changed, done: false };
    }
    return { changed, done: true };
  }

  /** Up to `most` records that finished before an instant. */
  async #prune(states: readonly FinishedState[], before: Millis, most: number, goOn: GoOn): Promise<Pruned> {
    let changed = 0;
    while (changed < most) {
      if (!(await goOn())) return { changed, done: false };
      const limit = Math.min(PAGE, most - changed);
      const removed = await this.#parts.calls.prune({ states, before, limit });
      changed += removed;
      if (removed < limit) break;
    }
    return { changed, done: true };
  }
}

function upTo(pages: number): GoOn {
  let left = pages;
  return () => {
    left -= 1;
    return left >= 0;
  };
}
