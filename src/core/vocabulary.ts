/**
 * The vocabulary: what a task, its handler's context and the service are to their users. The types refer to each other,
 * so they stand together; nothing here runs.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Duration } from "../model/duration.ts";
import type { Json } from "../model/json.ts";
import type { Millis, StatusCounts, TaskPolicy, TaskRecord } from "../model/record.ts";
import type { Backoff, CustomBackoff } from "../model/retry.ts";
import type { ScheduleDefinition } from "../model/schedule.ts";
import type { Dependency } from "./dependency.ts";
import type { CancelOutcome, TaskHandle } from "./handle.ts";
import type { Explanation, Queues, WorkerInfo } from "./operators.ts";
import type {
  BulkCancelOptions,
  BulkOptions,
  BulkReport,
  FindOptions,
  FoundRecords,
  RecordFilter,
  ReviveOutcome,
  TaskSummary,
} from "./record-operations.ts";
import type {
  MaintainOptions,
  MaintenanceReport,
  SchedulerHealth,
  SchedulerHealthOptions,
  ServiceHealth,
} from "./reports.ts";
import type { ScheduleReport, Schedules } from "./schedule-types.ts";

/** The function that does the work. Whatever it returns must be JSON (undefined members are left out). */
export type TaskHandler<Input, Output> = (input: Input, context: TaskContext) => Output | Promise<Output>;

/** Defaults for every record of a task; an enqueue may override each of those it names too. */
export interface TaskOptions<Input = never> {
  /** Default `"default"`. */
  readonly queue?: string;
  /** Larger runs first; whole numbers, ±1,000. Default 0. */
  readonly priority?: number;
  /** Wait so long before the first attempt. Default 0. */
  readonly delay?: Duration;
  /** Cancel the record (reason `expired`) if it was not started so long after it became ready. Default: never. */
  readonly expiresIn?: Duration;
  /** Extra attempts after a failed first one, 0 to 1,000. Default 0. */
  readonly retries?: number;
  /** Default: exponential from 1 s, doubling up to 1 h, ±20 %. */
  readonly backoff?: Backoff;
  /** Longest run of one attempt; 1 ms at least. Default: unlimited. */
  readonly timeout?: Duration;
  /** At most one unfinished record under this key; a function derives it from the input. */
  readonly key?: string | ((input: Input) => string);
  /** Derives the key: one record per task, or per task and equal input. Not together with `key`. */
  readonly uniqueBy?: "task" | "input";
  /** How long the key is held: until the record is terminal (default), or forever (`resetKey` frees it). */
  readonly uniqueUntil?: "terminal" | "forever";
  /** Yours: a JSON object that we store and never read. */
  readonly metadata?: Readonly<Record<string, Json>>;
  /** Up to 20 words of up to 200 characters. */
  readonly tags?: readonly string[];
  /** For people, up to 1,000 characters. */
  readonly description?: string;
  /** Default: the configuration's. */
  readonly executionBackend?: string;
  readonly executionProfile?: string;
  /** Whether a shutdown hands a running attempt back to the queue (default true) or cancels it. */
  readonly requeueOnShutdown?: boolean;
  /**
   * Called with a record that failed for good because its workers were lost (reason `poison`), by the process that
   * noticed; at most once per failure, for up to 10 s. If that process dies between the failure and the call there is none.
   */
  readonly onStaleFailure?: (record: TaskRecord) => void | Promise<void>;
}

/** A registered task. `Input` is what `enqueue` takes, `Output` what `handle.result()` gives. */
export interface Task<Input = never, Output = unknown> {
  readonly name: string;
  readonly options: TaskOptions;
  /** Checked defaults. */
  readonly policy: TaskPolicy;
  readonly customBackoff: CustomBackoff | null;
  /** Validates inputs, at enqueue and again before the run. */
  readonly schema: StandardSchemaV1 | null;
  /** Derives the uniqueness key from an input; null where the options give none. */
  readonly keyOf: ((input: Input) => string) | null;
  /** The checked schedule of its definition; null where it has none. */
  readonly schedule: ScheduleDefinition | null;
  /** File and line that defined it, as far as the runtime tells. */
  readonly definedAt: string;
  /** Calls the handler directly, without queue or validation. */
  run(input: Input, context: TaskContext): Output | Promise<Output>;
}

