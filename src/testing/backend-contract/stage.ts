/** What a test of the suite works on: one open store, its clock, and short ways to fill, claim and read. */
import assert from "node:assert/strict";
import type { ClaimRequest, Page, PruneQuery, QueueBackend, ScheduleRow } from "../../contracts/queue-backend.ts";
import { systemClock } from "../../host/clock.ts";
import { type EnqueueFacts, enqueued } from "../../model/lifecycle.ts";
import type { Draft, Millis, TaskPolicy, TaskRecord } from "../../model/record.ts";
import { Chance } from "./chance.ts";
import { ManualClock } from "./manual-clock.ts";
import type { Bench, Capabilities, ContractOptions } from "./options.ts";

/** A store whose transaction type does not matter here. */
export type Store = QueueBackend<unknown>;

/** What a test wants of a draft; everything has a default. */
export interface Wish extends Partial<Omit<EnqueueFacts, "taskName" | "policy">> {
  readonly task?: string;
  readonly policy?: Partial<TaskPolicy>;
}

const POLICY: TaskPolicy = {
  retries: 3,
  backoff: { kind: "exponential", delay: 1_000, factor: 2, maxDelay: 3_600_000, jitter: 0.1 },
  timeout: null,
  requeueOnShutdown: true,
};

/** Lease of every claim whose length does not matter: long enough never to end by itself. */
export const LONG: Millis = 600_000;

/** The n-th id in order of creation, in the form of a UUID version 7. */
export function idOf(n: number): string {
  return `0192d3a4-b5c6-7000-8000-${n.toString(16).padStart(12, "0")}`;
}

/** A draft that wishes for nothing but what is given. */
export function draftOf(id: string, { task = "mail.send", policy, ...facts }: Wish = {}): Draft {
  return enqueued({
    ...{ queue: "default", execution: "local", priority: 0, input: '{"to":"ada"}' },
    ...facts,
    ...{ id, taskName: task, policy: policy === undefined ? POLICY : { ...POLICY, ...policy } },
  });
}

export class Stage {
  readonly clock: ManualClock = new ManualClock();
  readonly chance: Chance = new Chance(1);
  readonly capabilities: Capabilities;
  readonly bench: Bench<unknown>;
  readonly store: Store;
  readonly #patience: Millis;
  readonly #connections: Store[];
  #ids = 0;

  private constructor(options: ContractOptions<unknown>, clock: ManualClock, bench: Bench<unknown>) {
    this.capabilities = options.capabilities;
    this.#patience = options.patience ?? 10_000;
    this.clock = clock;
    this.bench = bench;
    this.store = bench.backend;
    this.#connections = [bench.backend];
  }

  /** An empty store that is not open yet. */
  static async set<Tx>(options: ContractOptions<Tx>): Promise<Stage> {
    const clock = new ManualClock();
    return new Stage(options as ContractOptions<unknown>, clock, (await options.make(clock)) as Bench<unknown>);
  }

