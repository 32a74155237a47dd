/** Upkeep: lost workers' records go back to the queue, overdue ones expire, old finished ones are removed. */

import { expired, isExpired, lapsed } from "../model/lifecycle.ts";
import type { Millis, TaskRecord } from "../model/record.ts";
import { lossDelay } from "../model/retry.ts";
import { Loop } from "./loop.ts";
import type { Parts } from "./parts.ts";

/** Rows per look, and rows per pass: a flood is worked off over several passes. */
const PAGE = 100;
const PASS = 1_000;
const EXPIRE_EVERY: Millis = 1_000;
const PRUNE_EVERY: Millis = 60_000;
const PRUNE_PAGE = 1_000;

/** How often to look for lost leases: a fraction of a lease, so that recovery is prompt, and never a burden. */
export function reapInterval(lease: Millis): Millis {
  return Math.min(5_000, Math.max(50, lease / 6));
}

/** The loops of one worker; any number of workers may run them at once. */
export function upkeepLoops(parts: Parts): readonly Loop[] {
  const { staleAfter, retention } = parts.settings.worker;
  const reaper = new Reaper(parts, staleAfter, reapInterval(staleAfter));
  const expiry = new Sweep(parts, "expired", (record) => expire(parts, record));
  const loops = [
    new Loop(parts.runtime, { name: "recovery", every: reapInterval(staleAfter), pass: () => reaper.pass() }),
    new Loop(parts.runtime, { name: "expiry", every: EXPIRE_EVERY, pass: () => expiry.pass() }),
  ];
  if (retention !== null) {
    const every = Math.max(1_000, Math.min(PRUNE_EVERY, retention));
    loops.push(new Loop(parts.runtime, { name: "retention", every, pass: () => prune(parts, retention) }));
  }
  return loops;
}

/**
 * Takes lapsed records back. It waits one whole lease after the store's clock jumped, or after it was itself away: in
 * both cases leases may look over although their owners had no chance to renew.
 */
export class Reaper {
  readonly #parts: Parts;
  readonly #lease: Millis;
  readonly #every: Millis;
  #last: { readonly store: Millis; readonly mono: Millis } | null = null;
  #holdUntil = 0;
  readonly #sweep: Sweep;

  constructor(parts: Parts, lease: Millis, every: Millis) {
    this.#parts = parts;
    this.#lease = lease;
    this.#every = every;
    this.#sweep = new Sweep(parts, "lapsed", (record) => this.#lapse(record));
  }

  async pass(): Promise<void> {
    const store = await this.#parts.storeTime.sync();
    const mono = this.#parts.runtime.clock.mono();
    if (this.#discontinuous(store, mono)) this.#holdUntil = mono + this.#lease;
    this.#last = { store, mono };
    if (mono < this.#holdUntil) return;
    await this.#sweep.pass();
  }

  #discontinuous(store: Millis, mono: Millis): boolean {
    if (this.#last === null) return false;
    const elapsed = mono - this.#last.mono;
    const jump = Math.abs(store - this.#last.store - elapsed);
    return jump > this.#lease / 2 || elapsed > Math.max(2 * this.#every * 1.2, this.#lease / 2);
  }

  async #lapse(record: TaskRecord): Promise<void> {
    const { settler, runtime, storeTime } = this.#parts;
    const retryIn = lossDelay(record.losses + 1, runtime.random.next());
    const settled = await settler.settle(
      record,
      (current) => (current.version === record.version ? lapsed(current, { now: storeTime.now(), retryIn }) : null),
      { lapsed: true },
    );
    if (settled.verdict !== "applied") return;
    const { id, taskName, losses, state, workerId } = { ...settled.record, workerId: record.workerId };
    runtime.logger.warn("a task's worker was lost", { id, task: taskName, worker: workerId, losses, state });
  }
}

async function expire(parts: Parts, record: TaskRecord): Promise<void> {
  const now = parts.storeTime.now();
  await parts.settler.settle(record, (current) =>
    isExpired(current, Math.max(now, record.expiresAt ?? now)) ? expired(current, { now }) : null,
  );
}

async function prune(parts: Parts, retention: Millis): Promise<void> {
  const before = (await parts.storeTime.sync()) - retention;
  for (let pages = 0; pages < PASS / 10; pages += 1) {
    if ((await parts.calls.prune(before, PRUNE_PAGE)) < PRUNE_PAGE) return;
  }
}

/**
 * Pages by id, and goes on in the next pass where the last one was cut short; one row that cannot be handled hides no
 * other. The rows of a page are settled together.
 */
class Sweep {
  readonly #parts: Parts;
  readonly #by: "lapsed" | "expired";
  readonly #handle: (record: TaskRecord) => Promise<void>;
  #after: string | null = null;

  constructor(parts: Parts, by: "lapsed" | "expired", handle: (record: TaskRecord) => Promise<void>) {
    this.#parts = parts;
    this.#by = by;
    this.#handle = handle;
  }

  async pass(): Promise<void> {
    for (let rows = 0; rows < PASS; rows += PAGE) {
      const page = await this.#parts.calls.find({ by: this.#by, after: this.#after, limit: PAGE });
      await this.#all(page);
      this.#after = page.length < PAGE ? null : (page.at(-1)?.id ?? null);
      if (this.#after === null) return;
    }
  }

  async #all(page: readonly TaskRecord[]): Promise<void> {
    const ends = await Promise.allSettled(page.map((record) => this.#handle(record)));
    const at = ends.findIndex(({ status }) => status === "rejected");
    if (at < 0) return;
    const tasks = ends.filter(({ status }) => status === "rejected").length;
    const { reason: error } = ends[at] as PromiseRejectedResult;
    this.#parts.runtime.logger.warn(`${this.#by} tasks could not be dealt with`, { tasks, first: page[at]?.id, error });
  }
}
