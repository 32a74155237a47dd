/** The context that a handler is given. Made once per attempt, so what is rarely used is made when it is asked for. */
import { type Duration, parseDuration, quoted } from "../model/duration.ts";
import { SiderealError } from "../model/errors.ts";
import type { Json } from "../model/json.ts";
import type { Note } from "../model/lifecycle.ts";
import type { Millis, TaskProgress, TaskRecord } from "../model/record.ts";
import type { Dependency } from "./dependency.ts";
import { clean, cleanBytes, describeFailure, isKind, shown } from "./failure.ts";
import type { JointCompletion } from "./joint-completion.ts";
import type { Parts } from "./parts.ts";
import { type Provision, unknownDependency } from "./provision.ts";
import type { QueueService, TaskContext } from "./vocabulary.ts";

const LINE = 8_192;
const MESSAGE = 1_000;
const DETAIL = 256;

/** Thrown by `ctx.snooze`; a handler that catches it has not snoozed. */
export class SnoozeRequest extends Error {
  override readonly name = "SnoozeRequest";
  readonly duration: Millis;

  constructor(duration: Millis) {
    super(`snoozed for ${duration} ms`);
    this.duration = duration;
  }
}

export interface ContextHost {
  note(note: Note): Promise<void>;
  isSure(): boolean;
  /** Null: the configuration has no dependencies. */
  readonly provision: Provision | null;
  readonly joint: JointCompletion;
}

export class AttemptContext implements TaskContext {
  readonly #parts: Parts;
  readonly #record: TaskRecord;
  readonly #host: ContextHost;
  #controller: AbortController | null = null;
  #aborted: SiderealError | null = null;
  #progress: TaskProgress | null = null;
  #metadata: Readonly<Record<string, Json>> | null = null;

  constructor(parts: Parts, record: TaskRecord, host: ContextHost) {
    this.#parts = parts;
    this.#record = record;
    this.#host = host;
  }

  get id(): string {
    return this.#record.id;
  }

  get taskName(): string {
    return this.#record.taskName;
  }

  get queue(): string {
    return this.#record.queue;
  }

  get attempt(): number {
    return this.#record.attempt;
  }

  get idempotencyKey(): string {
    return this.#record.id;
  }

  get attemptKey(): string {
    return `${this.#record.id}:${this.fence}`;
  }

  get fence(): number {
    return this.#record.startedAt ?? 0;
  }

  get tags(): readonly string[] {
    return this.#record.tags;
  }

  get schedule(): string | null {
    const { origin } = this.#record;
    return origin?.kind === "schedule" ? origin.schedule : null;
  }

  get scheduledFor(): Date | null {
    const { origin } = this.#record;
    return origin?.kind === "schedule" ? new Date(origin.scheduledFor) : null;
  }

  get service(): QueueService<unknown> {
    return this.#parts.service;
  }

  get metadata(): Readonly<Record<string, Json>> {
    this.#metadata ??=
      this.#record.metadata === null ? {} : (JSON.parse(this.#record.metadata) as Record<string, Json>);
    return this.#metadata;
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#aborted !== null) this.#controller.abort(this.#aborted);
    }
    return this.#controller.signal;
  }

  abort(reason: SiderealError): void {
    this.#aborted = reason;
    this.#controller?.abort(reason);
  }

  use<Value>(dependency: Dependency<Value>): Value {
    const { provision } = this.#host;
    if (provision !== null) return provision.use(dependency);
    throw unknownDependency(this, dependency, "the configuration has neither a provider nor a resolver");
  }

  progress(current: number, total?: number, message?: string): Promise<void> {
    const numbers = [current, total ?? 0];
    if (!numbers.every((value) => typeof value === "number" && Number.isFinite(value))) {
      const given = `${quoted(current)} of ${quoted(total)}`;
      throw new SiderealError("OPTION_INVALID", `Task ${this.taskName}: progress is ${given}, not finite numbers`);
    }
    const before = this.#progress ?? this.#record.progress;
    return this.#note({
      current: current + 0,
      total: total ?? null,
      message: message === undefined ? (before?.message ?? null) : clean(shown(message), MESSAGE),
      detail: before?.detail ?? null,
    });
  }

  heartbeat(detail?: string): Promise<void> {
    const before = this.#progress ?? this.#record.progress;
    const { current = 0, total = null, message = null } = before ?? {};
    return this.#note({ current, total, message, detail: detail === undefined ? null : clean(shown(detail), DETAIL) });
  }

  log(...parts: readonly unknown[]): Promise<void> {
    const text = parts.map((part) => (typeof part === "string" ? part : asLine(part))).join(" ");
    const line = { at: this.#parts.storeTime.now(), attempt: this.attempt, message: cleanBytes(text, LINE) };
    return this.#host.note({ lines: [line] });
  }

  transaction<Tx, Result>(body: (tx: Tx) => Promise<Result>): Promise<Result> {
    return this.#host.joint.transaction(body);
  }

  completeIn(tx: unknown, result?: unknown): Promise<void> {
    return this.#host.joint.completeIn(tx, result);
  }

  snooze(duration: Duration): never {
    throw new SnoozeRequest(parseDuration(duration, `Task ${this.taskName}: snooze`));
  }

  assertLease(): void {
    if (this.#host.isSure()) return;
    throw new SiderealError(
      "LEASE_UNCERTAIN",
      `Task ${this.taskName} (${this.id}) may belong to another worker by now`,
    );
  }

  #note(progress: Omit<TaskProgress, "at">): Promise<void> {
    this.#progress = { ...progress, at: this.#parts.storeTime.now() };
    return this.#host.note({ progress: this.#progress });
  }
}

/** An error by its name and message, which JSON would lose; anything else as JSON. */
function asLine(value: unknown): string {
  if (!isKind(value, Error)) return shown(value, LINE);
  const { name, message } = describeFailure(value, 0, 0);
  return `${name}: ${message}`;
}
