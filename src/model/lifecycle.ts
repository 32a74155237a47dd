/**
 * The lifecycle, once: every verb is a pure function from a record and facts to the complete next record.
 * A backend never decides; it replaces a record if version and claim are still those the decision was made from.
 */
import { SiderealError } from "./errors.ts";
import type {
  Draft,
  EndReason,
  JsonText,
  LogLine,
  Millis,
  Origin,
  RecordState,
  TaskFailure,
  TaskPolicy,
  TaskProgress,
  TaskRecord,
} from "./record.ts";

/** The budgets that are not `policy.retries`: how often each kind of return to the queue may happen to one record. */
export const LIMITS = { losses: 3, interruptions: 100, snoozes: 100_000 } as const;

/** Past its timeout an attempt keeps its lease this long at most, so that its worker can still report the failure. */
export const DEADLINE_GRACE: Millis = 15_000;

/** What is kept of a handler's log: lines, and characters of all lines together. */
export const LOG_LIMITS = { lines: 50, characters: 65_536 } as const;

export type Verb =
  | "enqueued"
  | "claimed"
  | "dispatched"
  | "completed"
  | "failed"
  | "released"
  | "lapsed"
  | "cancelled"
  | "expired"
  | "revived"
  | "noted";

export interface Transition {
  readonly verb: Verb;
  /** Null: there is no record yet. */
  readonly from: RecordState | null;
  readonly to: RecordState;
  readonly who: "producer" | "worker" | "dispatcher" | "owner" | "reaper" | "sweep" | "operator";
  readonly when: string;
}

/** Every legal transition and no other; the documentation's diagram and the property tests read this table. */
export const TRANSITIONS: readonly Transition[] = [
  { verb: "enqueued", from: null, to: "pending", who: "producer", when: "id and key are free" },
  { verb: "claimed", from: "pending", to: "running", who: "worker", when: "ready, not expired, queue has room" },
  { verb: "claimed", from: "dispatched", to: "running", who: "worker", when: "the ticket's claim is the current one" },
  { verb: "dispatched", from: "pending", to: "dispatched", who: "dispatcher", when: "as claimed" },
  { verb: "completed", from: "running", to: "completed", who: "owner", when: "the handler returned" },
  { verb: "failed", from: "running", to: "pending", who: "owner", when: "a retry is left and the error allows one" },
  { verb: "failed", from: "running", to: "failed", who: "owner", when: "no retry is left, or the error forbids one" },
  { verb: "failed", from: "running", to: "cancelled", who: "owner", when: "a cancel was requested meanwhile" },
  { verb: "released", from: "running", to: "pending", who: "owner", when: "shutdown, snooze, or never begun" },
  { verb: "released", from: "running", to: "failed", who: "owner", when: "the budget of such returns is spent" },
  { verb: "released", from: "running", to: "cancelled", who: "owner", when: "a cancel was requested meanwhile" },
  { verb: "lapsed", from: "running", to: "pending", who: "reaper", when: "the lease is over" },
  { verb: "lapsed", from: "running", to: "failed", who: "reaper", when: "the lease is over for the third time" },
  {
    verb: "lapsed",
    from: "running",
    to: "cancelled",
    who: "reaper",
    when: "the lease is over and a cancel was requested",
  },
  { verb: "lapsed", from: "dispatched", to: "pending", who: "reaper", when: "the dispatch lease is over" },
  { verb: "cancelled", from: "pending", to: "cancelled", who: "operator", when: "at once" },
  { verb: "cancelled", from: "dispatched", to: "cancelled", who: "operator", when: "at once" },
  { verb: "cancelled", from: "running", to: "running", who: "operator", when: "the request is noted for the owner" },
  { verb: "cancelled", from: "running", to: "cancelled", who: "owner", when: "acknowledged, or forced by an operator" },
  { verb: "expired", from: "pending", to: "cancelled", who: "sweep", when: "its deadline to start has passed" },
  { verb: "revived", from: "failed", to: "pending", who: "operator", when: "on request" },
  { verb: "revived", from: "cancelled", to: "pending", who: "operator", when: "on request" },
  {
    verb: "noted",
    from: "running",
    to: "running",
    who: "owner",
    when: "progress, a log line, or the start of a suspect",
  },
];

