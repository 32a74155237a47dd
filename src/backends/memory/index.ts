/**
 * The memory store: the executable specification of the contract. Each method is synchronous inside, so it is atomic;
 * nothing survives the process. Every other store is walked in lockstep with this one.
 */
import type { Cancel, Clock } from "../../contracts/clock.ts";
import type * as contract from "../../contracts/queue-backend.ts";
import type { Hint, Signals } from "../../contracts/signals.ts";
import { systemClock } from "../../host/clock.ts";
import { SiderealError } from "../../model/errors.ts";
import { claimed, isExpired, leaseEnd, stamped } from "../../model/lifecycle.ts";
import { byCodePoint } from "../../model/order.ts";
import { type Draft, isTerminal, type Millis, statusOf, type TaskRecord } from "../../model/record.ts";
import { advanced, type StoreInstant } from "../../model/store-clock.ts";
import { ReadyIndex, type Slot } from "./ready.ts";

export interface MemoryOptions {
  /** Default: the process' own clock. */
  readonly clock?: Clock;
}

/** A store in this process' memory: for tests, development, and work that may be lost with the process. */
export function memory(options: MemoryOptions = {}): contract.QueueBackend {
  return new MemoryBackend(options.clock ?? systemClock);
}

class MemoryBackend implements contract.QueueBackend {
  readonly name = "memory";
  readonly shared = false;
  readonly signals: Signals = { subscribe: (listener) => this.#subscribe(listener) };
  readonly #clock: Clock;
  readonly #slots = new Map<string, Slot>();
  readonly #keys = new Map<string, string>();
  readonly #owned = new Map<string, TaskRecord>();
  readonly #expiring = new Set<string>();
  readonly #holds = new Map<string, contract.Hold>();
  readonly #schedules = new Map<string, contract.ScheduleRow>();
  readonly #listeners = new Set<(hint: Hint) => void>();
  readonly #ready = new ReadyIndex();
  #inserted = 0;
  #last: StoreInstant = { now: 0, mono: 0 };
  #open = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async open(): Promise<void> {
    this.#open = true;
  }

  async close(): Promise<void> {
    this.#open = false;
  }

  async now(): Promise<Millis> {
    return this.#now();
  }

  async insert(drafts: readonly Draft[]): Promise<readonly contract.Insertion[]> {
    return this.#insert(drafts, this.#now());
  }

  #insert(drafts: readonly Draft[], now: Millis): contract.Insertion[] {
    let ready = false;
    const insertions = drafts.map((draft): contract.Insertion => {
      const { id, key } = draft.record;
      const same = this.#record(id);
      if (same !== undefined) return { created: false, by: "id", record: same };
      const holder = key === null ? undefined : this.#record(this.#keys.get(key) ?? "");
      if (holder !== undefined) return { created: false, by: "key", record: holder };
      const record = stamped(draft, now);
      this.#inserted += 1;
      const slot = { record, place: this.#inserted, gone: false };
      this.#slots.set(id, slot);
      this.#index(slot, undefined);
      ready ||= record.readyAt <= now;
      return { created: true, record };
    });
    if (ready) this.#emit({ about: "work" });
    return insertions;
  }

