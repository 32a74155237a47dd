/**
 * One attempt: run the handler, then report how it ended. The report is a decision about the record as it is then,
 * guarded by our claim; a handler cannot make it fail.
 */
import type { Cancel } from "../contracts/clock.ts";
import { parseDuration } from "../model/duration.ts";
import { NonRetryableError, RetryAfterError, SiderealError, TaskCancelledError } from "../model/errors.ts";
import { type EncodeOptions, encodeJson } from "../model/json.ts";
import { cancelled, completed, failed, isOwned, type Note, noted, released } from "../model/lifecycle.ts";
import type { EndReason, JsonText, Millis, TaskFailure, TaskRecord } from "../model/record.ts";
import { backoffDelay } from "../model/retry.ts";
import { AttemptContext, SnoozeRequest } from "./attempt-context.ts";
import { inContext } from "./context.ts";
import { clean, describeFailure, isKind } from "./failure.ts";
import type { Owned } from "./lease.ts";
import { Notes } from "./notes.ts";
import type { Parts } from "./parts.ts";
import { validated } from "./prepare.ts";
import type { Settled } from "./settle.ts";
import type { Task } from "./vocabulary.ts";

/** How the handler ended. */
type Ending =
  | { readonly returned: unknown }
  | { readonly threw: unknown }
  /** Its stored input no longer passes the task's validation. */
  | { readonly refused: SiderealError };

const RESULT: EncodeOptions = {
  what: "result",
  notJson: "RESULT_NOT_JSON",
  tooLarge: "RESULT_TOO_LARGE",
  dropUndefined: true,
};

/** What an attempt asks of the worker that runs it. */
export interface AttemptHost {
  /** Whether the lease is surely held, by the local clock. */
  isSure(id: string): boolean;
  /** The handler ignores its signal. */
  stuck(attempt: Attempt): void;
  /** Whether a report that cannot be stored yet should be tried further. */
  persist(): boolean;
}

export class Attempt implements Owned {
  readonly id: string;
  readonly claim: string;
  readonly queue: string;
  readonly taskName: string;
  /** The record as last known; moves on with every note. */
  record: TaskRecord;
  readonly #parts: Parts;
  readonly #host: AttemptHost;
  /** Made with the first note: most attempts write none. */
  #notes: Notes | null = null;
  #context: AttemptContext | null = null;
  #aborted: SiderealError | null = null;
  #cancelTimers: Cancel[] = [];
  /** Why validation refused the stored input, so that the handler was never called. */
  #refusal: SiderealError | null = null;
  #concluded = false;
  #report: Promise<void> | null = null;

  constructor(parts: Parts, record: TaskRecord, host: AttemptHost) {
    this.#parts = parts;
    this.#host = host;
    this.record = record;
    this.id = record.id;
    this.claim = record.claim as string;
    this.queue = record.queue;
    this.taskName = record.taskName;
  }

  /** Why the attempt was asked to stop; null while it was not. */
  get aborted(): SiderealError | null {
    return this.#aborted;
  }

