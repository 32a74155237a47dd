/** The producer: tasks and inputs become stored records, in as few writes as possible. What `enqueue` does behind the door. */
import type { Insertion, QueueBackend } from "../contracts/queue-backend.ts";
import { quoted } from "../model/duration.ts";
import { hasCode, SiderealError } from "../model/errors.ts";
import { enqueued } from "../model/lifecycle.ts";
import type { Draft, Origin, TaskRecord } from "../model/record.ts";
import { GroupCommit } from "./commit.ts";
import { clean } from "./failure.ts";
import { type HandleSource, TaskHandle } from "./handle.ts";
import { runInline } from "./inline.ts";
import type { Parts } from "./parts.ts";
import { NO_OPTIONS, type Prepared, prepare, validated } from "./prepare.ts";
import type { EnqueueOptions, Task } from "./vocabulary.ts";

/** Records per insert call of the store. */
const CHUNK = 1_000;
const INSERT_TRIES = 4;

export class Producer<Tx> {
  readonly #parts: Parts;
  readonly #tx: QueueBackend<Tx>["within"];
  readonly #inserts: GroupCommit<Draft, Insertion>;
  readonly #source: HandleSource;
  /** Enqueues that are not stored yet, and who waits for them. */
  #underWay = 0;
  #idle: (() => void)[] = [];

  constructor(parts: Parts, backend: QueueBackend<Tx>, source: HandleSource) {
    this.#parts = parts;
    this.#tx = backend.within?.bind(backend);
    this.#source = source;
    this.#inserts = new GroupCommit({
      write: (drafts) => this.insert(drafts),
      limit: CHUNK,
      defer: backend.gathers ? (flush) => parts.runtime.clock.soon(flush) : queueMicrotask,
    });
  }

  /** Resolves when no enqueue is under way. */
  async idle(): Promise<void> {
    if (this.#underWay > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
    await this.#inserts.idle();
  }

  /** Stores one run. @param origin - Of a record that nobody enqueued by hand. */
  async enqueue(
    task: Task | string,
    input?: unknown,
    options: EnqueueOptions<Tx> = NO_OPTIONS as EnqueueOptions<Tx>,
    origin: Origin | null = null,
  ): Promise<TaskHandle> {
    this.#underWay += 1;
    try {
      const defined = this.task(task);
      if (defined.schema !== null) await validated(defined, input, "input");
      const prepared = this.#prepare(defined, input, options, { what: "input", origin });
      if (!isPlain(prepared, options.tx)) return await this.#store(prepared, options.tx);
      return this.#handle(prepared.draft, await this.#inserts.add(prepared.draft));
    } finally {
      this.#end();
    }
  }

  /** Stores many runs of one task, in order. */
  async enqueueMany(
    task: Task | string,
    inputs: readonly unknown[],
    options:
      | EnqueueOptions<Tx>
      | ((input: never, index: number) => EnqueueOptions<Tx>) = NO_OPTIONS as EnqueueOptions<Tx>,
  ): Promise<TaskHandle[]> {
    this.#underWay += 1;
    try {
      return await this.#enqueueAll(this.task(task), inputs, options);
    } finally {
      this.#end();
    }
  }

  /** Stores a further run of a record that has ended, without its key, its delay and its deadline. */
  async again(of: TaskRecord): Promise<TaskHandle> {
    this.#underWay += 1;
    try {
      const origin: Origin = { kind: "retry", of: of.id };
      const draft = enqueued({ ...of, id: this.#parts.ids.next(), key: null, expiresAt: null, origin });
      return await this.#store({ draft, forever: false }, undefined);
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
      return {
        prepared: this.#prepare(task, input, own, { what: `inputs[${index}]`, checked: alike && index > 0 }),
        tx: own.tx,
      };
    });
    const tx = all[0]?.tx;
    if (all.some((one) => one.tx !== tx)) {
      throw new SiderealError("OPTION_INVALID", `enqueueMany of ${task.name}: tx is not the same for all inputs`);
    }
    if (tx === undefined && !all.every(({ prepared }) => isPlain(prepared, tx)))
      return Promise.all(all.map(({ prepared }) => this.#store(prepared, tx)));
    return this.#storeAll(
      all.map(({ prepared }) => prepared.draft),
      tx,
    );
  }

  async #storeAll(drafts: readonly Draft[], tx: Tx | undefined): Promise<TaskHandle[]> {
    const handles: TaskHandle[] = [];
    for (let at = 0; at < drafts.length; at += CHUNK) {
      const chunk = drafts.slice(at, at + CHUNK);
      const insertions = tx === undefined ? await this.insert(chunk) : await this.#tx?.(tx).insert(chunk);
      chunk.forEach((draft, index) => {
        handles.push(this.#handle(draft, insertions?.[index] as Insertion));
      });
    }
    return handles;
  }

  #prepare(
    task: Task,
    input: unknown,
    options: EnqueueOptions<Tx>,
    {
      what,
      checked = false,
      origin = null,
    }: { readonly what: string; readonly checked?: boolean; readonly origin?: Origin | null },
  ): Prepared {
    const execution = this.#parts.settings.executionBackend;
    const prepared = prepare(task, input, options, { id: this.#parts.ids.next(), execution, what, checked, origin });
    if (options.tx !== undefined && (this.#tx === undefined || prepared.forever || isImmediate(prepared))) {
      const why =
        this.#tx === undefined
          ? `the ${this.#parts.backend.name} store has no transactions`
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
    await runInline(this.#parts, record);
    return new TaskHandle(this.#source, id, taskName, outcome, await this.#read(id));
  }

  /**
   * The reservation comes first, under the id that the record will have. Whoever finds a reservation without its
   * record, because the enqueue that took it has died or is still under way, inserts the record under that same id.
   */
  async #storeForever(draft: Draft): Promise<TaskHandle> {
    const { calls } = this.#parts;
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
          this.#parts.runtime.logger.warn("a reservation could not be marked as used", { key, id, error });
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
  async insert(drafts: readonly Draft[]): Promise<readonly Insertion[]> {
    for (let tries = 1; ; tries += 1) {
      try {
        const insertions = await this.#parts.calls.insert(drafts);
        this.#parts.storeTime.atLeast(insertions[0]?.record.createdAt ?? 0);
        // Not only our own tries: a driver, too, may have sent the call twice.
        return insertions.map((insertion, at) => ours(insertion, drafts[at] as Draft));
      } catch (error) {
        if (!(error instanceof SiderealError && error.retryable) || tries >= INSERT_TRIES) throw error;
        await new Promise<void>((resolve) => this.#parts.runtime.clock.after(25 * 2 ** tries, resolve));
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

  /** The task itself, or the registered one of that name. @throws TASK_UNKNOWN */
  task(task: Task | string): Task {
    if (typeof task === "object" && task !== null && typeof task.run === "function") return task;
    if (typeof task !== "string") throw new SiderealError("TASK_UNKNOWN", `enqueue: ${quoted(task)} is no task`);
    const found = this.#parts.registry.get(task);
    if (found !== undefined) return found;
    throw new SiderealError("TASK_UNKNOWN", `No task is registered as ${JSON.stringify(clean(task, 200))}`);
  }

  async #read(id: string): Promise<TaskRecord | null> {
    const [record] = await this.#parts.calls.find({ by: "id", ids: [id] });
    return record ?? null;
  }

  #end(): void {
    this.#underWay -= 1;
    if (this.#underWay === 0) for (const resolve of this.#idle.splice(0)) resolve();
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

/** Name of the reservation that a key for ever is. */
export const foreverName = (key: string): string => `unique:${key}`;