const TERMINAL = { key: null, ref: null, leaseUntil: null } as const;
const IDLE = { begun: false, ref: null, leaseUntil: null, workerId: null } as const;

/** Facts that make a record: everything the caller decided, nothing that the store decides. */
export interface EnqueueFacts {
  readonly id: string;
  readonly taskName: string;
  readonly queue: string;
  readonly execution: string;
  readonly executionProfile?: string | null;
  readonly priority: number;
  readonly input: JsonText | null;
  readonly policy: TaskPolicy;
  readonly key?: string | null;
  readonly metadata?: JsonText | null;
  readonly tags?: readonly string[];
  readonly description?: string | null;
  readonly origin?: Origin | null;
  readonly runAt?: Millis | null;
  readonly readyIn?: Millis;
  readonly expiresAt?: Millis | null;
  readonly expiresIn?: Millis | null;
}

const NO_TAGS: readonly string[] = [];
const NO_LOGS: readonly LogLine[] = [];

/** A new record, complete but for the times that the store stamps. */
export function enqueued(facts: EnqueueFacts): Draft {
  return {
    record: {
      id: facts.id,
      taskName: facts.taskName,
      queue: facts.queue,
      execution: facts.execution,
      executionProfile: facts.executionProfile ?? null,
      priority: facts.priority,
      input: facts.input,
      policy: facts.policy,
      createdAt: 0,
      expiresAt: null,
      metadata: facts.metadata ?? null,
      tags: facts.tags ?? NO_TAGS,
      description: facts.description ?? null,
      origin: facts.origin ?? null,
      state: "pending",
      version: 1,
      claim: null,
      attempt: 0,
      failures: 0,
      losses: 0,
      interruptions: 0,
      snoozes: 0,
      revivals: 0,
      begun: false,
      key: facts.key ?? null,
      ref: null,
      queuedAt: 0,
      readyAt: 0,
      startedAt: null,
      finishedAt: null,
      cancelRequestedAt: null,
      reason: null,
      result: null,
      error: null,
      progress: null,
      logs: NO_LOGS,
      leaseUntil: null,
      workerId: null,
    },
    runAt: facts.runAt ?? null,
    readyIn: facts.readyIn ?? 0,
    expiresAt: facts.expiresAt ?? null,
    expiresIn: facts.expiresIn ?? null,
  };
}

/** The draft as stored at store time `now`: the one piece of arithmetic that a store does on a new record. */
export function stamped(draft: Draft, now: Millis): TaskRecord {
  const readyAt = draft.runAt ?? now + draft.readyIn;
  const expiresAt = draft.expiresIn === null ? draft.expiresAt : Math.max(readyAt, now) + draft.expiresIn;
  return { ...draft.record, createdAt: now, queuedAt: now, readyAt, expiresAt };
}

/** Facts of a claim; `now` is the store's clock. */
export interface ClaimFacts {
  readonly now: Millis;
  readonly token: string;
  readonly lease: Millis;
  readonly workerId: string;
}

/** An attempt begins: the record belongs to `token` until its lease is over and a reaper takes it. */
export function claimed(record: TaskRecord, facts: ClaimFacts): TaskRecord {
  legal("claimed", record, "pending", "dispatched");
  const startedAt = Math.max(facts.now, (record.startedAt ?? 0) + 1);
  return {
    ...record,
    state: "running",
    version: record.version + 1,
    claim: facts.token,
    attempt: record.attempt + 1,
    startedAt,
    leaseUntil: leaseEnd({ policy: record.policy, startedAt }, facts.now, facts.lease),
    workerId: facts.workerId,
  };
}

