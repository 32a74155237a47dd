/** Why a pending record does not run: what holds it back itself, then what its workers lack. Pure. */
import { formatAge } from "../model/duration.ts";
import { isExpired } from "../model/lifecycle.ts";
import type { Facts } from "./facts.ts";
import type { Cause, WorkerInfo } from "./operators.ts";
import { cause, errorText, named, when } from "./wording.ts";

/** The causes of a wait; at least one. */
export function waitingCauses(facts: Facts): readonly Cause[] {
  const { record, now } = facts;
  if (isExpired(record, now)) return [deadlinePassed(facts)];
  const own = [paused(facts), record.readyAt > now ? notReady(facts) : null].filter((found) => found !== null);
  const due = own.length === 0;
  const causes = [...own, ...workerCauses(facts, due)];
  if (record.expiresAt !== null && causes.length > 0) {
    const at = when(record.expiresAt, now);
    const sentence = `If it has not started by ${at}, it will be cancelled as expired.`;
    causes.push(cause("expires", sentence, "Mend what is named above before that, if the record matters."));
  }
  return causes;
}

function deadlinePassed({ record, now, workers }: Facts): Cause {
  const alive = workers.some((worker) => worker.alive);
  const next = alive ? "a live worker is about to cancel it" : "the next worker that starts will cancel it";
  return cause(
    "deadline-passed",
    `It had to start by ${when(record.expiresAt as number, now)} and did not: ${next} as expired.`,
    "Enqueue it again with a later deadline, if it is still wanted.",
  );
}

function paused({ record, now, pause }: Facts): Cause | null {
  if (pause === null) return null;
  const since = pause.at === null ? "" : ` since ${when(pause.at, now)}`;
  const why = pause.reason === null ? "" : `: ${errorText(pause.reason)}`;
  return cause(
    "queue-paused",
    `Queue ${record.queue} is paused${since}${why}.`,
    `Let workers claim from it again: \`sidereal queues resume ${record.queue}\`.`,
  );
}

function notReady({ record, now }: Facts): Cause {
  const { attempt, error, failures, policy, losses, snoozes, readyAt } = record;
  const at = when(readyAt, now);
  if (attempt === 0) {
    return cause("not-due", `It is scheduled for ${at}.`, "Wait until then, or enqueue it again without a delay.");
  }
  if (failures > 0 && error?.attempt === attempt) {
    const what = errorText(`${error.name}: ${error.message}`);
    return cause(
      "retry-wait",
      `Attempt ${attempt} failed with ${what}; it is tried again at ${at}, retry ${failures} of ${policy.retries}.`,
      "Wait, or mend the cause of the error before then.",
    );
  }
  if (losses > 0 && snoozes === 0) {
    const sentence = `The worker of attempt ${attempt} was lost; it is tried again at ${at}.`;
    return cause("retry-wait", sentence, "Wait; if workers are lost often, look for what kills them.");
  }
  return cause("snoozed", `Attempt ${attempt} put it off until ${at}.`, "Wait until then; its handler chose the time.");
}

const START = "Start a worker: `sidereal run`, or let the application run one (inAppWorker).";

/** What its workers lack; where the record is due, also why those that could take it have not yet. */
function workerCauses(facts: Facts, due: boolean): readonly Cause[] {
  const { record, workers } = facts;
  const alive = workers.filter((worker) => worker.alive);
  if (workers.length === 0) {
    return [cause("no-worker", "No worker is running: none was heard of in the last minute.", START)];
  }
  if (alive.length === 0) {
    const last = workers.reduce((a, b) => (a.heartbeatAge <= b.heartbeatAge ? a : b));
    const sentence = `No worker is alive: ${last.id} was last heard of ${formatAge(last.heartbeatAge)} ago.`;
    return [cause("worker-not-responding", sentence, `Look whether its process still lives. ${START}`)];
  }
  const fit = alive.filter((worker) => runsIt(worker, facts) && claimsFrom(worker, facts) && knows(worker, facts));
  if (fit.length === 0) return [unfit(facts, alive)];
  const going = fit.filter(({ state }) => state !== "stopping");
  if (going.length === 0) {
    const sentence = `Every worker that could run it is stopping: ${named(fit.map(({ id }) => id))}.`;
    return [cause("worker-stopping", sentence, START)];
  }
  const ready = going.filter((worker) => worker.ready || !worker.readable);
  if (ready.length === 0) {
    const sentence = `No worker that could run it gets answers from the store: ${named(going.map(({ id }) => id))}.`;
    return [
      cause("worker-not-ready", sentence, "Look for store errors in the workers' logs, and at the store itself."),
    ];
  }
  if (!due) return [];
  const others = ahead(facts);
  const full = fullCause(record.queue, ready);
  if (full !== null) return others === null ? [full] : [full, others];
  return [others ?? soon(ready)];
}

