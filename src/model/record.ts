/**
 * The task record: one durable request to run a task, exactly as every store keeps it.
 * Records are immutable values. Only `lifecycle.ts` makes new ones.
 */

/** Milliseconds: an instant since the Unix epoch, or a length of time. */
export type Millis = number;

/** Text that is valid, strict JSON. Stores keep it untouched, so a value reads back the same from each of them. */
export type JsonText = string;

/** The states that are stored. `scheduled` is a view: `pending` whose `readyAt` lies in the store's future. */
export type RecordState = "pending" | "dispatched" | "running" | "completed" | "failed" | "cancelled";

/** States in which a record can still change by itself. */
export type LiveState = "pending" | "dispatched" | "running";

/** How long to wait before the next attempt; see `retry.ts` for the formulae. */
export interface BackoffPolicy {
  /** `custom` means: ask the task's own function; the other fields are the fallback where the code is not at hand. */
  readonly kind: "fixed" | "linear" | "exponential" | "custom";
  /** Base delay. */
  readonly delay: Millis;
  /** Growth per failure; used by `exponential` only. */
  readonly factor: number;
  /** Upper bound of the delay before jitter. */
  readonly maxDelay: Millis;
  /** Share of the delay that is random, 0 to 1: the delay is spread over `delay · (1 ± jitter)`. */
  readonly jitter: number;
}

/** What the lifecycle must know of a task's options, copied at enqueue so that later code changes leave queued records alone. */
export interface TaskPolicy {
  /** Extra attempts after a failed first one. */
  readonly retries: number;
  readonly backoff: BackoffPolicy;
  /** Longest run of one attempt; null means unlimited. */
  readonly timeout: Millis | null;
  /** Whether a shutdown hands a running attempt back instead of failing it. */
  readonly requeueOnShutdown: boolean;
}

/** Why a record ended, or is about to. */
export type EndReason =
  | "error" // the handler failed and no retry was left, or it asked for none
  | "timeout" // the last allowed attempt ran over its timeout
  | "poison" // its worker was lost too often while it ran
  | "interrupted" // handed back by shutdowns more often than allowed
  | "snoozed" // snoozed more often than allowed
  | "input" // its stored input no longer passes the task's validation
  | "result" // it returned something that cannot be stored
  | "expired" // it was not started before its deadline
  | (string & {}); // a cancel's own words

/** What is kept of a thrown error; at most 32 KiB altogether. */
export interface TaskFailure {
  readonly name: string;
  readonly message: string;
  readonly stack: string | null;
  /** A stable code where the error carried one. */
  readonly code: string | null;
  /** The attempt that failed. */
  readonly attempt: number;
  readonly at: Millis;
}

/** The last progress that the handler reported. */
export interface TaskProgress {
  readonly current: number;
  readonly total: number | null;
  readonly message: string | null;
  /** The last `ctx.heartbeat(detail)`, at most 256 characters. */
  readonly detail: string | null;
  readonly at: Millis;
}

/** One line written by `ctx.log`. */
export interface LogLine {
  readonly at: Millis;
  readonly attempt: number;
  readonly message: string;
}

/** Where a record came from, if nobody enqueued it by hand. */
export type Origin =
  /** A schedule's tick; `scheduledFor` is its nominal instant. `manual`: asked for out of turn. */
  | { readonly kind: "schedule"; readonly schedule: string; readonly scheduledFor: Millis; readonly manual?: true }
  /** A further run of a record that had ended. */
  | { readonly kind: "retry"; readonly of: string };

