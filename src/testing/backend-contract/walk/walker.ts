/** One walker: the store under test and the memory store side by side, asked the same things and compared. */
import assert from "node:assert/strict";
import type { ClaimRequest, ScheduleRow } from "../../../contracts/queue-backend.ts";
import type { TaskRecord } from "../../../model/record.ts";
import type { Chance } from "../chance.ts";
import type { ManualClock } from "../manual-clock.ts";
import { dumpOf, idOf, type Store, schedulesOf } from "../stage.ts";

/** How many old snapshots are kept for decisions made too late. */
const MEMORY = 200;

/** One random operation. */
export type Step = (walker: Walker) => Promise<unknown>;

export class Walker {
  readonly chance: Chance;
  readonly clock: ManualClock;
  /** Every claim sent so far, to be sent again. */
  readonly requests: ClaimRequest[] = [];
  /** Ids that were given out, in no order; some of them are gone. */
  readonly ids: string[] = [];
  /** Schedules as they were written, or refused, in order. */
  readonly rows: ScheduleRow[] = [];
  /** The last version given to a schedule; each is given once, so that none is met again. */
  versions = 0;
  /** What was asked, in order. */
  readonly trace: string[] = [];
  readonly #model: Store;
  readonly #stores: readonly Store[];
  readonly #snapshots: TaskRecord[] = [];

  constructor(chance: Chance, clock: ManualClock, model: Store, stores: readonly Store[]) {
    this.chance = chance;
    this.clock = clock;
    this.#model = model;
    this.#stores = stores;
  }

  /**
   * Asks both and compares the answers.
   * @param what - The question, for the trace.
   * @param settled - Takes out of an answer what the contract leaves open.
   */
  async ask<T>(
    what: string,
    call: (store: Store) => Promise<T>,
    settled: (answer: T) => unknown = (a) => a,
  ): Promise<T> {
    this.trace.push(`${this.clock.wall() % 10_000_000} ${what}`);
    const expected = await call(this.#model);
    const answer = await call(this.chance.pick(this.#stores) ?? this.#model);
    assert.deepEqual(settled(answer), settled(expected));
    return expected;
  }

  /** Both hold the same records, schedules, counts and reservations. */
  async compare(): Promise<void> {
    const records = await this.ask("everything", dumpOf);
    this.remember(records);
    await this.ask("every schedule", schedulesOf);
    await this.ask("tally", (store) => store.tally());
    await this.ask("held", (store) => store.held(""));
  }

  /** The records there are now. */
  async current(): Promise<TaskRecord[]> {
    return dumpOf(this.#model);
  }

  /** The schedules there are now. */
  async currentRows(): Promise<ScheduleRow[]> {
    return schedulesOf(this.#model);
  }

  /** The model's time, which is the store's. */
  async now(): Promise<number> {
    return this.#model.now();
  }

  remember(records: readonly TaskRecord[]): void {
    this.#snapshots.push(...records);
    if (this.#snapshots.length > MEMORY) this.#snapshots.splice(0, this.#snapshots.length - MEMORY);
  }

  /** Records to decide on: mostly as they are, sometimes as they once were. */
  async seen(count: number, wanted: (record: TaskRecord) => boolean = () => true): Promise<TaskRecord[]> {
    const pool = this.chance.often(0.2) ? this.#snapshots : await this.current();
    return this.chance.some(pool.filter(wanted), count);
  }

  /** An id for a new record; their order is not that of arrival. */
  freshId(): string {
    const id = idOf(this.chance.below(2 ** 40));
    this.ids.push(id);
    return id;
  }
}