  /** Resolves when the handler has ended, whatever it did; its report may still be under way (`reported`). Never rejects. */
  async run(): Promise<void> {
    const task = this.#parts.registry.get(this.taskName);
    // After a loss it matters who was really running when the worker died.
    if (this.record.losses > 0 && this.#aborted === null) await this.note({ begun: true });
    // A claim whose answer came late may be over before it could begin.
    if (task === undefined || this.#aborted !== null || !this.isSure()) return this.giveBack();
    const context = this.#begin();
    let ending: Ending;
    try {
      const { input } = this.record;
      const stored = input === null ? undefined : this.#decoded(input);
      const value = task.schema === null ? stored : await this.#accepted(task, stored);
      ending = { returned: await inContext(context, () => task.run(value as never, context)) };
    } catch (thrown) {
      ending = this.#refusal === null ? { threw: thrown } : { refused: this.#refusal };
    }
    this.#stopTimers();
    this.#conclude(() => this.#finish(task, ending));
  }

  /** Resolves when the report is stored, refused, or given up. Never rejects. */
  reported(): Promise<void> {
    return this.#report ?? Promise.resolve();
  }

  /** Stores a note on the record, together with its neighbours. Never rejects. */
  note(note: Note): Promise<void> {
    const turn = (): Promise<void> => new Promise((resolve) => this.#parts.runtime.clock.soon(resolve));
    if (this.#notes === null && this.#concluded) return turn();
    this.#notes ??= new Notes((merged) => this.#write(merged), turn);
    return this.#notes.add(note);
  }

  /** Whether the record is surely ours. */
  isSure(): boolean {
    return !this.#concluded && this.#aborted?.code !== "LEASE_LOST" && this.#host.isSure(this.id);
  }

  /** Asks the handler to stop; the first reason counts, except that a lost lease outranks every other. */
  abort(reason: SiderealError): void {
    if (this.#aborted !== null && reason.code !== "LEASE_LOST") return;
    const first = this.#aborted === null;
    this.#aborted = reason;
    // What has not begun, or has ended already, cannot ignore its signal.
    if (!first || this.#context === null || this.#concluded) return;
    this.#context.abort(reason);
    this.#cancelTimers.push(
      this.#parts.runtime.clock.after(this.#parts.settings.worker.finalCancelTimeout, () => {
        this.#host.stuck(this);
        // A timeout is reported even while the handler goes on; its slot stays taken until it ends.
        const task = this.#parts.registry.get(this.taskName);
        if (reason.code === "ATTEMPT_TIMEOUT" && task !== undefined)
          this.#conclude(() => this.#finish(task, { threw: reason }));
      }),
    );
  }

  lose(error: SiderealError): void {
    this.abort(error);
  }

  cancelRequested(record: TaskRecord = this.record): void {
    this.abort(new TaskCancelledError(record.reason, this.id));
  }

  /** Reports an attempt that has not begun: its record goes back to the queue as if it had not been claimed. */
  giveBack(): void {
    this.#stopTimers();
    this.#conclude(() => {
      if (this.#aborted?.code === "LEASE_LOST") return Promise.resolve(null);
      return this.#settle((current) => released(current, { now: this.#now(), because: "unstarted" }));
    });
  }

  /** Hands the record back although its handler still runs. */
  abandon(): void {
    this.#stopTimers();
    this.#conclude(() => this.#settle((current) => this.#handBack(current)));
  }

  #begin(): AttemptContext {
    const context = new AttemptContext(this.#parts, this.record, this);
    this.#context = context;
    const { timeout } = this.record.policy;
    if (timeout !== null) this.#timeoutAfter(timeout);
    return context;
  }

  async #accepted(task: Task, value: unknown): Promise<unknown> {
    try {
      return await validated(task, value, "input");
    } catch (error) {
      if (isKind(error, SiderealError) && error.code === "INPUT_INVALID") this.#refusal = error;
      throw error;
    }
  }

  /** The stored input; text that was damaged in the store is no input, and no retry mends it. */
  #decoded(input: JsonText): unknown {
    try {
      return JSON.parse(input);
    } catch (cause) {
      this.#refusal = new SiderealError("INPUT_INVALID", `Task ${this.id}: the stored input is no JSON`, { cause });
      throw this.#refusal;
    }
  }

  #stopTimers(): void {
    if (this.#cancelTimers.length > 0) for (const cancel of this.#cancelTimers.splice(0)) cancel();
  }

