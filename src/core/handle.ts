/** What `enqueue` gives back: the record from its caller's side. */
import { type Duration, parseDuration } from "../model/duration.ts";
import { SiderealError, TaskCancelledError, TaskFailedError } from "../model/errors.ts";
import { decodeJson } from "../model/json.ts";
import { isTerminal, type Millis, statusOf, type TaskRecord, type TaskStatus } from "../model/record.ts";

/** The parts of a service that a handle needs. */
export interface HandleSource {
  read(id: string): Promise<TaskRecord | null>;
  outcome(id: string, timeout: Millis, signal?: AbortSignal): Promise<TaskRecord>;
  cancel(id: string, options?: { readonly reason?: string }): Promise<CancelOutcome>;
  storeNow(): Millis;
}

/**
 * What became of a cancel: `cancelled` (it had not started), `requested` (it runs; its signal is aborted), `too-late`
 * (it had ended), `gone` (no such record).
 */
export type CancelOutcome = "cancelled" | "requested" | "too-late" | "gone";

/** How long `result()` waits by default. */
export const RESULT_TIMEOUT = "1m";

export class TaskHandle<Output = unknown> {
  readonly id: string;
  readonly taskName: string;
  /** `created`: this enqueue made the record. `existing`: another record holds the key (or the id), and this handle is of that one. */
  readonly outcome: "created" | "existing";
  readonly #source: HandleSource;
  #record: TaskRecord | null;

  constructor(
    source: HandleSource,
    id: string,
    taskName: string,
    outcome: "created" | "existing",
    record: TaskRecord | null,
  ) {
    this.id = id;
    this.taskName = taskName;
    this.outcome = outcome;
    this.#source = source;
    this.#record = record;
  }

  /** The record as last read; null when it is no longer in the store. */
  get record(): TaskRecord | null {
    return this.#record;
  }

  /** The status as last read; null when the record is no longer in the store. */
  get status(): TaskStatus | null {
    const record = this.#record;
    // What we know of the store's clock is an estimate; the record itself says that it has come this far.
    return record && statusOf(record, Math.max(this.#source.storeNow(), record.queuedAt));
  }

  /** Reads the record again. @returns this handle */
  async refresh(): Promise<this> {
    this.#record = await this.#source.read(this.id);
    return this;
  }

  /**
   * Waits for the end and gives what the handler returned.
   * @param options.timeout - Default one minute; `0` looks once.
   * @throws TASK_FAILED, TASK_CANCELLED (expired records too), RESULT_TIMEOUT, RECORD_GONE, or the signal's reason.
   */
  async result(options: { readonly timeout?: Duration; readonly signal?: AbortSignal } = {}): Promise<Output> {
    const timeout = parseDuration(options.timeout ?? RESULT_TIMEOUT, "result: timeout");
    const record =
      timeout === 0 ? await this.#look(options.signal) : await this.#source.outcome(this.id, timeout, options.signal);
    this.#record = record;
    if (record.state === "failed")
      throw new TaskFailedError(record.id, record.taskName, record.reason ?? "error", record.error);
    if (record.state === "cancelled") throw new TaskCancelledError(record.reason, record.id);
    return (record.result === null ? undefined : decodeJson(record.result)) as Output;
  }

  async #look(signal?: AbortSignal): Promise<TaskRecord> {
    signal?.throwIfAborted();
    const record = await this.#source.read(this.id);
    if (record === null) throw new SiderealError("RECORD_GONE", `Task ${this.id} is not in the store`);
    if (isTerminal(record)) return record;
    throw new SiderealError("RESULT_TIMEOUT", `Task ${this.id} has not finished yet`);
  }

  /** Cancels the task wherever it is; see `CancelOutcome`. */
  async cancel(options: { readonly reason?: string } = {}): Promise<CancelOutcome> {
    const outcome = await this.#source.cancel(this.id, options);
    await this.refresh();
    return outcome;
  }
}