  async claim(request: contract.ClaimRequest): Promise<readonly TaskRecord[]> {
    const now = this.#now();
    const again = [...this.#owned.values()].filter((r) => r.state === "running" && r.claim === request.token);
    if (again.length > 0) return again;
    return this.#ready.take(request, now).map((slot) => {
      const next = claimed(slot.record, {
        now,
        token: request.token,
        lease: request.lease,
        workerId: request.workerId,
      });
      this.#put(slot, next);
      return next;
    });
  }

  async apply(changes: readonly contract.Change[]): Promise<readonly boolean[]> {
    const now = this.#now();
    const outcomes: string[] = [];
    let ready = false;
    let cancel = false;
    const applied = changes.map(({ from, to, lapsed }) => {
      const slot = this.#slots.get(from.id);
      if (slot === undefined) return false;
      const current = slot.record;
      if (current.version !== from.version || current.claim !== from.claim) return false;
      if (lapsed && !(current.leaseUntil !== null && current.leaseUntil < now)) return false;
      if (to === null) {
        this.#drop(slot);
        return true;
      }
      // The lease is not part of a decision: what was renewed since then stays.
      this.#put(slot, to.leaseUntil === null ? to : { ...to, leaseUntil: current.leaseUntil ?? to.leaseUntil });
      if (isTerminal(to)) outcomes.push(to.id);
      ready ||= to.state === "pending" && to.readyAt <= now;
      cancel ||= to.state === "running" && to.cancelRequestedAt !== null;
      return true;
    });
    if (outcomes.length > 0) this.#emit({ about: "outcome", ids: outcomes });
    if (ready) this.#emit({ about: "work" });
    if (cancel) this.#emit({ about: "cancel" });
    return applied;
  }

  async renew(claims: readonly contract.ClaimRef[], lease: Millis): Promise<readonly contract.Renewal[]> {
    const now = this.#now();
    return claims.map(({ id, claim }): contract.Renewal => {
      const slot = this.#slots.get(id);
      if (slot === undefined) return { state: "gone" };
      const { record } = slot;
      if (record.claim !== claim || record.state !== "running") return { state: "lost" };
      const leaseUntil = leaseEnd(record, now, lease);
      this.#put(slot, { ...record, leaseUntil });
      return { state: "held", remaining: leaseUntil - now, cancelRequested: record.cancelRequestedAt !== null };
    });
  }

  async find(query: contract.RecordQuery): Promise<readonly TaskRecord[]> {
    const now = this.#now();
    switch (query.by) {
      case "id":
        return query.ids.map((id) => this.#record(id)).filter((record) => record !== undefined);
      case "key":
        return page(
          [this.#record(this.#keys.get(query.key) ?? "")].filter((r) => r !== undefined),
          null,
          1,
        );
      case "lapsed":
        return page(
          [...this.#owned.values()].filter((r) => (r.leaseUntil ?? now) < now),
          query.after,
          query.limit,
        );
      case "expired":
        return page(
          this.#all(this.#expiring).filter((r) => isExpired(r, now)),
          query.after,
          query.limit,
        );
      case "cancelling":
        return page(
          [...this.#owned.values()].filter((r) => r.cancelRequestedAt !== null),
          query.after,
          query.limit,
        );
      case "next": {
        const next = this.#ready.next(query.queues, now);
        return next === undefined ? [] : [next];
      }
    }
  }

  async page(query: contract.PageQuery): Promise<contract.Page> {
    this.#now();
    const { queues, tasks, states, after, limit } = query;
    const direction = query.order === "oldest" ? 1 : -1;
    const records = this.#all(this.#slots.keys())
      .filter(
        (r) =>
          (after === null || (r.id > after ? 1 : -1) * direction > 0) &&
          r.id !== after &&
          (queues === undefined || queues.includes(r.queue)) &&
          (tasks === undefined || tasks.includes(r.taskName)) &&
          (states === undefined || states.includes(r.state)),
      )
      .sort((a, b) => (a.id < b.id ? -direction : direction))
      .slice(0, limit);
    return { records, next: records.length < limit ? null : (records.at(-1)?.id ?? null) };
  }

  async tally(queues?: readonly string[]): Promise<readonly contract.Tally[]> {
    const now = this.#now();
    const tallies = new Map<string, { -readonly [K in keyof contract.Tally]: contract.Tally[K] }>();
    for (const { record } of this.#slots.values()) {
      const { queue } = record;
      if (queues !== undefined && !queues.includes(queue)) continue;
      const none = { pending: 0, scheduled: 0, running: 0, completed: 0, failed: 0, cancelled: 0 };
      const tally = tallies.get(queue) ?? { queue, ...none, oldestReadyAt: null };
      const status = statusOf(record, now);
      tally[status] += 1;
      if (status === "pending") tally.oldestReadyAt = Math.min(tally.oldestReadyAt ?? record.readyAt, record.readyAt);
      tallies.set(queue, tally);
    }
    return [...tallies.values()].sort((a, b) => byCodePoint(a.queue, b.queue));
  }

  async prune({ states, before, limit }: contract.PruneQuery): Promise<number> {
    this.#now();
    const wanted: readonly string[] = states;
    const over = [...this.#slots.values()]
      .filter(({ record }) => wanted.includes(record.state) && (record.finishedAt ?? before) < before)
      .sort(({ record: a }, { record: b }) => (a.finishedAt ?? 0) - (b.finishedAt ?? 0) || (a.id < b.id ? -1 : 1))
      .slice(0, limit);
    for (const old of over) this.#drop(old);
    return over.length;
  }

  async schedules(query: contract.ScheduleQuery): Promise<readonly contract.ScheduleRow[]> {
    const now = this.#now();
    if (query.by === "name")
      return byName([...this.#schedules.values()].filter((row) => query.names.includes(row.name)));
    const due = [...this.#schedules.values()].filter(({ dueAt }) => dueAt !== null);
    if (query.by === "next")
      return byName(due)
        .sort((a, b) => (a.dueAt ?? 0) - (b.dueAt ?? 0))
        .slice(0, 1);
    const rows = query.by === "all" ? [...this.#schedules.values()] : due.filter(({ dueAt }) => (dueAt ?? 0) <= now);
    return byName(rows.filter(({ name }) => query.after === null || byCodePoint(name, query.after) > 0)).slice(
      0,
      query.limit,
    );
  }

  async advance(changes: readonly contract.ScheduleChange[]): Promise<readonly boolean[]> {
    const now = this.#now();
    const advanced: boolean[] = [];
    for (const { from, to, ticks } of changes) {
      const name = (from ?? to)?.name;
      const held = name !== undefined && this.#schedules.get(name)?.version === from?.version;
      advanced.push(held);
      if (!held) continue;
      if (to === null) this.#schedules.delete(name);
      else this.#schedules.set(name, to);
      this.#insert(ticks, now);
    }
    return advanced;
  }

  async hold(name: string, holder: string, options: contract.HoldOptions = {}): Promise<contract.Hold> {
    const now = this.#now();
    const current = this.#holds.get(name);
    if (current !== undefined && current.holder !== holder && !isOver(current, now)) return current;
    const { lease = null, note = null } = options;
    const hold = { name, holder, until: lease === null ? null : now + lease, note };
    this.#holds.set(name, hold);
    return hold;
  }

  async release(name: string, holder: string): Promise<boolean> {
    const now = this.#now();
    const current = this.#holds.get(name);
    if (current?.holder !== holder || isOver(current, now)) return false;
    return this.#holds.delete(name);
  }

  async held(prefix: string): Promise<readonly contract.Hold[]> {
    const now = this.#now();
    return [...this.#holds.values()]
      .filter((hold) => hold.name.startsWith(prefix) && !isOver(hold, now))
      .sort((a, b) => byCodePoint(a.name, b.name));
  }

  #now(): Millis {
    if (!this.#open) throw new SiderealError("STORE_CLOSED", "The memory store was used while it was not open");
    this.#last = advanced(this.#last, this.#clock.wall(), this.#clock.mono());
    return this.#last.now;
  }

  #record(id: string): TaskRecord | undefined {
    return this.#slots.get(id)?.record;
  }

  #put(slot: Slot, record: TaskRecord): void {
    const old = slot.record;
    slot.record = record;
    this.#index(slot, old);
  }

  #index(slot: Slot, old: TaskRecord | undefined): void {
    const { id, key, state, version, expiresAt } = slot.record;
    if (old !== undefined && old.key !== null && old.key !== key) this.#keys.delete(old.key);
    if (key !== null) this.#keys.set(key, id);
    if (state === "running" || state === "dispatched") this.#owned.set(id, slot.record);
    else if (old !== undefined) this.#owned.delete(id);
    if (expiresAt !== null) {
      if (state === "pending") this.#expiring.add(id);
      else this.#expiring.delete(id);
    }
    if (state === "pending" && old?.version !== version) this.#ready.add(slot);
  }

  #drop(slot: Slot): void {
    const { id, key } = slot.record;
    slot.gone = true;
    if (key !== null) this.#keys.delete(key);
    for (const index of [this.#slots, this.#owned, this.#expiring]) index.delete(id);
  }

  #all(ids: Iterable<string>): TaskRecord[] {
    return [...ids].map((id) => this.#record(id) as TaskRecord);
  }

  #subscribe(listener: (hint: Hint) => void): Cancel {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  #emit(hint: Hint): void {
    for (const listener of this.#listeners) listener(hint);
  }
}

function isOver(hold: contract.Hold, now: Millis): boolean {
  return hold.until !== null && hold.until <= now;
}

function byName(rows: contract.ScheduleRow[]): contract.ScheduleRow[] {
  return rows.sort((a, b) => byCodePoint(a.name, b.name));
}

function page(records: TaskRecord[], after: string | null, limit: number): TaskRecord[] {
  return records
    .filter((record) => after === null || record.id > after)
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .slice(0, limit);
}