  #timeoutAfter(timeout: Millis): void {
    const error = (): SiderealError =>
      new SiderealError("ATTEMPT_TIMEOUT", `Task ${this.taskName} (${this.id}) ran longer than ${timeout} ms`);
    this.#cancelTimers.push(this.#parts.runtime.clock.after(timeout, () => this.abort(error())));
  }

  /** Begins the report, once; from here on no note is taken. */
  #conclude(report: () => Promise<Settled | null>): void {
    if (this.#concluded) return;
    this.#concluded = true;
    this.#report = (this.#notes === null ? begun(report) : this.#notes.close().then(report)).then(
      (settled) => this.#log(settled),
      (error: unknown) =>
        this.#parts.runtime.logger.error("a task's outcome could not be stored", { ...this.#names(), error }),
    );
  }

  #finish(task: Task, ending: Ending): Promise<Settled | null> {
    const { code } = this.#aborted ?? {};
    if (code === "LEASE_LOST") return Promise.resolve(null);
    if (code === "ATTEMPT_TIMEOUT") return this.#fail(task, this.#aborted, "timeout");
    if ("returned" in ending) return this.#complete(task, ending.returned);
    if ("refused" in ending) return this.#fail(task, ending.refused, "input");
    const { threw } = ending;
    if (isKind(threw, SnoozeRequest) && Number.isFinite(threw.duration))
      return this.#settle((current) => this.#snooze(current, threw));
    if (code === "TASK_CANCELLED") return this.#acknowledge(null);
    if (code === "LEASE_UNCERTAIN") return this.#settle((current) => this.#release(current));
    if (code === "SHUTDOWN") return this.#settle((current) => this.#handBack(current));
    if (isKind(threw, TaskCancelledError)) return this.#acknowledge(describeCancel(threw));
    return this.#fail(task, threw, "error");
  }

  #complete(task: Task, value: unknown): Promise<Settled | null> {
    let result: JsonText | null;
    try {
      result = value === undefined ? null : encodeJson(value, RESULT);
    } catch (error) {
      return this.#fail(task, error, "result");
    }
    return this.#settle((current) => completed(current, { now: this.#now(), result }));
  }

  #fail(task: Task, thrown: unknown, reason: EndReason): Promise<Settled | null> {
    const retryable = reason !== "input" && reason !== "result" && !isKind(thrown, NonRetryableError);
    const error: TaskFailure = describeFailure(thrown, this.record.attempt, this.#now());
    const retryIn = retryable ? this.#retryIn(task, thrown) : 0;
    return this.#settle((current) => failed(current, { now: this.#now(), error, retryable, retryIn, reason }));
  }

  #retryIn(task: Task, thrown: unknown): Millis {
    const { policy, failures, attempt } = this.record;
    const { random, logger } = this.#parts.runtime;
    try {
      if (isKind(thrown, RetryAfterError)) return parseDuration(thrown.after, "RetryAfterError.after");
      if (policy.backoff.kind === "custom" && task.customBackoff !== null) {
        const delay: unknown = task.customBackoff(attempt, thrown);
        if (delay instanceof Promise) delay.catch(() => {});
        return parseDuration(delay, `Task ${task.name}: backoff()`);
      }
    } catch (error) {
      logger.warn("a retry delay is not usable; the task's default back-off applies", { ...this.#names(), error });
    }
    return backoffDelay(policy.backoff, failures + 1, random.next());
  }

  #snooze(current: TaskRecord, request: SnoozeRequest): TaskRecord {
    return released(current, { now: this.#now(), because: "snooze", readyIn: request.duration });
  }

  #handBack(current: TaskRecord): TaskRecord {
    if (current.policy.requeueOnShutdown) return this.#release(current);
    return cancelled(current, { now: this.#now(), reason: "shutdown", by: "acknowledge" });
  }

  #release(current: TaskRecord): TaskRecord {
    return released(current, { now: this.#now(), because: "shutdown" });
  }

  #acknowledge(reason: string | null): Promise<Settled | null> {
    return this.#settle((current) =>
      cancelled(current, { now: this.#now(), reason: current.reason ?? reason, by: "acknowledge" }),
    );
  }

  #settle(next: (current: TaskRecord) => TaskRecord): Promise<Settled> {
    const decide = (current: TaskRecord): TaskRecord | null => (isOwned(current, this.claim) ? next(current) : null);
    return this.#parts.settler.settle(this.record, decide, this.#host);
  }

  async #write(note: Note): Promise<void> {
    try {
      const settled = await this.#settle((current) => noted(current, note));
      if (settled.verdict !== "applied") return;
      this.record = settled.record;
      if (settled.record.cancelRequestedAt !== null) this.cancelRequested(settled.record);
    } catch (error) {
      this.#parts.runtime.logger.warn("a task's progress could not be stored", { ...this.#names(), error });
    }
  }

  #log(settled: Settled | null): void {
    const { logger } = this.#parts.runtime;
    if (settled === null || settled.verdict !== "applied") {
      logger.warn("a task's outcome was not accepted: the record belongs to somebody else now", this.#names());
    } else if (settled.record.state === "failed") {
      logger.error("a task failed", {
        ...this.#names(),
        reason: settled.record.reason,
        error: settled.record.error?.message,
      });
    }
  }

  #names(): { readonly id: string; readonly task: string; readonly attempt: number } {
    return { id: this.id, task: this.taskName, attempt: this.record.attempt };
  }

  #now(): Millis {
    return this.#parts.storeTime.now();
  }
}

/** What a function that answers later answers; what it throws at once is an answer, too. */
function begun<T>(start: () => Promise<T>): Promise<T> {
  try {
    return start();
  } catch (error) {
    return Promise.reject(error);
  }
}

/** The reason of a cancel that a handler threw; errors of another copy of the class have it too. */
function describeCancel(thrown: TaskCancelledError): string | null {
  try {
    return typeof thrown.reason === "string" ? clean(thrown.reason, 1_000) : null;
  } catch {
    return null;
  }
}
