/**
 * What a worker says of itself, as text in the store: written by `describeWorker`, read by `workerOf`, which believes
 * nothing: the note may be another version's, damaged, or somebody's joke.
 */
import type { Hold } from "../contracts/queue-backend.ts";
import type { JsonText, Millis } from "../model/record.ts";
import type { Attempt } from "./attempt.ts";
import { clean } from "./failure.ts";
import type { RunningTask, WorkerInfo } from "./operators.ts";
import { PRESENCE_LEASE, PRESENCES } from "./presence.ts";
import { instantOf } from "./wording.ts";

/** Where a worker runs. */
export interface WorkerPlace {
  readonly host: string;
  readonly pid: number;
  /** Version of Node. */
  readonly node: string;
  /** Version of this package; null where it cannot be told. */
  readonly version: string | null;
}

/** What a worker knows of itself. */
export interface WorkerFacts {
  readonly place: WorkerPlace | null;
  readonly state: "running" | "stopping";
  readonly ready: boolean;
  readonly startedAt: Millis;
  readonly queues: readonly string[];
  readonly concurrency: number;
  readonly full: readonly string[];
  readonly tasks: readonly string[];
  readonly executions: readonly string[];
  readonly running: readonly Attempt[];
  readonly isStuck: (attempt: Attempt) => boolean;
  readonly claimed: number;
}

/** Without a heartbeat for so long a worker counts as gone. */
const ALIVE: Millis = 15_000;
const MOST = { queues: 200, tasks: 500, running: 100 } as const;
const LENGTH = 200;
const LONGEST: Millis = 3_600_000;

/** The description as stored; bounded, whatever the worker does. */
export function describeWorker(facts: WorkerFacts): JsonText {
  const { place, running, tasks, isStuck, ...rest } = facts;
  const told = running.slice(0, MOST.running).map((attempt) => ({
    ...{ id: attempt.id, task: attempt.taskName, queue: attempt.queue },
    ...{ startedAt: attempt.record.startedAt, stuck: isStuck(attempt) },
  }));
  return JSON.stringify({
    ...place,
    ...rest,
    queues: rest.queues.slice(0, MOST.queues),
    full: rest.full.slice(0, MOST.queues),
    tasks: tasks.slice(0, MOST.tasks),
    taskCount: tasks.length,
    running: told,
    runningCount: running.length,
    lease: PRESENCE_LEASE,
  });
}

/** The worker that a presence tells of, at store time `now`. */
export function workerOf(hold: Hold, now: Millis): WorkerInfo {
  const note = noteOf(hold);
  const from = note ?? {};
  const tasks = texts(from["tasks"], MOST.tasks);
  const running = list(from["running"], MOST.running).flatMap(runningOf);
  const lease = number(from["lease"]);
  const heartbeatAt = (hold.until ?? now) - (lease !== null && lease > 0 && lease <= LONGEST ? lease : PRESENCE_LEASE);
  const heartbeatAge = Math.max(0, now - heartbeatAt);
  const { state } = from;
  return {
    id: hold.name.slice(PRESENCES.length),
    readable: note !== null,
    host: text(from["host"]),
    pid: number(from["pid"]),
    version: text(from["version"]),
    node: text(from["node"]),
    startedAt: instantOf(from["startedAt"]),
    state: state === "running" || state === "stopping" ? state : null,
    ready: from["ready"] === true,
    queues: texts(from["queues"], MOST.queues),
    concurrency: number(from["concurrency"]),
    full: texts(from["full"], MOST.queues),
    tasks,
    taskCount: Math.max(tasks.length, number(from["taskCount"]) ?? 0),
    executions: texts(from["executions"], MOST.queues),
    running,
    runningCount: Math.max(running.length, number(from["runningCount"]) ?? 0),
    claimed: number(from["claimed"]) ?? 0,
    heartbeatAt,
    heartbeatAge,
    alive: heartbeatAge < ALIVE,
  };
}

type Note = Readonly<Record<string, unknown>>;

/** The note as an object; null where it is none, or not a worker's. */
function noteOf({ note }: Hold): Note | null {
  try {
    const value: unknown = JSON.parse(note ?? "null");
    if (typeof value !== "object" || value === null) return null;
    const { tasks, queues, executions } = value as Note;
    return [tasks, queues, executions].every(Array.isArray) ? (value as Note) : null;
  } catch {
    return null;
  }
}

function runningOf(value: unknown): RunningTask[] {
  if (typeof value !== "object" || value === null) return [];
  const { id, task, queue, startedAt, stuck } = value as Note;
  const names = [text(id), text(task), text(queue)];
  if (names.includes(null)) return [];
  const [own, name, from] = names as [string, string, string];
  return [{ id: own, task: name, queue: from, startedAt: instantOf(startedAt), stuck: stuck === true }];
}

function list(value: unknown, most: number): readonly unknown[] {
  return Array.isArray(value) ? value.slice(0, most) : [];
}

function texts(value: unknown, most: number): readonly string[] {
  return list(value, most).flatMap((item) => (typeof item === "string" ? [clean(item, LENGTH)] : []));
}

function text(value: unknown): string | null {
  return typeof value === "string" ? clean(value, LENGTH) : null;
}

function number(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}
