/**
 * One attempt: run the handler, then report how it ended. The report is a decision about the record as it is then,
 * guarded by our claim; a handler cannot make it fail.
 */
import type { Cancel } from "../contracts/clock.ts";
import { NonRetryableError, SiderealError, TaskCancelledError } from "../model/errors.ts";
import { cancelled, completed, failed, isOwned, type Note, noted, released } from "../model/lifecycle.ts";
import type { EndReason, JsonText, Millis, TaskFailure, TaskRecord } from "../model/record.ts";
import { AttemptContext, SnoozeRequest } from "./attempt-context.ts";
import { inContext } from "./context.ts";
import { describeCancel, type Ending, scopeOutcome, storable } from "./ending.ts";
import { isKind } from "./failure.ts";
import { JointCompletion } from "./joint-completion.ts";
import type { Owned } from "./lease.ts";
import { Notes } from "./notes.ts";
import type { Parts } from "./parts.ts";
import { validated } from "./prepare.ts";
import { type DependencySources, Provision } from "./provision.ts";
import { describedFailure, retryDelay } from "./retry-delay.ts";
import type { Settled } from "./settle.ts";
import type { Task } from "./vocabulary.ts";

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
  #provision: Provision | null = null;
  /** Made when a handler asks for it. */
  #joint: JointCompletion | null = null;
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

  /** The handler's dependencies; null where the configuration has none. */
  get provision(): Provision | null {
    return this.#provision;
  }

  /** Completion inside a transaction. */
  get joint(): JointCompletion {
    this.#joint ??= new JointCompletion(this.#parts, this);
    return this.#joint;
  }

  get isLocked(): boolean {
    return this.#joint?.isLocked ?? false;
  }

  get obstacle(): SiderealError | null {
    if (this.#aborted !== null || !this.#concluded) return this.#aborted;
    return new SiderealError("ILLEGAL_TRANSITION", `Task ${this.taskName} (${this.id}): the attempt has ended`);
  }

  moved(record: TaskRecord): void {
    this.record = record;
    if (record.cancelRequestedAt !== null) this.cancelRequested(record);
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
      if (this.#parts.settings.dependencies !== null) await this.#provide(context, this.#parts.settings.dependencies);
      ending = storable(await inContext(context, () => task.run(value as never, context)));
    } catch (thrown) {
      ending = this.#thrown(thrown);
    }
    if (this.#provision !== null) ending = await this.#letGo(context, this.#provision, ending);
    this.#stopTimers();
    this.#conclude(() => this.#finish(task, ending));
  }

  /** Resolves when the report is stored, refused, or given up. Never rejects. */
  reported(): Promise<void> {
    return this.#report ?? Promise.resolve();
  }

  /** Stores a note on the record, together with its neighbours. Never rejects. */
  note(note: Note): Promise<void> {
    if ((this.#notes === null && this.#concluded) || this.isLocked) return this.#turn();
    return this.notes.add(note);
  }

  get notes(): Notes {
    this.#notes ??= new Notes(
      (merged) => this.#write(merged),
      () => this.#turn(),
    );
    return this.#notes;
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => this.#parts.runtime.clock.soon(resolve));
  }

  /** Whether the record is surely ours. */
  isSure(): boolean {
    return (
      !this.#concluded && !this.#joint?.isDone && this.#aborted?.code !== "LEASE_LOST" && this.#host.isSure(this.id)
    );
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
        this.#joint?.force(reason);
        // A timeout is reported even while the handler goes on; its slot stays taken until it ends.
        const task = this.#parts.registry.get(this.taskName);
        if (reason.code === "ATTEMPT_TIMEOUT" && task !== undefined)
          this.#conclude(() => this.#finish(task, { threw: reason }));
      }),
    );
  }

  lose(error: SiderealError): void {
    if (!this.#joint?.isDone) this.abort(error);
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

  /** @throws what the sources throw; why the attempt was stopped meanwhile */
  async #provide(context: AttemptContext, sources: DependencySources): Promise<void> {
    const provision = new Provision(context);
    this.#provision = provision;
    await inContext(context, () => provision.fill(sources));
    if (this.#aborted !== null) throw this.#aborted;
  }

  /** Tells the dependencies how it went; a handler that returned too late has not succeeded. */
  async #letGo(context: AttemptContext, provision: Provision, ending: Ending): Promise<Ending> {
    const code = this.#aborted?.code;
    const isLost = this.#concluded || code === "LEASE_LOST" || code === "ATTEMPT_TIMEOUT";
    const isRevoked = isLost && !this.#joint?.isDone;
    const outcome = scopeOutcome(ending, isRevoked ? this.#aborted : null);
    try {
      await inContext(context, () => provision.release(outcome));
      return ending;
    } catch (thrown) {
      if (outcome.ok && this.#aborted === null) return { threw: thrown };
      const error = this.#described(thrown);
      this.#parts.runtime.logger.error("a task's dependencies could not be released", { ...this.#names(), error });
      return outcome.ok ? { threw: thrown } : ending;
    }
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

  #thrown(thrown: unknown): Ending {
    if (this.#refusal !== null) return { refused: this.#refusal };
    return this.#joint?.refused(thrown) ? { unstorable: thrown } : { threw: thrown };
  }

  #finish(task: Task, ending: Ending): Promise<Settled | null> {
    return this.#joint === null ? this.#outcome(task, ending) : this.#finishJoint(this.#joint, task, ending);
  }

  async #finishJoint(joint: JointCompletion, task: Task, ending: Ending): Promise<Settled | null> {
    const settled = await joint.settled(() => this.#outcome(task, ending));
    if ("threw" in ending && settled?.record?.state === "completed") {
      const error = this.#described(ending.threw);
      this.#parts.runtime.logger.warn("a task threw after it was completed in a transaction", {
        ...this.#names(),
        error,
      });
    }
    return settled;
  }

  #outcome(task: Task, ending: Ending): Promise<Settled | null> {
    const { code } = this.#aborted ?? {};
    if (code === "LEASE_LOST") return Promise.resolve(null);
    if (code === "ATTEMPT_TIMEOUT") return this.#fail(task, this.#aborted, "timeout");
    if ("result" in ending) return this.#complete(ending.result);
    if ("unstorable" in ending) return this.#fail(task, ending.unstorable, "result");
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

  #complete(result: JsonText | null): Promise<Settled | null> {
    return this.#settle((current) => completed(current, { now: this.#now(), result }));
  }

  #fail(task: Task, thrown: unknown, reason: EndReason): Promise<Settled | null> {
    const retryable = reason !== "input" && reason !== "result" && !isKind(thrown, NonRetryableError);
    const error = this.#described(thrown);
    const retryIn = retryable ? retryDelay(this.#parts, task, this.record, thrown) : 0;
    return this.#settle((current) => failed(current, { now: this.#now(), error, retryable, retryIn, reason }));
  }

  /** What may be stored and logged of an error. */
  #described(thrown: unknown): TaskFailure {
    return describedFailure(this.#parts, this.record, thrown);
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
    if (this.#joint !== null) return this.#joint.settle(decide, this.#host);
    return this.#parts.settler.settle(this.record, decide, this.#host);
  }

  async #write(note: Note): Promise<void> {
    try {
      const settled = await this.#settle((current) => noted(current, note));
      if (settled.verdict !== "applied") return;
      this.moved(settled.record);
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
