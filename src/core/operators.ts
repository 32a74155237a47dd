/** The vocabulary of operators: what queues, workers and explanations look like. Only types; nothing here runs. */
import type { Millis, StatusCounts, TaskStatus } from "../model/record.ts";

/** That a queue is paused. */
export interface QueuePause {
  /** Since when, store time; null where the stored note is damaged. */
  readonly at: Millis | null;
  /** Why, in the words of whoever paused it. */
  readonly reason: string | null;
}

/** One queue, as it is now. */
export interface QueueInfo {
  readonly name: string;
  readonly counts: StatusCounts;
  /** Null: workers claim from it. */
  readonly paused: QueuePause | null;
  /** Store time at which the oldest waiting record became ready; null when none waits. */
  readonly oldestReadyAt: Millis | null;
  /** How long that record has been ready, by the store's clock; null when none waits. */
  readonly oldestAge: Millis | null;
  /** How many live workers claim from it. */
  readonly workers: number;
}

/** Queues, for operators. */
export interface Queues {
  /**
   * Stops every worker from claiming from a queue, in whichever process it is, within a second, and until `resume`; it
   * survives restarts. Running attempts go on; what was claimed ahead goes back. Enqueuing stays possible. A queue that
   * is paused already stays as it was. Tasks of the `immediate` execution backend run inside their enqueue all the same.
   * @param options.reason - For people; kept up to 1,000 characters.
   * @returns whether this call paused it
   * @throws NAME_INVALID, OPTION_INVALID, NOT_OPEN, STORE_…
   */
  pause(name: string, options?: { readonly reason?: string }): Promise<boolean>;
  /** Lets workers claim from a queue again, within a second. @returns whether it was paused @throws NAME_INVALID, NOT_OPEN, STORE_… */
  resume(name: string): Promise<boolean>;
  /** Every queue that holds records or is paused, by name. */
  list(): Promise<readonly QueueInfo[]>;
}

/** An attempt that a worker has told of. */
export interface RunningTask {
  readonly id: string;
  readonly task: string;
  readonly queue: string;
  /** Store time of its claim. */
  readonly startedAt: Millis | null;
  /** It ignores its signal. */
  readonly stuck: boolean;
}

/**
 * A worker as it last described itself: at most six seconds ago while it lives. A worker that vanished without a stop is
 * listed for a minute after its last heartbeat.
 */
export interface WorkerInfo {
  readonly id: string;
  /** Whether its description could be read; if not (damaged, or another version's), what it would say is null or empty. */
  readonly readable: boolean;
  readonly host: string | null;
  readonly pid: number | null;
  /** Version of this package. */
  readonly version: string | null;
  /** Version of Node. */
  readonly node: string | null;
  /** Store time. */
  readonly startedAt: Millis | null;
  readonly state: "running" | "stopping" | null;
  /** As `WorkerStatus.ready`. */
  readonly ready: boolean;
  /** The queues that it claims from; empty: every queue. At most 200 are told. */
  readonly queues: readonly string[];
  /** Attempts at once. */
  readonly concurrency: number | null;
  /** Queues whose own cap is reached. */
  readonly full: readonly string[];
  /** The tasks that it knows; at most 500 are told. */
  readonly tasks: readonly string[];
  /** How many tasks it knows. */
  readonly taskCount: number;
  /** The execution backends that it serves. */
  readonly executions: readonly string[];
  /** What runs, at most 100 of it. */
  readonly running: readonly RunningTask[];
  readonly runningCount: number;
  /** Claimed, waiting for a slot. */
  readonly claimed: number;
  /** Store time of its last heartbeat. */
  readonly heartbeatAt: Millis;
  /** Milliseconds since then, by the store's clock. */
  readonly heartbeatAge: Millis;
  /** Whether that is less than 15 s ago. */
  readonly alive: boolean;
}

/**
 * What stands between a record and its run, or what became of it. It waits: `queue-paused` to `about-to-start`. It runs,
 * or seems to: `running` to `lease-over`. It has ended: the rest.
 */
export type CauseCode =
  | "queue-paused"
  | "not-due"
  | "retry-wait"
  | "snoozed"
  | "deadline-passed"
  | "expires"
  | "no-worker"
  | "worker-not-responding"
  | "execution-not-served"
  | "queue-not-served"
  | "task-not-known"
  | "not-served"
  | "worker-stopping"
  | "worker-not-ready"
  | "queue-cap-reached"
  | "slots-taken"
  | "others-ahead"
  | "about-to-start"
  | "running"
  | "dispatched"
  | "cancel-requested"
  | "stuck"
  | "worker-lost"
  | "lease-over"
  | "completed"
  | "failed"
  | "cancelled"
  | "expired";

/** One cause: what is, and what to do about it. */
export interface Cause {
  readonly code: CauseCode;
  /** One sentence for people; it may hold names and error texts that others wrote. */
  readonly sentence: string;
  /** What to do, one sentence. */
  readonly advice: string;
}

/** Why a record is where it is. */
export interface Explanation {
  readonly id: string;
  readonly taskName: string;
  readonly queue: string;
  readonly status: TaskStatus;
  /** Store time at which this was found. */
  readonly at: Millis;
  /** At least one; the most decisive first. */
  readonly causes: readonly Cause[];
}
