/** The queue service: what producers and operators call. It decides nothing about a record's life and runs no worker. */

import type { Runtime } from "../contracts/clock.ts";
import type { QueueBackend } from "../contracts/queue-backend.ts";
import { SiderealError } from "../model/errors.ts";
import type { StatusCounts, TaskRecord } from "../model/record.ts";
import { cancelMany, reviveMany } from "./bulk.ts";
import { schedulerHealth } from "./canary.ts";
import type { Settings } from "./config.ts";
import { callProvider } from "./dependency.ts";
import { explain } from "./explain.ts";
import { find } from "./finding.ts";
import { type CancelOutcome, type HandleSource, TaskHandle } from "./handle.ts";
import { knownTasks } from "./known-tasks.ts";
import { maintain } from "./maintenance.ts";
import { cancelOne, ended, reviveOne } from "./one-record.ts";
import type { Explanation, Queues, WorkerInfo } from "./operators.ts";
import { Outcomes } from "./outcomes.ts";
import { assemble, type Parts } from "./parts.ts";
import { NO_OPTIONS } from "./prepare.ts";
import { foreverName, Producer } from "./producer.ts";
import { listWorkers, QueueOperations } from "./queues.ts";
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
import type { TaskRegistry } from "./registry.ts";
import type {
  MaintainOptions,
  MaintenanceReport,
  SchedulerHealth,
  SchedulerHealthOptions,
  ServiceHealth,
} from "./reports.ts";
import { initializeSchedules } from "./schedule-sync.ts";
import type { ScheduleReport, Schedules } from "./schedule-types.ts";
import { CoreSchedules } from "./schedules.ts";
import { closedHealth, storeHealth } from "./store-health.ts";
import type { EnqueueArguments, EnqueueOptions, QueueService, Task } from "./vocabulary.ts";

/** What a service is made of; `src/sidereal.ts` fills it in. */
export interface ServiceParts<Tx> {
  readonly settings: Settings;
  readonly backend: QueueBackend<Tx>;
  readonly runtime: Runtime;
  readonly registry: TaskRegistry;
  /** Done first when the service is opened. */
  readonly before?: () => Promise<unknown>;
}

export class CoreService<Tx = never> implements QueueService<Tx> {
  /** Internal: what a worker of this service shares with it. */
  readonly parts: Parts;
  readonly schedules: Schedules;
  readonly queues: Queues;
  readonly #producer: Producer<Tx>;
  readonly #outcomes: Outcomes;
  readonly #source: HandleSource;
  #state: "new" | "open" | "closed" = "new";
  readonly #before: (() => Promise<unknown>) | undefined;
  #opening: Promise<this> | null = null;