/** A ticket is about to leave for a remote executor. */
export function dispatched(record: TaskRecord, facts: ClaimFacts & { readonly ref?: string | null }): TaskRecord {
  legal("dispatched", record, "pending");
  return {
    ...record,
    state: "dispatched",
    version: record.version + 1,
    claim: facts.token,
    ref: facts.ref ?? null,
    leaseUntil: facts.now + facts.lease,
    workerId: facts.workerId,
  };
}

/** The end of a lease granted at `now`: never past the attempt's hard end. */
export function leaseEnd(record: Pick<TaskRecord, "policy" | "startedAt">, now: Millis, lease: Millis): Millis {
  const { timeout } = record.policy;
  if (timeout === null || record.startedAt === null) return now + lease;
  return Math.min(now + lease, record.startedAt + timeout + DEADLINE_GRACE);
}

/** @param facts.note - What the owner has noted and not yet written: it goes in with the completion. */
export function completed(
  record: TaskRecord,
  facts: { readonly now: Millis; readonly result: JsonText | null; readonly note?: Note | null },
): TaskRecord {
  legal("completed", record, "running");
  const last = facts.note ? { ...noted(record, facts.note), version: record.version } : record;
  return {
    ...last,
    // As TERMINAL; the commonest verb is spared a second spread.
    key: null,
    ref: null,
    leaseUntil: null,
    state: "completed",
    version: record.version + 1,
    result: facts.result,
    error: null,
    reason: null,
    finishedAt: facts.now,
  };
}

export interface FailFacts {
  readonly now: Millis;
  readonly error: TaskFailure;
  /** False: fail for good whatever the budget says. */
  readonly retryable: boolean;
  /** Delay before the next attempt, should there be one. */
  readonly retryIn: Millis;
  /** Why it ends if it ends; default `error`. */
  readonly reason?: EndReason;
}

/** The attempt failed: back to the queue while `policy.retries` lasts, else the end. */
export function failed(record: TaskRecord, facts: FailFacts): TaskRecord {
  legal("failed", record, "running");
  const failures = record.failures + 1;
  const next = { ...record, failures, error: facts.error };
  if (record.cancelRequestedAt !== null) return ended(next, "cancelled", facts.now, record.reason);
  if (facts.retryable && failures <= record.policy.retries) return requeued(next, facts.now, facts.now + facts.retryIn);
  return ended(next, "failed", facts.now, facts.reason ?? "error");
}

export type Release = "shutdown" | "snooze" | "unstarted";

/** The attempt is given back without an error; which of the budgets it counts against is `because`. */
export function released(
  record: TaskRecord,
  facts: { readonly now: Millis; readonly because: Release; readonly readyIn?: Millis },
): TaskRecord {
  legal("released", record, "running");
  const attempt = record.attempt - (facts.because === "unstarted" ? 1 : 0);
  if (record.cancelRequestedAt !== null) return ended({ ...record, attempt }, "cancelled", facts.now, record.reason);
  if (facts.because === "unstarted") return { ...requeued(record, record.queuedAt, record.readyAt), attempt };
  const shutdown = facts.because === "shutdown";
  const interruptions = record.interruptions + (shutdown ? 1 : 0);
  const snoozes = record.snoozes + (shutdown ? 0 : 1);
  const next = { ...record, interruptions, snoozes };
  if (interruptions > LIMITS.interruptions) return ended(next, "failed", facts.now, "interrupted");
  if (snoozes > LIMITS.snoozes) return ended(next, "failed", facts.now, "snoozed");
  return requeued(next, facts.now, facts.now + (facts.readyIn ?? 0));
}

/** The owner is gone: its lease is over. A second and later loss counts only if the attempt is known to have begun. */
export function lapsed(record: TaskRecord, facts: { readonly now: Millis; readonly retryIn: Millis }): TaskRecord {
  legal("lapsed", record, "running", "dispatched");
  if (record.state === "dispatched") return requeued(record, facts.now, facts.now + facts.retryIn);
  const losses = record.losses + (record.losses === 0 || record.begun ? 1 : 0);
  const next = { ...record, losses };
  if (record.cancelRequestedAt !== null) return ended(next, "cancelled", facts.now, record.reason);
  if (losses >= LIMITS.losses) return ended(next, "failed", facts.now, "poison");
  return requeued(next, facts.now, facts.now + facts.retryIn);
}