/** One attempt, as its handler sees it. */
export interface TaskContext {
  /** The record's id; the same over all attempts. */
  readonly id: string;
  readonly taskName: string;
  readonly queue: string;
  /** 1 for the first attempt. */
  readonly attempt: number;
  /**
   * Aborts when the attempt should stop; `signal.reason` says why: ATTEMPT_TIMEOUT, TaskCancelledError, LEASE_UNCERTAIN,
   * LEASE_LOST or SHUTDOWN.
   */
  readonly signal: AbortSignal;
  /** Give it to services that take an idempotency key: the same over all attempts of this record. */
  readonly idempotencyKey: string;
  /** Names this very attempt. */
  readonly attemptKey: string;
  /** Grows with every attempt of the record: compare it where a resource can refuse an older writer. */
  readonly fence: number;
  /** The metadata given at enqueue. */
  readonly metadata: Readonly<Record<string, Json>>;
  readonly tags: readonly string[];
  /** The schedule whose tick this is; null for a record that was enqueued. */
  readonly schedule: string | null;
  /** The tick's nominal instant, whenever it really runs; null for a record that was enqueued. */
  readonly scheduledFor: Date | null;
  /** The service the record came from, for further work. */
  readonly service: QueueService<unknown>;
  /** A dependency of this attempt, as the configuration's provider or resolver gave it. @throws DEPENDENCY_UNKNOWN */
  use<Value>(dependency: Dependency<Value>): Value;
  /** Stores how far the work is; calls in quick succession are merged. Resolves once stored, or at once when the record is no longer ours. */
  progress(current: number, total?: number, message?: string): Promise<void>;
  /** Stores a line of text with the record (the last 50 lines, 8 KiB each); other values are shown as JSON. */
  log(...parts: readonly unknown[]): Promise<void>;
  /** Says that the attempt is alive, with a note of at most 256 characters that is stored beside the progress. */
  heartbeat(detail?: string): Promise<void>;
  /**
   * Opens a transaction on the store's own database and runs the body in it; what the body writes and the completion of this
   * record are committed together, or neither is. The task's result is what the body returns; what the handler does
   * afterwards changes nothing. Rolled back if the body rejects, if the attempt is asked to stop meanwhile, and if the
   * record is no longer ours.
   * @param body - Is given what the store's client calls a transaction: annotate it, `(tx: PoolClient) => …`.
   * @throws what the body throws; LEASE_LOST or the signal's reason; RESULT_NOT_JSON; ILLEGAL_TRANSITION when the record has
   * been completed so already; TRANSACTION_UNSUPPORTED if the store has none; STORE_… errors
   */
  transaction<Tx, Result>(body: (tx: Tx) => Promise<Result>): Promise<Result>;
  /**
   * Completes this record in a transaction of your own on the store's database; to be its last statement: commit at once. If it
   * does not commit, the attempt goes on as if this had not been called.
   * @param tx - Whatever `enqueue` takes as `tx`.
   * @throws as `transaction`; roll back then
   */
  completeIn(tx: unknown, result?: unknown): Promise<void>;
  /** Ends the attempt by throwing: the record goes back to the queue for this long and no retry is spent. */
  snooze(duration: Duration): never;
  /**
   * Throws LEASE_UNCERTAIN if, by this process' monotonic clock, another worker may own the record by now. It narrows
   * the window after a stall; only a fence at the resource closes it.
   */
  assertLease(): void;
}

/** Options of one enqueue; each overrides the task's own. */
export interface EnqueueOptions<Tx = never> extends Omit<TaskOptions, "key" | "onStaleFailure"> {
  /** Not before this instant of the store's clock: a Date, or milliseconds since the epoch. Not together with `delay`. */
  readonly runAt?: Date | Millis;
  /** Cancel the record (reason `expired`) if it was not started by then. Not together with `expiresIn`. */
  readonly expiresAt?: Date | Millis;
  /** At most one unfinished record under this key; 1 to 500 characters. */
  readonly key?: string;
  /** Your own open transaction: the record is written in it, and exists once it is committed. */
  readonly tx?: Tx;
}

/** The arguments after the task: the input may be left out where the task takes none. */
export type EnqueueArguments<Input, Tx> = [Input] extends [never]
  ? [input?: unknown, options?: EnqueueOptions<Tx>]
  : undefined extends Input
    ? [input?: Input, options?: EnqueueOptions<Tx>]
    : [Input] extends [void]
      ? [input?: undefined, options?: EnqueueOptions<Tx>]
      : [input: Input, options?: EnqueueOptions<Tx>];