  constructor({ settings, backend, runtime, registry, before }: ServiceParts<Tx>) {
    this.#before = before;
    this.parts = assemble(
      settings,
      backend as QueueBackend<never>,
      runtime,
      registry,
      this as CoreService<unknown> as QueueService<unknown>,
    );
    this.queues = new QueueOperations(this.parts, () => this.#mustBeOpen());
    this.#outcomes = new Outcomes(this.parts.calls, runtime.clock, backend.signals);
    this.#source = {
      read: (id) => this.get(id),
      outcome: (id, timeout, signal) => this.#outcomes.wait(id, timeout, signal),
      cancel: (id, options) => this.cancel(id, options),
      storeNow: () => this.parts.storeTime.now(),
    };
    this.#producer = new Producer(this.parts, backend, this.#source);
    this.schedules = new CoreSchedules(this.parts, this.#producer, () => this.#mustBeOpen());
  }

  /** Whether `open` has succeeded and `close` was not called. */
  get isOpen(): boolean {
    return this.#state === "open";
  }

  open(): Promise<this> {
    this.#opening ??= this.#open().finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  async #open(): Promise<this> {
    if (this.#state === "open") return this;
    await this.#before?.();
    const provider = this.parts.settings.dependencies?.provider ?? null;
    await callProvider(provider, "open");
    try {
      await this.#openStore();
    } catch (error) {
      await callProvider(provider, "close").catch(() => {});
      throw error;
    }
    this.#outcomes.reopen();
    this.#state = "open";
    return this;
  }

  async #openStore(): Promise<void> {
    const { backend, settings, runtime } = this.parts;
    await backend.open({ namespace: settings.namespace, warn: (message) => runtime.logger.warn(message) });
    try {
      await this.parts.storeTime.sync();
    } catch (error) {
      await this.parts.backend.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    if (this.#opening !== null) await this.#opening.catch(() => {});
    if (this.#state !== "open") return;
    this.#state = "closed";
    await this.#producer.idle();
    await this.parts.settler.idle();
    await this.parts.staleFailures.idle();
    this.#outcomes.close(new SiderealError("NOT_OPEN", "The queue service was closed while a result was awaited"));
    try {
      await this.parts.backend.close();
    } finally {
      await callProvider(this.parts.settings.dependencies?.provider ?? null, "close");
    }
  }

  async health(): Promise<ServiceHealth> {
    return this.#state === "open" ? storeHealth(this.parts) : closedHealth(this.parts, this.#state);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  enqueue<Input, Output>(task: Task<Input, Output>, ...args: EnqueueArguments<Input, Tx>): Promise<TaskHandle<Output>>;
  enqueue(task: string, input?: unknown, options?: EnqueueOptions<Tx>): Promise<TaskHandle>;
  // No async function of its own: it would cost every enqueue a further promise.
  enqueue(
    task: Task | string,
    input?: unknown,
    options: EnqueueOptions<Tx> = NO_OPTIONS as EnqueueOptions<Tx>,
  ): Promise<TaskHandle> {
    return this.#state === "open" ? this.#producer.enqueue(task, input, options) : Promise.reject(this.#notOpen());
  }

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
  async enqueueMany(
    task: Task | string,
    inputs: readonly unknown[],
    options:
      | EnqueueOptions<Tx>
      | ((input: never, index: number) => EnqueueOptions<Tx>) = NO_OPTIONS as EnqueueOptions<Tx>,
  ): Promise<TaskHandle[]> {
    this.#mustBeOpen();
    return this.#producer.enqueueMany(task, inputs, options);
  }

  async get(id: string): Promise<TaskRecord | null> {
    this.#mustBeOpen();
    return this.#read(id);
  }

  async handle<Output = unknown>(id: string): Promise<TaskHandle<Output> | null> {
    const record = await this.get(id);
    return record && new TaskHandle<Output>(this.#source, record.id, record.taskName, "existing", record);
  }

  async counts(options: { readonly queue?: string } = {}): Promise<StatusCounts> {
    this.#mustBeOpen();
    const tallies = await this.parts.calls.tally(options.queue === undefined ? undefined : [options.queue]);
    const sum = { pending: 0, scheduled: 0, running: 0, completed: 0, failed: 0, cancelled: 0, total: 0 };
    for (const tally of tallies) {
      for (const status of ["pending", "scheduled", "running", "completed", "failed", "cancelled"] as const) {
        sum[status] += tally[status];
        sum.total += tally[status];
      }
    }
    return sum;
  }

  async find(filter: RecordFilter = {}, options: FindOptions = {}): Promise<FoundRecords> {
    this.#mustBeOpen();
    return find(this.parts, filter, options);
  }

  cancel(id: string, options?: { readonly reason?: string }): Promise<CancelOutcome>;
  cancel(filter: RecordFilter, options?: BulkCancelOptions): Promise<BulkReport>;
  async cancel(which: string | RecordFilter, options: BulkCancelOptions = {}): Promise<CancelOutcome | BulkReport> {
    this.#mustBeOpen();
    if (typeof which === "string") return cancelOne(this.parts, which, options.reason);
    return cancelMany(this.parts, which, options);
  }

  revive(id: string): Promise<ReviveOutcome>;
  revive(filter: RecordFilter, options?: BulkOptions): Promise<BulkReport>;
  async revive(which: string | RecordFilter, options: BulkOptions = {}): Promise<ReviveOutcome | BulkReport> {
    this.#mustBeOpen();
    return typeof which === "string" ? reviveOne(this.parts, which) : reviveMany(this.parts, which, options);
  }

  async retry(id: string): Promise<TaskHandle> {
    this.#mustBeOpen();
    return this.#producer.again(await ended(this.parts, id));
  }

  tasks(): readonly TaskSummary[] {
    return knownTasks(this.parts.registry);
  }

  async initializeSchedules(): Promise<ScheduleReport> {
    this.#mustBeOpen();
    return initializeSchedules(this.parts);
  }

  async workers(): Promise<readonly WorkerInfo[]> {
    this.#mustBeOpen();
    return listWorkers(this.parts);
  }

  async explain(id: string): Promise<Explanation | null> {
    this.#mustBeOpen();
    return explain(this.parts, id);
  }

  async maintain(options: MaintainOptions = {}): Promise<MaintenanceReport> {
    this.#mustBeOpen();
    return maintain(this.parts, options);
  }

  async schedulerHealth(options: SchedulerHealthOptions = {}): Promise<SchedulerHealth> {
    this.#mustBeOpen();
    return schedulerHealth(this.parts, options);
  }

  async resetKey(key: string): Promise<boolean> {
    this.#mustBeOpen();
    const name = foreverName(key);
    const hold = (await this.parts.calls.held(name)).find((other) => other.name === name);
    return hold !== undefined && this.parts.calls.release(name, hold.holder);
  }

  async #read(id: string): Promise<TaskRecord | null> {
    const [record] = await this.parts.calls.find({ by: "id", ids: [id] });
    return record ?? null;
  }

  #mustBeOpen(): void {
    if (this.#state !== "open") throw this.#notOpen();
  }

  #notOpen(): SiderealError {
    const why = this.#state === "new" ? "has not been opened yet" : "was closed";
    return new SiderealError("NOT_OPEN", `The queue service ${why}`);
  }
}
