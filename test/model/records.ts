/** Records for the model's tests, and every way to call each verb. */
import {
  type CancelFacts,
  cancelled,
  claimed,
  completed,
  dispatched,
  enqueued,
  expired,
  failed,
  lapsed,
  noted,
  released,
  revived,
  stamped,
  type Verb,
} from "../../src/model/lifecycle.ts";
import type { RecordState, TaskFailure, TaskPolicy, TaskRecord } from "../../src/model/record.ts";

export const NOW = 1_800_000_000_000;

export const POLICY: TaskPolicy = {
  retries: 1,
  backoff: { kind: "fixed", delay: 1_000, factor: 1, maxDelay: 1_000, jitter: 0 },
  timeout: null,
  requeueOnShutdown: true,
};

export const FAILURE: TaskFailure = { name: "Error", message: "no", stack: null, code: null, attempt: 1, at: NOW };

export const STATES: readonly RecordState[] = ["pending", "dispatched", "running", "completed", "failed", "cancelled"];

/** A pending record, and what else is given; every level of it is frozen, as a pure function must not mind. */
export function recordOf(more: Partial<TaskRecord> = {}): TaskRecord {
  const { record } = enqueued({
    id: "0192d3a4-b5c6-7000-8000-000000000001",
    taskName: "mail.send",
    queue: "default",
    execution: "local",
    priority: 0,
    input: "1",
    policy: POLICY,
    key: "k",
  });
  const pending = stamped({ record, runAt: null, readyIn: 0, expiresAt: null, expiresIn: null }, NOW - 1_000);
  return frozen({ ...pending, ...more });
}

/** A record as it may look in this state. */
export function recordIn(state: RecordState, more: Partial<TaskRecord> = {}): TaskRecord {
  const owned = state === "running" || state === "dispatched";
  const over = state === "completed" || state === "failed" || state === "cancelled";
  return recordOf({
    state,
    version: 7,
    claim: "a".repeat(32),
    attempt: 2,
    failures: state === "pending" ? 1 : 0,
    startedAt: NOW - 500,
    leaseUntil: owned ? NOW + 500 : null,
    workerId: owned ? "worker-1" : null,
    finishedAt: over ? NOW - 10 : null,
    ...(over ? { key: null } : {}),
    ...more,
  });
}

export interface Call {
  readonly verb: Exclude<Verb, "enqueued">;
  readonly how: string;
  readonly run: (record: TaskRecord) => TaskRecord;
}

const claimFacts = { now: NOW, token: "b".repeat(32), lease: 30_000, workerId: "worker-2" };
const call = (verb: Call["verb"], how: string, run: Call["run"]): Call => ({ verb, how, run });

/** Every verb with every kind of fact that leads somewhere else. */
export const CALLS: readonly Call[] = [
  call("claimed", "", (r) => claimed(r, claimFacts)),
  call("dispatched", "", (r) => dispatched(r, { ...claimFacts, ref: "job-1" })),
  call("completed", "", (r) => completed(r, { now: NOW, result: "2" })),
  call("failed", "retryable", (r) => failed(r, { now: NOW, error: FAILURE, retryable: true, retryIn: 250 })),
  call("failed", "for good", (r) => failed(r, { now: NOW, error: FAILURE, retryable: false, retryIn: 250 })),
  call("released", "unstarted", (r) => released(r, { now: NOW, because: "unstarted" })),
  call("released", "shutdown", (r) => released(r, { now: NOW, because: "shutdown" })),
  call("released", "snooze", (r) => released(r, { now: NOW, because: "snooze", readyIn: 60_000 })),
  call("lapsed", "", (r) => lapsed(r, { now: NOW, retryIn: 250 })),
  ...(["request", "acknowledge", "force"] satisfies CancelFacts["by"][]).map((by) =>
    call("cancelled", by, (r) => cancelled(r, { now: NOW, reason: "enough", by })),
  ),
  call("expired", "", (r) => expired(r, { now: NOW })),
  call("revived", "", (r) => revived(r, { now: NOW })),
  call("noted", "", (r) => noted(r, { begun: true })),
];

function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    for (const part of Object.values(value)) frozen(part);
    Object.freeze(value);
  }
  return value;
}