/** The queue service: what producers and operators call. `Tx` is the type of a transaction that an enqueue may join. */
export interface QueueService<Tx = never> {
  /** Imports the modules named by `taskModules`, then opens the store, creating or upgrading its schema; idempotent. @throws TASK_MODULE_…, STORE_… */
  open(): Promise<this>;
  /** Waits for enqueues under way, then closes the store; idempotent. Handles that still wait are rejected. */
  close(): Promise<void>;
  /** Whether the store answers within two seconds. Never rejects, and answers for a service that is not open, too. */
  health(): Promise<ServiceHealth>;
  [Symbol.asyncDispose](): Promise<void>;
  /**
   * Stores one run of a task; resolves once the store has it. Concurrent calls are written together.
   * @param task - The task, or the name of a registered one.
   * @throws before anything is written: INPUT_NOT_JSON, INPUT_INVALID, INPUT_TOO_LARGE, OPTION_INVALID, TASK_UNKNOWN, …;
   * STORE_… errors whose `committed` is `unknown` leave it open whether the record exists.
   */
  enqueue<Input, Output>(task: Task<Input, Output>, ...args: EnqueueArguments<Input, Tx>): Promise<TaskHandle<Output>>;
  enqueue(task: string, input?: unknown, options?: EnqueueOptions<Tx>): Promise<TaskHandle>;
  /**
   * Stores many runs of one task, in order, in few writes. Inputs are all checked before the first is written.
   * @param options - For all of them, or made for each.
   * @throws as `enqueue`; messages name the input as `inputs[i]`.
   */
  enqueueMany<Input, Output>(
    task: Task<Input, Output>,
    inputs: readonly Input[],
    options?: EnqueueOptions<Tx> | ((input: Input, index: number) => EnqueueOptions<Tx>),
  ): Promise<TaskHandle<Output>[]>;
  enqueueMany(
    task: string,
    inputs: readonly unknown[],
    options?: EnqueueOptions<Tx> | ((input: unknown, index: number) => EnqueueOptions<Tx>),
  ): Promise<TaskHandle[]>;
  /** The record as stored, or null. */
  get(id: string): Promise<TaskRecord | null>;
  /** A handle of a record enqueued before, here or elsewhere; null when there is none. */
  handle<Output = unknown>(id: string): Promise<TaskHandle<Output> | null>;
  /** Counts per status, of one queue or all. */
  counts(options?: { readonly queue?: string }): Promise<StatusCounts>;
  /**
   * Cancels a task, pending or running, in whichever process it runs. A running one is asked to stop through its signal.
   * @param options.reason - Kept with the record; up to 1,000 characters.
   */
  cancel(id: string, options?: { readonly reason?: string }): Promise<CancelOutcome>;
  /**
   * Cancels the unfinished records that match now, oldest first; running ones are asked to stop. Safe to repeat.
   * @throws OPTION_INVALID for an empty filter without `all: true`, or one that asks for finished records; NAME_INVALID
   */
  cancel(filter: RecordFilter, options?: BulkCancelOptions): Promise<BulkReport>;
  /**
   * Finds records, a page at a time. Id, queue, task and status are what every store looks for by itself; the rest of a
   * filter is looked for page by page, so narrow it by those where you can. Failed and cancelled records have an index
   * of their own.
   * @throws OPTION_INVALID, NAME_INVALID
   */
  find(filter?: RecordFilter, options?: FindOptions): Promise<FoundRecords>;
  /**
   * Brings a failed or cancelled record back to the queue with fresh budgets and without its deadline. Its attempts, its
   * last error and its log stay, its uniqueness key does not come back. An `immediate` one runs before the call returns.
   * @throws TASK_UNKNOWN for an immediate one whose task is not registered here
   */
  revive(id: string): Promise<ReviveOutcome>;
  /**
   * Revives the failed and cancelled records that match now, oldest first, 100 per second unless `perSecond` says else. A
   * record that fails again meanwhile is not revived twice. Safe to repeat.
   * @throws OPTION_INVALID for an empty filter without `all: true`, or one that asks for others; NAME_INVALID
   */
  revive(filter: RecordFilter, options?: BulkOptions): Promise<BulkReport>;
  /**
   * Runs a record that has ended once more, as a new record: same task, queue, priority, input, policy, metadata, tags and
   * description; `origin` names the old one. It has no uniqueness key, no delay and no deadline.
   * @throws RECORD_GONE, ILLEGAL_TRANSITION while the record has not ended, TASK_UNKNOWN as `revive`
   */
  retry(id: string): Promise<TaskHandle>;
  /** The tasks that this process has registered, by name; asks no store. */
  tasks(): readonly TaskSummary[];
  /** Schedules at run time: make, change, pause, resume, run now, preview, list, remove. */
  readonly schedules: Schedules;
  /**
   * Brings the schedules of the registered tasks into the store, as the setting `initializeSchedules` says. A worker and
   * the web plugin do it when they start; any number of processes may.
   * @throws SCHEDULE_INVALID, INPUT_INVALID before anything is written; STORE_…
   */
  initializeSchedules(): Promise<ScheduleReport>;
  /** Pausing, resuming and listing queues. */
  readonly queues: Queues;
  /** The workers that share this store, in whichever process they are, by id. @throws NOT_OPEN, STORE_… */
  workers(): Promise<readonly WorkerInfo[]>;
  /**
   * Says why a record is where it is: what keeps it from running, where it runs, or how it ended; with what to do.
   * Null: there is no such record. What workers are told to do is up to six seconds old.
   * @throws NOT_OPEN, STORE_…
   */
  explain(id: string): Promise<Explanation | null>;
  /**
   * One bounded run of the upkeep that workers do all the time, under a lock of the whole fleet; for a cron job, or before
   * a migration. A run that finds the lock taken does nothing and says so. After lost workers it waits one and a half
   * heartbeats before it takes their tasks back.
   * @throws OPTION_INVALID, DURATION_INVALID; STORE_… if the lock could not be asked for
   */
  maintain(options?: MaintainOptions): Promise<MaintenanceReport>;
  /**
   * Whether the recurring task that the setting `schedulerCanaryTask` names has completed lately.
   * @throws DURATION_INVALID, STORE_…
   */
  schedulerHealth(options?: SchedulerHealthOptions): Promise<SchedulerHealth>;
  /** Frees a key that was taken with `uniqueUntil: "forever"`. @returns whether it was held */
  resetKey(key: string): Promise<boolean>;
}
