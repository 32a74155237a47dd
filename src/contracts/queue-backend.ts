/**
 * The contract every store implements. A backend keeps records and decides nothing: it knows neither retries nor
 * back-off, neither cancellation nor uniqueness policy. Every method is atomic per record, idempotent under its ids and
 * tokens, and follows the store's own clock. Names and ids are in the order of their code points, which is that of their
 * UTF-8 bytes.
 *
 * Errors are `SiderealError`s with a `STORE_…` code; everything else is a bug of the backend.
 */
import type { Draft, JsonText, Millis, StatusCounts, TaskRecord } from "../model/record.ts";
import type { Signals } from "./signals.ts";

/** What became of one draft. */
export type Insertion =
  | { readonly created: true; readonly record: TaskRecord }
  /** The holder of the id or of the key, as stored; nothing was written. An equal id is looked at before an equal key. */
  | { readonly created: false; readonly by: "id" | "key"; readonly record: TaskRecord };

export interface ClaimRequest {
  /** 128 random bits in hex, fresh per request. Sent again (its reply was lost), it gives the records that it still owns; if there are none, it claims. */
  readonly token: string;
  readonly workerId: string;
  /** At least 1. */
  readonly limit: number;
  readonly lease: Millis;
  /** Only records of these tasks. */
  readonly tasks: readonly string[];
  /** Only records of these queues; null means every queue. */
  readonly queues: readonly string[] | null;
  /** At most so many records of these queues (0: none); a queue that is not named is not limited. */
  readonly queueLimits: Readonly<Record<string, number>>;
  /** Only records of these execution backends. */
  readonly executions: readonly string[];
}

/** A compare-and-set on one record. */
export interface Change {
  /** The decision was made from this: version and claim must still be the same. */
  readonly from: TaskRecord;
  /** The complete next record; null removes it. Its `leaseUntil` counts only if it is null or the stored one is: else what was renewed since stays. */
  readonly to: TaskRecord | null;
  /** And the lease must be over by the store's clock. */
  readonly lapsed?: true;
}

export interface ClaimRef {
  readonly id: string;
  readonly claim: string;
}

/** Answer to one renewal: `held` until `remaining` ms from the store's handling of the call. */
export type Renewal =
  | { readonly state: "held"; readonly remaining: Millis; readonly cancelRequested: boolean }
  /** `lost`: somebody else owns the record now. `gone`: there is no such record. */
  | { readonly state: "lost" | "gone" };

/** One page along one index, in the order named; every query is bounded. */
export type RecordQuery =
  /** In no particular order; missing ids are left out. At most 1,000. */
  | { readonly by: "id"; readonly ids: readonly string[] }
  /** The live record that holds the key. */
  | { readonly by: "key"; readonly key: string }
  /** Running or dispatched records whose lease is over, by id after `after`. */
  | { readonly by: "lapsed"; readonly after: string | null; readonly limit: number }
  /** Pending records past their deadline to start, by id after `after`. */
  | { readonly by: "expired"; readonly after: string | null; readonly limit: number }
  /** Running records with a cancel request, by id after `after`. */
  | { readonly by: "cancelling"; readonly after: string | null; readonly limit: number }
  /** The pending record that becomes ready next in the store's future, optionally of these queues. */
  | { readonly by: "next"; readonly queues: readonly string[] | null };

/**
 * Records by id, which is by time of creation: what people look at. A store serves it from its index of ids, and from an
 * index of their own where only failed and cancelled records are asked for; it filters as it reads.
 */
export interface PageQuery {
  readonly order: "oldest" | "newest";
  /** Go on behind this id; null: from the beginning. */
  readonly after: string | null;
  /** 1 to 1,000. */
  readonly limit: number;
  readonly queues?: readonly string[];
  readonly tasks?: readonly string[];
  readonly states?: readonly TaskRecord["state"][];
}

export interface Page {
  readonly records: readonly TaskRecord[];
  /**
   * Where to go on: the last record's id if the page is full. A store looks at 10,000 records per call at most, so that
   * a short page, too, may have a successor: then it is the last id that it looked at. Null: nothing is left.
   */
  readonly next: string | null;
}

/** Which finished records retention removes: those of these states that finished before this instant, oldest first. */
export interface PruneQuery {
  readonly states: readonly ("completed" | "failed" | "cancelled")[];
  readonly before: Millis;
  /** At most so many; at least 1. */
  readonly limit: number;
}

/** A schedule as stored. What it says is the core's business; the store knows its name, its version and when to look. */
export interface ScheduleRow {
  /** Case-sensitive; unique in the namespace. */
  readonly name: string;
  /** Guards every write. It grows with each, and a schedule made anew begins above its predecessor. */
  readonly version: number;
  /** Store time at which it wants to be looked at; null: never by itself. */
  readonly dueAt: Millis | null;
  readonly body: JsonText;
}

/** A compare-and-set on one schedule, and the records that belong to that step. */
export interface ScheduleChange {
  /** The decision was made from this: the stored version must still be the same. Null: there must be none of that name. */
  readonly from: ScheduleRow | null;
  /** The next row, of the same name; null removes it. Not null if `from` is: such a change does not hold. */
  readonly to: ScheduleRow | null;
  /** Inserted in the same step if the guard held, each as `insert` does it: an equal id or a live equal key keeps the old record. */
  readonly ticks: readonly Draft[];
}

/** At most 1,000 schedules, by name. */
export type ScheduleQuery =
  /** Missing ones are left out. */
  | { readonly by: "name"; readonly names: readonly string[] }
  /** Those whose `dueAt` has come, by name after `after`. */
  | { readonly by: "due"; readonly after: string | null; readonly limit: number }
  /** The one with the earliest `dueAt`, past or future. */
  | { readonly by: "next" }
  | { readonly by: "all"; readonly after: string | null; readonly limit: number };

