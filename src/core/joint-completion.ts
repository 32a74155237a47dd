/**
 * Completing a record inside a database transaction, so that the handler's writes and the outcome stand or fall together. The
 * guard is that of every outcome: version and claim; a worker that has lost its record rolls back what it wrote.
 */
import { SiderealError } from "../model/errors.ts";
import { completed, isOwned, type Note } from "../model/lifecycle.ts";
import type { Millis, TaskRecord } from "../model/record.ts";
import { storable } from "./ending.ts";
import type { Notes } from "./notes.ts";
import type { Parts } from "./parts.ts";
import { type Decide, type Settled, type SettleOptions, Settler } from "./settle.ts";

/** The attempt as its completion sees it. */
export interface JointHost {
  /** As last known; moves on with every note. */
  readonly record: TaskRecord;
  readonly claim: string;
  /** Why the attempt must not be completed any more; null: it may be. */
  readonly obstacle: SiderealError | null;
  /** Progress and log lines, which cannot always be written while a transaction is open. */
  readonly notes: Pick<Notes, "idle" | "hold" | "kept" | "release">;
  /** The record as somebody else left it, still ours. */
  moved(record: TaskRecord): void;
}

/** How often the record may change between the reading and the writing: a cancel request is all that can come. */
const CONFLICTS = 10;

export class JointCompletion {
  readonly #parts: Parts;
  readonly #host: JointHost;
  readonly #force: AbortController = new AbortController();
  #open = false;
  /** What was written in a transaction whose end is not known. */
  #pending: { readonly record: TaskRecord; readonly since: Millis } | null = null;
  #done: TaskRecord | null = null;
  /** Why the body's result could not be stored. */
  #unstorable: { readonly why: unknown } | null = null;

  constructor(parts: Parts, host: JointHost) {
    this.#parts = parts;
    this.#host = host;
  }

  /** Whether the record is completed, for sure. */
  get isDone(): boolean {
    return this.#done !== null;
  }

  /** Whether nothing is to be written: it is completed, or a transaction that will be over in a moment has the record's lock. */
  get isLocked(): boolean {
    if (this.#done !== null || this.#pending === null) return this.#done !== null;
    const { heartbeatInterval } = this.#parts.settings.worker;
    return this.#parts.runtime.clock.mono() < this.#pending.since + heartbeatInterval;
  }

  async transaction<Tx, Result>(body: (tx: Tx) => Promise<Result>): Promise<Result> {
    const { backend } = this.#parts;
    if (backend.transaction === undefined) throw this.#unsupported();
    this.#begin();
    let answer: { readonly result: Result } | null = null;
    const { notes } = this.#host;
    try {
      // A store with one writer would keep them, and whoever awaits them, waiting for the body.
      await notes.idle();
      notes.hold();
      await backend.transaction(async (tx) => {
        const result = await body(tx as Tx);
        await this.#complete(tx, result, notes.kept);
        answer = { result };
      }, this.#force.signal);
      this.#done = this.#pending?.record ?? null;
    } catch (error) {
      // An error after the last statement leaves it open whether the commit was done.
      if (answer === null || !(await this.#isCommitted().catch(() => false))) {
        notes.release();
        throw error;
      }
    } finally {
      this.#open = false;
    }
    return (answer as unknown as { readonly result: Result }).result;
  }

  async completeIn(tx: unknown, result: unknown): Promise<void> {
    this.#begin();
    try {
      await this.#complete(tx as never, result, null);
    } finally {
      this.#open = false;
    }
  }

  /** Ends an open transaction whose body ignores that it should stop. */
  force(reason: SiderealError): void {
    this.#force.abort(reason);
  }

  /** Whether this was thrown because the body's result could not be stored. */
  refused(thrown: unknown): boolean {
    return this.#unstorable !== null && thrown === this.#unstorable.why;
  }

  /** How the attempt is reported: as its transaction left the record, or as the handler ended where that was rolled back. */
  async settled(usual: () => Promise<Settled | null>): Promise<Settled | null> {
    if (this.#done === null && this.#pending !== null) await this.#isCommitted().catch(() => false);
    if (this.#done !== null) return { verdict: "applied", record: this.#done };
    const settled = await usual();
    if (this.#pending === null || settled?.verdict === "applied") return settled;
    return (await this.#isCommitted()) ? { verdict: "applied", record: this.#pending.record } : settled;
  }

  /** Settles beside the others: the transaction may still have the record's lock, and none of theirs must wait for that. */
  settle(decide: Decide, options: SettleOptions): Promise<Settled> {
    const { calls, runtime, settler } = this.#parts;
    const own = this.#pending === null ? settler : new Settler(calls, runtime, false);
    return own.settle(this.#host.record, decide, options);
  }

  #begin(): void {
    const { id, taskName } = this.#host.record;
    const open = this.#open ? "is being completed in another transaction" : "has been completed in a transaction";
    if (this.#open || this.#done !== null)
      throw new SiderealError("ILLEGAL_TRANSITION", `Task ${taskName} (${id}) ${open}`);
    this.#check();
    this.#open = true;
  }

  /** The last statement of the transaction. */
  async #complete(tx: never, value: unknown, note: Note | null): Promise<void> {
    const { backend, storeTime, runtime } = this.#parts;
    if (backend.within === undefined) throw this.#unsupported();
    const ending = storable(value);
    if ("unstorable" in ending) {
      this.#unstorable = { why: ending.unstorable };
      throw ending.unstorable;
    }
    const result = "result" in ending ? ending.result : null;
    for (let conflicts = 0; conflicts < CONFLICTS; conflicts += 1) {
      this.#check();
      const from = this.#host.record;
      const to = completed(from, { now: storeTime.now(), result, note });
      this.#pending = { record: to, since: runtime.clock.mono() };
      let held = false;
      try {
        [held = false] = await backend.within(tx).apply([{ from, to }]);
      } finally {
        if (!held) this.#pending = null;
      }
      if (!held) await this.#readAgain();
      else return this.#checkWritten();
    }
    throw new SiderealError("STORE_FAILED", `Task ${this.#host.record.id} kept changing while it was completed`);
  }

  /** Somebody else has written the record, or has it. */
  async #readAgain(): Promise<void> {
    const { id } = this.#host.record;
    const [current] = await this.#parts.calls.find({ by: "id", ids: [id] });
    if (current !== undefined && isOwned(current, this.#host.claim)) return this.#host.moved(current);
    const why = current === undefined ? "is no longer in the store" : "was taken over after its lease ended";
    throw new SiderealError("LEASE_LOST", `Task ${id} ${why}; the transaction is to be rolled back`);
  }

  /** What stopped the attempt while the last statement ran stops the commit, too. */
  #checkWritten(): void {
    try {
      this.#check();
    } catch (error) {
      this.#pending = null;
      throw error;
    }
  }

  #check(): void {
    if (this.#host.obstacle !== null) throw this.#host.obstacle;
  }

  /** Whether what was written is there for others; if it is, the attempt is done. */
  async #isCommitted(): Promise<boolean> {
    const wanted = this.#pending?.record;
    if (wanted === undefined) return false;
    const [current] = await this.#parts.calls.find({ by: "id", ids: [wanted.id] });
    if (current?.state === "completed" && current.version === wanted.version && current.claim === wanted.claim) {
      this.#done = current;
      return true;
    }
    return false;
  }

  #unsupported(): SiderealError {
    const { taskName } = this.#host.record;
    const store = this.#parts.backend.name;
    return new SiderealError("TRANSACTION_UNSUPPORTED", `Task ${taskName}: the ${store} store has no transactions`);
  }
}