export interface CancelFacts {
  readonly now: Millis;
  readonly reason: string | null;
  /** `request`: anybody allowed, cooperative. `acknowledge`: the owner. `force`: an operator; the owner becomes stale. */
  readonly by: "request" | "acknowledge" | "force";
}

export function cancelled(record: TaskRecord, facts: CancelFacts): TaskRecord {
  legal("cancelled", record, "pending", "dispatched", "running");
  const reason = facts.reason ?? record.reason;
  if (record.state !== "running" || facts.by !== "request") return ended(record, "cancelled", facts.now, reason);
  const cancelRequestedAt = record.cancelRequestedAt ?? facts.now;
  return { ...record, version: record.version + 1, cancelRequestedAt, reason };
}

/** Its deadline to start has passed. */
export function expired(record: TaskRecord, facts: { readonly now: Millis }): TaskRecord {
  legal("expired", record, "pending");
  return ended(record, "cancelled", facts.now, "expired");
}

/**
 * A failed or cancelled record starts over with fresh budgets; its uniqueness key stays free. What it has been through
 * stays with it: its attempts, its last error, its log, and how often it was brought back.
 */
export function revived(record: TaskRecord, facts: { readonly now: Millis }): TaskRecord {
  legal("revived", record, "failed", "cancelled");
  return {
    ...requeued(record, facts.now, facts.now),
    failures: 0,
    losses: 0,
    interruptions: 0,
    snoozes: 0,
    revivals: record.revivals + 1,
    expiresAt: null,
    finishedAt: null,
    cancelRequestedAt: null,
    reason: null,
  };
}

/** What an owner may note on its running record. */
export interface Note {
  readonly progress?: TaskProgress;
  readonly lines?: readonly LogLine[];
  readonly begun?: true;
}

export function noted(record: TaskRecord, note: Note): TaskRecord {
  legal("noted", record, "running");
  return {
    ...record,
    version: record.version + 1,
    progress: note.progress ?? record.progress,
    logs: note.lines === undefined ? record.logs : boundedLog([...record.logs, ...note.lines]),
    begun: note.begun ?? record.begun,
  };
}

/** Whether the record has passed its deadline to start at store time `now`. */
export function isExpired(record: Pick<TaskRecord, "state" | "expiresAt">, now: Millis): boolean {
  return record.state === "pending" && record.expiresAt !== null && record.expiresAt <= now;
}

/** Whether `claim` owns the record: what an owner must check before it decides. */
export function isOwned(record: Pick<TaskRecord, "state" | "claim">, claim: string): boolean {
  return record.state === "running" && record.claim === claim;
}

function requeued(record: TaskRecord, queuedAt: Millis, readyAt: Millis): TaskRecord {
  return { ...record, ...IDLE, state: "pending", version: record.version + 1, queuedAt, readyAt };
}

function ended(record: TaskRecord, state: "failed" | "cancelled", now: Millis, reason: EndReason | null): TaskRecord {
  return { ...record, ...TERMINAL, state, version: record.version + 1, finishedAt: now, reason };
}

function boundedLog(lines: readonly LogLine[]): readonly LogLine[] {
  let characters = 0;
  let first = lines.length;
  while (first > 0 && lines.length - first < LOG_LIMITS.lines) {
    characters += (lines[first - 1] as LogLine).message.length;
    if (characters > LOG_LIMITS.characters) break;
    first -= 1;
  }
  return first === 0 ? lines : lines.slice(first);
}

function legal(verb: Verb, record: TaskRecord, ...from: readonly RecordState[]): void {
  if (from.includes(record.state)) return;
  throw new SiderealError(
    "ILLEGAL_TRANSITION",
    `${verb}: task ${record.id} is ${record.state}, not ${from.join(" or ")}`,
  );
}
