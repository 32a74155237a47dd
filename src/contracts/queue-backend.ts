/**
 * The contract every store implements. A backend keeps records and decides nothing: it knows neither retries nor
 * back-off, neither cancellation nor uniqueness policy. Every method is atomic per record, idempotent under its ids and
 * tokens, and follows the store's own clock.
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
  | { readonly by: "next"; readonly queues: readonly string[] | null }
  /** Every record, by id (which is by time of creation) after `after`. */
  | {
      readonly by: "creation";
      readonly after: string | null;
      readonly limit: number;
      readonly queues?: readonly string[];
      readonly tasks?: readonly string[];
      readonly states?: readonly TaskRecord["state"][];
    };

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
}

export interface MigrationPlan {
  /** Version of the schema found; 0: none. */
  readonly from: number;
  readonly to: number;
  /** The statements that bring it there, in order; empty when nothing is to be done. */
  readonly statements: readonly string[];
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
  /** Deletes at most `limit` terminal records that finished before this instant, oldest first; answers how many. */
  prune(before: Millis, limit: number): Promise<number>;
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
  /** What `open` would do to the schema, and doing it; absent where there is no schema. */
  readonly schema?: {
    plan(setting?: StoreSetting): Promise<MigrationPlan>;
    migrate(setting?: StoreSetting): Promise<MigrationPlan>;
  };
}
