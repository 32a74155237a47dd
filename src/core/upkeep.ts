/** Upkeep: lost workers' records go back to the queue, overdue ones expire, old finished ones are removed. */
import { expired, isExpired, lapsed } from "../model/lifecycle.ts";
import type { Millis, TaskRecord } from "../model/record.ts";
import { lossDelay } from "../model/retry.ts";
import { Loop } from "./loop.ts";
import type { Parts } from "./parts.ts";
import { isRetentionOn, Retention, retentionInterval } from "./retention.ts";
import type { Scheduler } from "./scheduler.ts";

/** Rows per look, and rows per pass: a flood is worked off over several passes. */
const PAGE = 100;
const PASS = 1_000;
const EXPIRE_EVERY: Millis = 1_000;

/** How often to look for lost leases: a fraction of a lease, so that recovery is prompt, and never a burden. */
export function reapInterval(lease: Millis): Millis {
  return Math.min(5_000, Math.max(50, lease / 6));
}

/** The loops of one worker; any number of workers may run them at once. */
export function upkeepLoops(parts: Parts, scheduler: Scheduler): readonly Loop[] {
  const { staleAfter, retention } = parts.settings.worker;
  const reaper = new Reaper(parts, staleAfter, reapInterval(staleAfter));
  const expiry = expirySweep(parts);
  const keeper = new Retention(parts, retention);
  const loops = [
    new Loop(parts.runtime, {
      name: "scheduler",
      every: 1_000,
      rest: () => scheduler.rest(),
      pass: () => scheduler.pass(),
    }),
    new Loop(parts.runtime, { name: "recovery", every: reapInterval(staleAfter), pass: () => reaper.pass() }),
    new Loop(parts.runtime, { name: "expiry", every: EXPIRE_EVERY, pass: () => expiry.pass() }),
  ];
  if (isRetentionOn(retention)) {
    const every = retentionInterval(retention);
    loops.push(new Loop(parts.runtime, { name: "retention", every, pass: () => keeper.pass() }));
  }
  return loops;
}

/** Takes back the records of lost workers; who calls it answers for the continuity that `Reaper` watches. */
export const recoverySweep = (parts: Parts): Sweep => new Sweep(parts, "lapsed", (record) => lapse(parts, record));

/** Ends the records that were not started before their deadline. */
export const expirySweep = (parts: Parts): Sweep => new Sweep(parts, "expired", (record) => expire(parts, record));

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
    this.#sweep = recoverySweep(parts);
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
}

async function lapse(parts: Parts, record: TaskRecord): Promise<boolean> {
  const { settler, runtime, storeTime } = parts;
  const retryIn = lossDelay(record.losses + 1, runtime.random.next());
  const settled = await settler.settle(
    record,
    (current) => (current.version === record.version ? lapsed(current, { now: storeTime.now(), retryIn }) : null),
    { lapsed: true },
  );
  if (settled.verdict !== "applied") return false;
  const { id, taskName, losses, state, workerId } = { ...settled.record, workerId: record.workerId };
  runtime.logger.warn("a task's worker was lost", { id, task: taskName, worker: workerId, losses, state });
  if (state !== "failed") return true;
  if (settled.inferred) parts.staleFailures.doubt(settled.record);
  else parts.staleFailures.tell(settled.record);
  return true;
}

async function expire(parts: Parts, record: TaskRecord): Promise<boolean> {
  const now = parts.storeTime.now();
  const { verdict } = await parts.settler.settle(record, (current) =>
    isExpired(current, Math.max(now, record.expiresAt ?? now)) ? expired(current, { now }) : null,
  );
  return verdict === "applied";
}

/** What one pass of a sweep did. */
export interface Swept {
  /** Records that it changed. */
  readonly changed: number;
  /** Whether it came to the end of what there was. */
  readonly done: boolean;
  /** The first error of a record that could not be dealt with; it was logged, and hides no other. */
  readonly trouble: { readonly error: unknown } | null;
}

/**
 * Pages by id, and goes on in the next pass where the last one was cut short; one row that cannot be handled hides no
 * other. The rows of a page are settled together.
 */
export class Sweep {
  readonly #parts: Parts;
  readonly #by: "lapsed" | "expired";
  readonly #handle: (record: TaskRecord) => Promise<boolean>;
  #after: string | null = null;

  /** @param handle - Answers whether it changed the record. */
  constructor(parts: Parts, by: "lapsed" | "expired", handle: (record: TaskRecord) => Promise<boolean>) {
    this.#parts = parts;
    this.#by = by;
    this.#handle = handle;
  }

  async pass(): Promise<Swept> {
    let changed = 0;
    let trouble: Swept["trouble"] = null;
    for (let rows = 0; rows < PASS; rows += PAGE) {
      const page = await this.#parts.calls.find({ by: this.#by, after: this.#after, limit: PAGE });
      const ends = await Promise.allSettled(page.map((record) => this.#handle(record)));
      changed += ends.filter((end) => end.status === "fulfilled" && end.value).length;
      trouble ??= this.#troubleOf(ends, page);
      this.#after = page.length < PAGE ? null : (page.at(-1)?.id ?? null);
      if (this.#after === null) return { changed, done: true, trouble };
    }
    return { changed, done: false, trouble };
  }

  #troubleOf(ends: readonly PromiseSettledResult<boolean>[], page: readonly TaskRecord[]): Swept["trouble"] {
    const at = ends.findIndex(({ status }) => status === "rejected");
    if (at < 0) return null;
    const tasks = ends.filter(({ status }) => status === "rejected").length;
    const { reason: error } = ends[at] as PromiseRejectedResult;
    this.#parts.runtime.logger.warn(`${this.#by} tasks could not be dealt with`, { tasks, first: page[at]?.id, error });
    return { error };
  }
}