export interface TaskRecord {
  // Fixed at enqueue.
  /** UUID version 7: time-ordered. */
  readonly id: string;
  readonly taskName: string;
  readonly queue: string;
  /** Name of the execution backend that is to run it. */
  readonly execution: string;
  readonly executionProfile: string | null;
  /** Larger runs first. */
  readonly priority: number;
  /** Null: enqueued without an input. */
  readonly input: JsonText | null;
  readonly policy: TaskPolicy;
  readonly createdAt: Millis;
  /** Must have started before; store clock. */
  readonly expiresAt: Millis | null;
  /** The user's own, a JSON object; we never read it. */
  readonly metadata: JsonText | null;
  readonly tags: readonly string[];
  readonly description: string | null;
  /** Null: enqueued by hand. */
  readonly origin: Origin | null;

  // Written only by lifecycle.ts.
  readonly state: RecordState;
  /** Grows by one with every write; half of every guard, and the sequence of the record's events. */
  readonly version: number;
  /** Random token of the last claim; never cleared, only overwritten; the other half of an owner's guard. */
  readonly claim: string | null;
  /** Attempts started. */
  readonly attempt: number;
  /** Attempts that failed by an error: spends `policy.retries`. */
  readonly failures: number;
  /** Leases lost; at `LIMITS.losses` the record fails as poison. */
  readonly losses: number;
  /** Hand-backs by a shutdown. */
  readonly interruptions: number;
  readonly snoozes: number;
  /** How often it was brought back after it had ended. */
  readonly revivals: number;
  /** After a first loss: whether the current attempt is known to have begun, so that a bystander is not blamed. */
  readonly begun: boolean;
  /** The active uniqueness key; held by at most one record, null once terminal. */
  readonly key: string | null;
  /** Reference of remote work, while dispatched. */
  readonly ref: string | null;
  /** Start of the current queueing. */
  readonly queuedAt: Millis;
  /** Not claimable before; store clock. */
  readonly readyAt: Millis;
  /** Store time of the last claim, strictly growing per record: the fence number handed to handlers. */
  readonly startedAt: Millis | null;
  readonly finishedAt: Millis | null;
  readonly cancelRequestedAt: Millis | null;
  readonly reason: EndReason | null;
  /** Null: nothing was returned. */
  readonly result: JsonText | null;
  readonly error: TaskFailure | null;
  readonly progress: TaskProgress | null;
  readonly logs: readonly LogLine[];

  // Written only by claim and renew; never part of a decision.
  readonly leaseUntil: Millis | null;
  /** Display only; never in a guard. */
  readonly workerId: string | null;
}

/**
 * A record on its way in. Its times are the store's business: a store stamps it with `stamped(draft, now)` of
 * `lifecycle.ts`, or with the same arithmetic in its own language, so that no producer's clock decides anything.
 */
export interface Draft {
  /** Complete but for time: `createdAt`, `queuedAt` and `readyAt` are 0; `expiresAt` is null. */
  readonly record: TaskRecord;
  /** Ready at this instant of the store's clock; null: `readyIn` counts. */
  readonly runAt: Millis | null;
  /** Ready so long after the insert. */
  readonly readyIn: Millis;
  readonly expiresAt: Millis | null;
  /** Expires so long after it becomes ready; null: `expiresAt` counts. */
  readonly expiresIn: Millis | null;
}

/** The six statuses a user sees. */
export type TaskStatus = "pending" | "scheduled" | "running" | "completed" | "failed" | "cancelled";

/** Counts per status, and their sum: always these seven keys. */
export interface StatusCounts {
  readonly pending: number;
  readonly scheduled: number;
  readonly running: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly total: number;
}

export const TERMINAL_STATES: readonly RecordState[] = ["completed", "failed", "cancelled"];

/** Whether nothing but a revival or retention can change the record any more. */
export function isTerminal(record: Pick<TaskRecord, "state">): boolean {
  return record.state === "completed" || record.state === "failed" || record.state === "cancelled";
}

/** The status a user sees of a record at store time `now`. */
export function statusOf(record: Pick<TaskRecord, "state" | "readyAt">, now: Millis): TaskStatus {
  if (record.state === "dispatched") return "running";
  if (record.state === "pending" && record.readyAt > now) return "scheduled";
  return record.state;
}
