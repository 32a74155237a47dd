/** The queue service: what producers and operators call. It decides nothing about a record's life and runs no worker. */
import type { Runtime } from "../contracts/clock.ts";
import type { Insertion, QueueBackend } from "../contracts/queue-backend.ts";
import { quoted } from "../model/duration.ts";
import { hasCode, SiderealError } from "../model/errors.ts";
import { cancelled } from "../model/lifecycle.ts";
import { type Draft, isTerminal, type StatusCounts, type TaskRecord } from "../model/record.ts";
import { GroupCommit } from "./commit.ts";
import type { Settings } from "./config.ts";
import { clean } from "./failure.ts";
import { type CancelOutcome, type HandleSource, TaskHandle } from "./handle.ts";
import { runInline } from "./inline.ts";
import { Outcomes } from "./outcomes.ts";
import { assemble, type Parts } from "./parts.ts";
import { NO_OPTIONS, type Prepared, prepare, validated } from "./prepare.ts";
import type { TaskRegistry } from "./registry.ts";
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

/** Records per insert call of the store. */
const CHUNK = 1_000;
const INSERT_TRIES = 4;

export class CoreService<Tx = never> implements QueueService<Tx> {
  /** Internal: what a worker of this service shares with it. */
  readonly parts: Parts;
  readonly #tx: QueueBackend<Tx>["within"];
  readonly #inserts: GroupCommit<Draft, Insertion>;
  readonly #outcomes: Outcomes;
  readonly #source: HandleSource;
  #state: "new" | "open" | "closed" = "new";
  readonly #before: (() => Promise<unknown>) | undefined;
  #opening: Promise<this> | null = null;
  /** Enqueues that are not stored yet, and who waits for them. */
  #underWay = 0;
  #idle: (() => void)[] = [];