  /** Closes every connection and removes the store. */
  async strike(): Promise<void> {
    for (const connection of this.#connections) await connection.close();
    await this.bench.dispose();
  }

  /** Another connection, open; where records cannot be shared, the one there is. */
  async second(): Promise<Store> {
    if (!this.capabilities.shared) return this.store;
    assert.ok(this.bench.another, "a shared store's bench needs another()");
    const connection = await this.bench.another();
    this.#connections.push(connection);
    await connection.open();
    return connection;
  }

  /** Lets the store's time pass. */
  async pass(ms: Millis): Promise<void> {
    if (this.capabilities.clock) {
      this.clock.advance(ms);
      return;
    }
    const start = await this.store.now();
    const end = systemClock.mono() + ms + this.#patience;
    while ((await this.store.now()) < start + ms) {
      assert.ok(systemClock.mono() < end, `the store's clock stands still`);
      await turn();
    }
  }

  /** Waits for a real event, a wake-up for example; fails with `what` when it does not come. */
  async until(what: string, come: () => boolean): Promise<void> {
    const start = systemClock.mono();
    while (!come()) {
      assert.ok(systemClock.mono() - start < this.#patience, `${what} did not come within ${this.#patience} ms`);
      this.clock.advance(1);
      await turn();
    }
  }

  draft(wish: Wish = {}): Draft {
    this.#ids += 1;
    return draftOf(wish.id ?? idOf(this.#ids), wish);
  }

  drafts(count: number, wish: Wish = {}): Draft[] {
    return Array.from({ length: count }, () => this.draft(wish));
  }

  /** Stores one record per wish; they must all be new. */
  async put(...wishes: readonly Wish[]): Promise<TaskRecord[]> {
    return this.putDrafts(wishes.map((wish) => this.draft(wish)));
  }

  /** Stores one new record. */
  async one(wish: Wish = {}): Promise<TaskRecord> {
    const [record] = await this.put(wish);
    return present(record);
  }

  /** Stores these drafts; they must all be new. */
  async putDrafts(drafts: readonly Draft[]): Promise<TaskRecord[]> {
    const insertions = await this.store.insert(drafts);
    assert.ok(
      insertions.every(({ created }) => created),
      "every draft is new",
    );
    return insertions.map(({ record }) => record);
  }

  request(wish: Partial<ClaimRequest> = {}): ClaimRequest {
    return {
      token: this.chance.token(),
      workerId: "worker-1",
      limit: 10,
      lease: LONG,
      tasks: ["mail.send"],
      queues: null,
      queueLimits: {},
      executions: ["local"],
      ...wish,
    };
  }

  async claim(wish: Partial<ClaimRequest> = {}): Promise<readonly TaskRecord[]> {
    return this.store.claim(this.request(wish));
  }

  /** Stores one record and claims it. */
  async running(wish: Wish = {}, request: Partial<ClaimRequest> = {}): Promise<TaskRecord> {
    const record = await this.one(wish);
    const { queue, taskName, execution } = record;
    const claims = await this.claim({ queues: [queue], tasks: [taskName], executions: [execution], ...request });
    const [claimed] = claims.filter(({ id }) => id === record.id);
    return present(claimed);
  }

  /** Stores these schedules; they must all be new. */
  async plan(...rows: readonly ScheduleRow[]): Promise<void> {
    const answers = await this.store.advance(rows.map((to) => ({ from: null, to, ticks: [] })));
    assert.ok(answers.every(Boolean), "every schedule is new");
  }

  /** Replaces the record; the guard must hold. */
  async become(from: TaskRecord, to: TaskRecord | null): Promise<TaskRecord> {
    assert.deepEqual(await this.store.apply([{ from, to }]), [true], "the change is applied");
    return to ?? from;
  }

  async read(id: string, store: Store = this.store): Promise<TaskRecord | undefined> {
    return (await store.find({ by: "id", ids: [id] }))[0];
  }

  /** Every record there is, by id. */
  async dump(store: Store = this.store): Promise<TaskRecord[]> {
    return dumpOf(store);
  }
}

/** The record with other values than any verb of the lifecycle gives it: a stale or a lying caller's. */
export function forged(record: TaskRecord, lies: Partial<TaskRecord>): TaskRecord {
  return { ...record, ...lies };
}

/** Of every state that retention can remove: what finished before, at most so many. */
export function finishedBefore(before: Millis, limit: number): PruneQuery {
  return { states: ["completed", "failed", "cancelled"], before, limit };
}

/** Every record of a store, by id, page by page. */
export async function dumpOf(store: Store): Promise<TaskRecord[]> {
  const records: TaskRecord[] = [];
  for (let after: string | null = null; ; ) {
    const page: Page = await store.page({ order: "oldest", after, limit: 1_000 });
    const [first] = ids(page.records);
    const last = records.at(-1)?.id;
    if (last !== undefined && first !== undefined && first <= last) assert.fail("a page begins after the one before");
    records.push(...page.records);
    if (page.next === null) return records;
    after = page.next;
  }
}

/** A schedule that is never due but for what is given. */
export function rowOf(name: string, wish: Partial<ScheduleRow> = {}): ScheduleRow {
  const { version = 1, dueAt = null, body = "{}" } = wish;
  return { name, version, dueAt, body };
}

/** The schedule one version on, but for what is given. */
export function nextRow(row: ScheduleRow, wish: Partial<ScheduleRow> = {}): ScheduleRow {
  const { version = row.version + 1, dueAt = row.dueAt, body = row.body } = wish;
  return { name: row.name, version, dueAt, body };
}

/** Every schedule of a store, by name, page by page. */
export async function schedulesOf(store: Store): Promise<ScheduleRow[]> {
  const rows: ScheduleRow[] = [];
  for (;;) {
    const after = rows.at(-1)?.name ?? null;
    const page = await store.schedules({ by: "all", after, limit: 1_000 });
    rows.push(...page);
    if (page.length < 1_000) return rows;
  }
}

/** The value, which must be there. */
export function present<T>(value: T | undefined | null): T {
  assert.ok(value !== undefined && value !== null, "there is such a record");
  return value;
}

/** The ids, in order. */
export function ids(records: readonly TaskRecord[]): string[] {
  return records.map(({ id }) => id);
}

/** One turn of the event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    systemClock.soon(resolve);
  });
}