/** Counts of one queue: `pending` is ready now, `scheduled` pending but not ready yet, `running` includes dispatched. */
export interface Tally extends Omit<StatusCounts, "total"> {
  readonly queue: string;
  /** When the oldest ready record became ready; null when none is ready. */
  readonly oldestReadyAt: Millis | null;
}

/** A named reservation: one primitive for forever-keys, presence, pauses and maintenance. */
export interface Hold {
  readonly name: string;
  readonly holder: string;
  /** Store time at which it is over; null: until released. */
  readonly until: Millis | null;
  readonly note: JsonText | null;
}

export interface HoldOptions {
  /** How long; null or absent: until released. */
  readonly lease?: Millis | null;
  readonly note?: JsonText | null;
}

/** What a store is told of the configuration around it. */
export interface StoreSetting {
  /** Prefix of everything the store names; default `sidereal`. */
  readonly namespace: string;
  /** Takes one sentence for the log about something that costs the user time, and that the store goes on without. */
  readonly warn?: (message: string) => void;
}

export interface MigrationPlan {
  /** Version of the schema found; 0: none. */
  readonly from: number;
  readonly to: number;
  /** The statements that bring it there, in order; empty when nothing is to be done. */
  readonly statements: readonly string[];
}

/** One thing that was looked at, and how it is. */
export interface Finding {
  /** What was looked at, in a word or two. */
  readonly check: string;
  /** `warning`: legal but dangerous, or soon a problem. `problem`: tasks are lost, late or not run. */
  readonly level: "ok" | "warning" | "problem";
  /** One sentence, without secrets. */
  readonly message: string;
  /** What to do; null where all is well. */
  readonly advice: string | null;
}

/**
 * A store. `Tx` is the type of the caller's own transaction that `within` can join; `never` where it cannot.
 */
export interface QueueBackend<Tx = never> {
  /** Short name for people: `memory`, `sqlite`, … */
  readonly name: string;
  /** Whether another process that is given the same configuration sees the same records. */
  readonly shared: boolean;
  /** Makes the store usable and its schema current; idempotent. @throws STORE_SCHEMA, STORE_UNAVAILABLE, … */
  open(setting?: StoreSetting): Promise<void>;
  /** Releases everything; idempotent; calls under way end first. */
  close(): Promise<void>;
  /** The store's clock; it never runs backwards. */
  now(): Promise<Millis>;
  /** Writes what is new, atomically as a batch; equal id or live equal key keeps the old record and answers with it. In input order. */
  insert(drafts: readonly Draft[]): Promise<readonly Insertion[]>;
  /** Claims up to `limit` ready, unexpired records: larger priority first, then earlier `readyAt`, then first in, first out; over all queues asked for, answered in that order. */
  claim(request: ClaimRequest): Promise<readonly TaskRecord[]>;
  /** Replaces each record whose version and claim are still those of `from`; true where it did. In input order. */
  apply(changes: readonly Change[]): Promise<readonly boolean[]>;
  /** Extends leases to `lease` ms from now, never past an attempt's hard end (`leaseEnd`). In input order. */
  renew(claims: readonly ClaimRef[], lease: Millis): Promise<readonly Renewal[]>;
  find(query: RecordQuery): Promise<readonly TaskRecord[]>;
  /** Counts per queue, by queue name; of these queues or of all that hold records. */
  tally(queues?: readonly string[]): Promise<readonly Tally[]>;
  /** One page of records for people; see `PageQuery`. */
  page(query: PageQuery): Promise<Page>;
  /** Deletes finished records as the query says; answers how many. */
  prune(query: PruneQuery): Promise<number>;
  schedules(query: ScheduleQuery): Promise<readonly ScheduleRow[]>;
  /** Replaces each schedule whose version is still that of `from`, and inserts its ticks in the same atomic step; true where it did. In input order. */
  advance(changes: readonly ScheduleChange[]): Promise<readonly boolean[]>;
  /** Takes or extends a reservation; answers with the holder there is, the caller or another. An over one is free. */
  hold(name: string, holder: string, options?: HoldOptions): Promise<Hold>;
  /** Gives a reservation back; true if this holder had it. */
  release(name: string, holder: string): Promise<boolean>;
  /** The reservations in force whose name begins so, by name. */
  held(prefix: string): Promise<readonly Hold[]>;
  /** Present if it can push; a lost signal costs latency, never correctness. */
  readonly signals?: Signals;
  /** Whether concurrent calls should gather longer (the end of the event-loop turn) before they are written together. */
  readonly gathers?: boolean;
  /** Joins the caller's own open transaction. */
  within?(tx: Tx): Pick<QueueBackend, "insert" | "apply">;
  /**
   * Opens a transaction on the store's own database for the body: committed when that resolves, rolled back when it rejects,
   * and then with the very error. Present where `within` is, and what it hands out can be given to that. Others are told of
   * what was written once it is committed. An aborted signal ends it by force, as far as the client can do that: whatever
   * the body still does is not committed.
   * @throws what the body throws; STORE_… errors of beginning (nothing was done) and of committing (it may have been)
   */
  transaction?<T>(body: (tx: Tx) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Looks at what the open store stands on (disk, files, a server's settings) and changes nothing; for `sidereal doctor`. */
  diagnose?(): Promise<readonly Finding[]>;
  /** What `open` would do to the schema, and doing it; absent where there is no schema. */
  readonly schema?: {
    plan(setting?: StoreSetting): Promise<MigrationPlan>;
    migrate(setting?: StoreSetting): Promise<MigrationPlan>;
  };
}