  constructor({ settings, backend, runtime, registry, before }: ServiceParts<Tx>) {
    this.#before = before;
    this.parts = assemble(
      settings,
      backend as QueueBackend<never>,
      runtime,
      registry,
      this as CoreService<unknown> as QueueService<unknown>,
    );
    this.#tx = backend.within?.bind(backend);
    this.#outcomes = new Outcomes(this.parts.calls, runtime.clock, backend.signals);
    this.#inserts = new GroupCommit({
      write: (drafts) => this.#insert(drafts),
      limit: CHUNK,
      defer: backend.gathers ? (flush) => runtime.clock.soon(flush) : queueMicrotask,
    });
    this.#source = {
      read: (id) => this.get(id),
      outcome: (id, timeout, signal) => this.#outcomes.wait(id, timeout, signal),
      cancel: (id, options) => this.cancel(id, options),
      storeNow: () => this.parts.storeTime.now(),
    };
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
    await this.parts.backend.open({ namespace: this.parts.settings.namespace });
    try {
      await this.parts.storeTime.sync();
    } catch (error) {
      await this.parts.backend.close();
      throw error;
    }
    this.#outcomes.reopen();
    this.#state = "open";
    return this;
  }

  async close(): Promise<void> {
    if (this.#opening !== null) await this.#opening.catch(() => {});
    if (this.#state !== "open") return;
    this.#state = "closed";
    if (this.#underWay > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
    await this.#inserts.idle();
    await this.parts.settler.idle();
    this.#outcomes.close(new SiderealError("NOT_OPEN", "The queue service was closed while a result was awaited"));
    await this.parts.backend.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  enqueue<Input, Output>(task: Task<Input, Output>, ...args: EnqueueArguments<Input, Tx>): Promise<TaskHandle<Output>>;
  enqueue(task: string, input?: unknown, options?: EnqueueOptions<Tx>): Promise<TaskHandle>;
  async enqueue(
    task: Task | string,
    input?: unknown,
    options: EnqueueOptions<Tx> = NO_OPTIONS as EnqueueOptions<Tx>,
  ): Promise<TaskHandle> {
    this.#begin();
    try {
      const defined = this.#task(task);
      if (defined.schema !== null) await validated(defined, input, "input");
      const prepared = this.#prepare(defined, input, options, "input");
      if (!isPlain(prepared, options.tx)) return await this.#store(prepared, options.tx);
      return this.#handle(prepared.draft, await this.#inserts.add(prepared.draft));
    } finally {
      this.#end();
    }
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
    this.#begin();
    try {
      return await this.#enqueueAll(this.#task(task), inputs, options);
    } finally {
      this.#end();
    }
  }

  async #enqueueAll(
    task: Task,
    inputs: readonly unknown[],
    options: EnqueueOptions<Tx> | ((input: never, index: number) => EnqueueOptions<Tx>),
  ): Promise<TaskHandle[]> {
    if (!Array.isArray(inputs)) {
      throw new SiderealError(
        "OPTION_INVALID",
        `enqueueMany of ${task.name}: inputs is ${quoted(inputs)}, not an array`,
      );
    }
    if (task.schema !== null) {
      for (const [index, input] of inputs.entries()) await validated(task, input, `inputs[${index}]`);
    }
    const alike = typeof options !== "function";
    const all = Array.from(inputs, (input: unknown, index) => {
      const own = alike ? options : options(input as never, index);
      return { prepared: this.#prepare(task, input, own, `inputs[${index}]`, alike && index > 0), tx: own.tx };
    });
    if (!all.every(({ prepared, tx }) => isPlain(prepared, tx)))
      return Promise.all(all.map(({ prepared, tx }) => this.#store(prepared, tx)));
    const handles: TaskHandle[] = [];
    for (let at = 0; at < all.length; at += CHUNK) {
      const drafts = all.slice(at, at + CHUNK).map(({ prepared }) => prepared.draft);
      const insertions = await this.#insert(drafts);
      drafts.forEach((draft, index) => {
        handles.push(this.#handle(draft, insertions[index] as Insertion));
      });
    }
    return handles;
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

  async cancel(id: string, options: { readonly reason?: string } = {}): Promise<CancelOutcome> {
    const { reason: why } = options;
    if (why !== undefined && typeof why !== "string") {
      throw new SiderealError("OPTION_INVALID", `cancel: reason is ${quoted(why)}, not a text`);
    }
    // A process that only enqueues has not asked for the store's clock since it opened the store.
    const [record] = await Promise.all([this.get(id), this.parts.storeTime.sync()]);
    if (record === null) return "gone";
    const reason = why === undefined ? null : clean(why, 1_000);
    const settled = await this.parts.settler.settle(record, (current) =>
      isTerminal(current) ? null : cancelled(current, { now: this.parts.storeTime.now(), reason, by: "request" }),
    );
    if (settled.verdict === "gone") return "gone";
    if (settled.verdict === "stale") return "too-late";
    return settled.record.state === "cancelled" ? "cancelled" : "requested";
  }

  async resetKey(key: string): Promise<boolean> {
    this.#mustBeOpen();
    const name = foreverName(key);
    const hold = (await this.parts.calls.held(name)).find((other) => other.name === name);
    return hold !== undefined && this.parts.calls.release(name, hold.holder);
  }

  #prepare(task: Task, input: unknown, options: EnqueueOptions<Tx>, what: string, checked = false): Prepared {
    const execution = this.parts.settings.executionBackend;
    const prepared = prepare(task, input, options, { id: this.parts.ids.next(), execution, what, checked });
    if (options.tx !== undefined && (this.#tx === undefined || prepared.forever || isImmediate(prepared))) {
      const why =
        this.#tx === undefined
          ? `the ${this.parts.backend.name} store has no transactions`
          : "it is immediate or unique forever";
      throw new SiderealError("TRANSACTION_UNSUPPORTED", `enqueue of ${task.name}: tx cannot be used because ${why}`);
    }
    if (isImmediate(prepared) && (prepared.draft.readyIn > 0 || prepared.draft.runAt !== null)) {
      throw new SiderealError(
        "OPTION_INVALID",
        `enqueue of ${task.name}: an immediate task cannot wait (delay, runAt)`,
      );
    }
    return prepared;
  }

  async #store({ draft, forever }: Prepared, tx: Tx | undefined): Promise<TaskHandle> {
    if (tx !== undefined && this.#tx !== undefined) {
      const [insertion] = await this.#tx(tx).insert([draft]);
      return this.#handle(draft, insertion as Insertion);
    }
    const handle = forever ? await this.#storeForever(draft) : this.#handle(draft, await this.#inserts.add(draft));
    const { record, id, taskName, outcome } = handle;
    // Of a key for ever it does not matter who made the record: only one call can take it.
    const fresh = outcome === "created" || (forever && record?.version === 1);
    if (record === null || !fresh || record.execution !== "immediate") return handle;
    await runInline(this.parts, record);
    return new TaskHandle(this.#source, id, taskName, outcome, await this.#read(id));
  }

  /**
   * The reservation comes first, under the id that the record will have. Whoever finds a reservation without its
   * record, because the enqueue that took it has died or is still under way, inserts the record under that same id.
   */
  async #storeForever(draft: Draft): Promise<TaskHandle> {
    const { calls } = this.parts;
    const { key, taskName } = draft.record;
    const name = foreverName(key as string);
    const { holder: id, note } = await calls.hold(name, draft.record.id);
    const outcome = id === draft.record.id ? "created" : "existing";
    if (outcome === "existing") {
      const record = await this.#read(id);
      if (record !== null || note === STORED) return new TaskHandle(this.#source, id, taskName, outcome, record);
    }
    try {
      const insertion = await this.#inserts.add({ ...draft, record: { ...draft.record, id } });
      if (insertion.created || insertion.by === "id") {
        await calls.hold(name, id, { note: STORED }).catch((error: unknown) => {
          this.parts.runtime.logger.warn("a reservation could not be marked as used", { key, id, error });
        });
        return new TaskHandle(this.#source, id, taskName, outcome, insertion.record);
      }
    } catch (error) {
      // Only a record that is surely absent gives its reservation back.
      if (hasCode(error, "STORE_FULL") || hasCode(error, "STORE_READ_ONLY")) await calls.release(name, id);
      throw error;
    }
    await calls.release(name, id);
    throw new SiderealError(
      "KEY_CONFLICT",
      `enqueue of ${taskName}: key ${quoted(key)} is held until its record ends, not forever`,
    );
  }

  /** Inserts, asking again under the same ids while the store is in trouble that may pass. */
  async #insert(drafts: readonly Draft[]): Promise<readonly Insertion[]> {
    for (let tries = 1; ; tries += 1) {
      try {
        const insertions = await this.parts.calls.insert(drafts);
        this.parts.storeTime.atLeast(insertions[0]?.record.createdAt ?? 0);
        // Not only our own tries: a driver, too, may have sent the call twice.
        return insertions.map((insertion, at) => ours(insertion, drafts[at] as Draft));
      } catch (error) {
        if (!(error instanceof SiderealError && error.retryable) || tries >= INSERT_TRIES) throw error;
        await new Promise<void>((resolve) => this.parts.runtime.clock.after(25 * 2 ** tries, resolve));
      }
    }
  }

  #handle(draft: Draft, insertion: Insertion): TaskHandle {
    const { id, taskName } = insertion.record;
    if (!insertion.created && insertion.by === "id") {
      throw new SiderealError("ID_CONFLICT", `enqueue of ${draft.record.taskName}: id ${id} exists already`);
    }
    return new TaskHandle(this.#source, id, taskName, insertion.created ? "created" : "existing", insertion.record);
  }

  #task(task: Task | string): Task {
    if (typeof task === "object" && task !== null && typeof task.run === "function") return task;
    if (typeof task !== "string") throw new SiderealError("TASK_UNKNOWN", `enqueue: ${quoted(task)} is no task`);
    const found = this.parts.registry.get(task);
    if (found !== undefined) return found;
    throw new SiderealError("TASK_UNKNOWN", `No task is registered as ${JSON.stringify(clean(task, 200))}`);
  }

  async #read(id: string): Promise<TaskRecord | null> {
    const [record] = await this.parts.calls.find({ by: "id", ids: [id] });
    return record ?? null;
  }

  #begin(): void {
    this.#mustBeOpen();
    this.#underWay += 1;
  }

  #end(): void {
    this.#underWay -= 1;
    if (this.#underWay === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  #mustBeOpen(): void {
    if (this.#state === "open") return;
    const why = this.#state === "new" ? "has not been opened yet" : "was closed";
    throw new SiderealError("NOT_OPEN", `The queue service ${why}`);
  }
}

/** Whether nothing is to be done but to insert it, together with its neighbours. */
function isPlain(prepared: Prepared, tx: unknown): boolean {
  return tx === undefined && !prepared.forever && !isImmediate(prepared);
}

function isImmediate(prepared: Prepared): boolean {
  return prepared.draft.record.execution === "immediate";
}

/** After a lost answer, a record under our own fresh id is the one that we wrote. */
function ours(insertion: Insertion, draft: Draft): Insertion {
  const same = !insertion.created && insertion.by === "id" && insertion.record.id === draft.record.id;
  return same ? { created: true, record: insertion.record } : insertion;
}

/** On a reservation: its record was in the store, so that a missing one has been removed since. */
const STORED = '"stored"';

const foreverName = (key: string): string => `unique:${key}`;