const runsIt = (worker: WorkerInfo, { record }: Facts): boolean =>
  !worker.readable || worker.executions.includes(record.execution);

const claimsFrom = (worker: WorkerInfo, { record }: Facts): boolean =>
  worker.queues.length === 0 || worker.queues.includes(record.queue);

/** A worker that knows more tasks than it told of may know this one. */
const knows = (worker: WorkerInfo, { record }: Facts): boolean =>
  !worker.readable || worker.tasks.includes(record.taskName) || worker.taskCount > worker.tasks.length;

/** Why none of the live workers would ever take it. */
function unfit(facts: Facts, alive: readonly WorkerInfo[]): Cause {
  const { taskName, queue, execution } = facts.record;
  const ids = named(alive.map(({ id }) => id));
  if (!alive.some((worker) => runsIt(worker, facts))) {
    const sentence = `No live worker runs records of the execution backend ${execution}; alive are ${ids}.`;
    const advice =
      execution === "immediate"
        ? "The process that enqueued it was to run it and has ended: cancel it, and enqueue it again."
        : "Configure a worker for that execution backend, or enqueue it again with another.";
    return cause("execution-not-served", sentence, advice);
  }
  if (!alive.some((worker) => claimsFrom(worker, facts))) {
    const served = alive.map(({ id, queues }) => `${id} (${named(queues)})`);
    const sentence = `No live worker claims from queue ${queue}; alive are ${named(served)}.`;
    return cause("queue-not-served", sentence, `Start a worker for it: \`sidereal run --queue ${queue}\`.`);
  }
  if (!alive.some((worker) => knows(worker, facts))) {
    const sentence = `No live worker knows the task ${taskName}; alive are ${ids}.`;
    const advice = "Import the module that defines it where the worker runs, or list it in taskModules; then restart.";
    return cause("task-not-known", sentence, advice);
  }
  return cause(
    "not-served",
    `Live workers claim from queue ${queue}, and some know the task ${taskName}, but none does both; alive are ${ids}.`,
    `Let a worker that knows the task claim from queue ${queue} too.`,
  );
}

/** Why no worker that could run it has room; null where one has. */
function fullCause(queue: string, ready: readonly WorkerInfo[]): Cause | null {
  const capped = ready.filter((worker) => worker.full.includes(queue));
  if (capped.length === ready.length) {
    const sentence = `The cap of queue ${queue} is reached on every worker that could run it: ${named(capped.map(({ id }) => id))}.`;
    const advice = `Wait for a running task to end, raise worker.queueConcurrency.${queue}, or add workers.`;
    return cause("queue-cap-reached", sentence, advice);
  }
  const slots = ready.filter((worker) => !capped.includes(worker));
  if (slots.some(({ runningCount, concurrency }) => concurrency === null || runningCount < concurrency)) return null;
  const running = slots.reduce((sum, { runningCount }) => sum + runningCount, 0);
  const all = slots.reduce((sum, { concurrency }) => sum + (concurrency ?? 0), 0);
  const stuck = slots.flatMap((worker) => worker.running).filter((run) => run.stuck).length;
  const held = stuck === 0 ? "" : `; ${stuck} ignore their signal`;
  return cause(
    "slots-taken",
    `All slots of the workers that could run it are taken: ${running} of ${all}, by ${byTask(slots)}${held}.`,
    "Wait for a running task to end, raise worker.maxConcurrency, or add workers.",
  );
}

/** What runs, counted by task, the commonest first. */
function byTask(workers: readonly WorkerInfo[]): string {
  const counts = new Map<string, number>();
  for (const { task } of workers.flatMap(({ running }) => running)) counts.set(task, (counts.get(task) ?? 0) + 1);
  const sorted = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  return sorted.length === 0
    ? "tasks that were not told of"
    : named(sorted.map(([task, count]) => `${count} × ${task}`));
}

function ahead({ record, ready }: Facts): Cause | null {
  const others = ready - 1;
  if (others <= 0) return null;
  const sentence = `Up to ${others} other records are ready in queue ${record.queue}: larger priorities go first, then those that waited longer.`;
  return cause("others-ahead", sentence, "Wait, raise its priority when it is enqueued, or add workers.");
}

function soon(ready: readonly WorkerInfo[]): Cause {
  return cause(
    "about-to-start",
    `Nothing is in its way: ${named(ready.map(({ id }) => id))} should claim it at the next look.`,
    "Look again in a second; if it still waits, look at the log of that worker.",
  );
}
