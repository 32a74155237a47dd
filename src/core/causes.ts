/**
 * Why a record is where it is: a pure decision from gathered facts, one sentence and one piece of advice per cause, the
 * most decisive first. What has ended and what runs is told here; what waits, in `waiting-causes.ts`.
 */
import { formatAge } from "../model/duration.ts";
import type { Millis } from "../model/record.ts";
import type { Facts } from "./facts.ts";
import type { Cause, WorkerInfo } from "./operators.ts";
import { waitingCauses } from "./waiting-causes.ts";
import { cause, errorText, place, when } from "./wording.ts";

/** The causes; at least one. */
export function causesOf(facts: Facts): readonly Cause[] {
  switch (facts.record.state) {
    case "pending":
      return waitingCauses(facts);
    case "dispatched":
      return [dispatched(facts)];
    case "running":
      return runningCauses(facts);
    case "completed":
      return [completed(facts)];
    case "failed":
      return [failed(facts)];
    case "cancelled":
      return [cancelled(facts)];
  }
}

function dispatched({ record, now }: Facts): Cause {
  const until = record.leaseUntil === null ? "" : `, which has until ${when(record.leaseUntil, now)} to take it`;
  return cause(
    "dispatched",
    `It was handed to the execution backend ${record.execution}${until}.`,
    "Wait; if it is not taken by then, it goes back to the queue.",
  );
}

function runningCauses(facts: Facts): readonly Cause[] {
  const { record, now } = facts;
  const worker = facts.workers.find(({ id }) => id === record.workerId);
  const causes: Cause[] = [];
  const lost = lostOwner(facts, worker);
  if (lost !== null) causes.push(lost);
  if (worker?.running.some(({ id, stuck, startedAt }) => id === record.id && stuck && startedAt === record.startedAt)) {
    causes.push(
      cause(
        "stuck",
        `Its handler was asked to stop, ignores its signal, and keeps a slot of worker ${worker.id}.`,
        "Let the handler end when ctx.signal aborts; restarting that worker frees the slot.",
      ),
    );
  }
  if (record.cancelRequestedAt !== null) {
    const why = record.reason === null ? "" : ` (${errorText(record.reason)})`;
    causes.push(
      cause(
        "cancel-requested",
        `A cancel was requested ${ago(record.cancelRequestedAt, now)}${why}, and the handler has not ended yet.`,
        "Wait for the handler to end; it should listen to ctx.signal.",
      ),
    );
  }
  return [...causes, runs(facts, worker)];
}

function runs({ record, now }: Facts, worker: WorkerInfo | undefined): Cause {
  const { startedAt, leaseUntil, progress } = record;
  const workerId = ownerOf(record);
  const where =
    workerId === "inline" ? "inside the process that enqueued it" : `on worker ${worker ? place(worker) : workerId}`;
  const since = startedAt === null ? "" : `, since ${when(startedAt, now)}`;
  const lease = leaseUntil === null || leaseUntil <= now ? "" : `, its lease lasts ${formatAge(leaseUntil - now)} more`;
  const total = progress?.total == null ? "" : ` of ${progress.total}`;
  const far = progress === null ? "" : `; progress ${progress.current}${total}, ${ago(progress.at, now)}`;
  return cause(
    "running",
    `Attempt ${record.attempt} runs ${where}${since}${lease}${far}.`,
    "Wait for it; a cancel asks it to stop.",
  );
}

/** Whether its owner is gone, or seems so. */
function lostOwner({ record, now, workers }: Facts, worker: WorkerInfo | undefined): Cause | null {
  const { leaseUntil } = record;
  const workerId = ownerOf(record);
  const alive = workers.some((other) => other.alive);
  const start = "Start a worker: `sidereal run`; it takes lost records back.";
  if (leaseUntil !== null && leaseUntil < now) {
    const rescue = alive
      ? "a live worker puts it back into the queue, within seconds or, after a stall, within a lease"
      : "no live worker is there to put it back into the queue";
    return cause(
      "lease-over",
      `The lease of worker ${workerId} ended ${ago(leaseUntil, now)}; ${rescue}.`,
      alive ? "Wait; if it stays so, look for errors in the workers' logs." : start,
    );
  }
  if (worker?.alive === true || workerId === "inline") return null;
  const heard =
    worker === undefined ? "is not listed any more" : `was last heard of ${formatAge(worker.heartbeatAge)} ago`;
  const until = leaseUntil === null ? "its lease ends" : when(leaseUntil, now);
  return cause(
    "worker-lost",
    `Its worker ${workerId} ${heard}; unless it comes back, the record is taken back after ${until}.`,
    alive ? `Look whether the process of ${workerId} still lives; another worker takes over by itself.` : start,
  );
}

function completed({ record, now }: Facts): Cause {
  const { finishedAt, startedAt, attempt } = record;
  const took = finishedAt === null || startedAt === null ? "" : `, after ${formatAge(finishedAt - startedAt)}`;
  return cause(
    "completed",
    `It completed ${finishedAt === null ? "" : `at ${when(finishedAt, now)} `}in attempt ${attempt}${took}.`,
    "Nothing is to be done; enqueue it again to run it again.",
  );
}

/** The reasons that we give ourselves, beside the task's own error. */
const FAILURES: Readonly<Record<string, { readonly why: string; readonly advice: string }>> = {
  timeout: { why: "its last attempt ran over its timeout", advice: "Make it quicker or its timeout longer" },
  poison: {
    why: "the workers that ran it were lost too often",
    advice: "Look for what kills the worker, such as memory",
  },
  interrupted: { why: "shutdowns interrupted it too often", advice: "Give it longer to end, or make it shorter" },
  snoozed: { why: "it was snoozed too often", advice: "Snooze for longer, or enqueue a new record" },
  input: { why: "its stored input does not pass the task's validation", advice: "Enqueue it again with a valid input" },
  result: { why: "what it returned cannot be stored", advice: "Return plain JSON" },
};

function failed({ record, now }: Facts): Cause {
  const { reason, error, finishedAt, failures, policy } = record;
  const known = FAILURES[reason ?? ""];
  const spent = `${failures} of ${policy.retries + 1} attempts failed`;
  const why = known?.why ?? spent;
  const last = error === null ? "" : `; the last error was ${errorText(`${error.name}: ${error.message}`)}`;
  return cause(
    "failed",
    `It failed for good${finishedAt === null ? "" : ` at ${when(finishedAt, now)}`}: ${why}${last}.`,
    `${known?.advice ?? "Mend the cause of the error"}; reviving the record gives it a fresh start.`,
  );
}

function cancelled({ record, now }: Facts): Cause {
  const { reason, finishedAt, expiresAt } = record;
  const at = finishedAt === null ? "" : ` at ${when(finishedAt, now)}`;
  if (reason === "expired" && expiresAt !== null) {
    return cause(
      "expired",
      `It was not started before its deadline, ${when(expiresAt, now)}, and was cancelled.`,
      "Give it longer to start or add workers; reviving the record runs it without a deadline.",
    );
  }
  return cause(
    "cancelled",
    `It was cancelled${at}${reason === null ? "" : `: ${errorText(reason)}`}.`,
    "Revive it, or enqueue it again, if it is still wanted.",
  );
}

const ownerOf = ({ workerId }: Facts["record"]): string => workerId ?? "without a name";

const ago = (at: Millis, now: Millis): string => `${formatAge(Math.max(0, now - at))} ago`;
