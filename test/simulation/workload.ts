/** What comes in from outside while the simulation runs: enqueues with a client's retries, and cancels by an operator. */
import type { EnqueueOptions, TaskHandle } from "../../src/index.ts";
import { hasCode, SiderealError } from "../../src/model/errors.ts";
import { isTerminal } from "../../src/model/record.ts";
import type { Chance } from "../../src/testing/backend-contract/chance.ts";
import type { Journal } from "./journal.ts";
import type { Plan } from "./plan.ts";
import type { SimProcess } from "./process.ts";
import { chore, type Result, type Work, work } from "./tasks.ts";
import type { Witness } from "./witness.ts";

const KINDS: readonly Work["kind"][] = [
  ...(["quick", "quick", "slow", "slow", "slow", "deaf", "throws", "throws", "hostile"] as const),
  ...(["final", "later", "snoozes", "notes", "notes", "blocks", "kills"] as const),
];
const TRIES = 3;

export class Workload {
  readonly #plan: Plan;
  readonly #chance: Chance;
  readonly #journal: Journal;
  readonly #witness: Witness;
  /** Ids whose enqueue was acknowledged. */
  readonly acknowledged: string[] = [];
  /** Calls from outside that have not come to an end. */
  open = 0;

  constructor(plan: Plan, chance: Chance, journal: Journal, witness: Witness) {
    this.#plan = plan;
    this.#chance = chance;
    this.#journal = journal;
    this.#witness = witness;
  }

  /** Lets one enqueue come in, as a client makes it: with a few tries, under the same key if it has one. */
  async enqueue(from: SimProcess, canary = false): Promise<void> {
    const input = canary ? ({ kind: "quick", ms: 0, times: 0 } as const) : this.#work();
    const options = canary ? {} : this.#options(input);
    const task = this.#chance.often(0.7) ? work : chore;
    const wait = this.#chance.often(0.3) ? this.#plan.lease * 2 : null;
    this.open += 1;
    try {
      for (let tries = 0; tries < TRIES; tries += 1) {
        try {
          const handle = await from.service.enqueue(task, input, options);
          this.#acknowledge(from, handle, options);
          if (wait !== null) void this.#result(from, handle, wait);
          return;
        } catch (error) {
          if (!(error instanceof SiderealError && error.retryable)) throw error;
          this.#journal.note(from.name, `enqueue failed: ${error.code}`);
        }
        await from.sleep(this.#plan.lease / 10);
      }
    } catch (error) {
      const expected = hasCode(error, "KEY_CONFLICT");
      this.#journal.check("I7", expected, () => `enqueue threw ${String(error)}`);
    } finally {
      this.open -= 1;
    }
  }

  /** Lets somebody cancel a record. */
  async cancel(from: SimProcess): Promise<void> {
    const ids = [...this.#witness.lives.keys()];
    const id = this.#chance.pick(ids);
    if (id === undefined) return;
    this.open += 1;
    try {
      const outcome = await from.service.cancel(id, { reason: "unwanted" });
      const life = this.#witness.lives.get(id);
      this.#journal.note(from.name, `cancel: ${outcome}`, [id]);
      const record = life?.record;
      const ended = record !== undefined && isTerminal(record);
      const holds =
        outcome === "gone"
          ? life?.present === false
          : outcome === "requested"
            ? ended || (record?.cancelRequestedAt ?? null) !== null
            : ended;
      this.#journal.check("cancel", holds, () => `cancel answered ${outcome}, the record is ${record?.state}`, id);
      const own = record?.state === "cancelled" && record.reason === "unwanted";
      this.#journal.check("cancel", outcome !== "cancelled" || own, () => `cancelled, but ${record?.reason}`, id);
    } catch (error) {
      const expected = error instanceof SiderealError && error.retryable;
      this.#journal.check("I7", expected, () => `cancel threw ${String(error)}`, id);
    } finally {
      this.open -= 1;
    }
  }

  #acknowledge(from: SimProcess, handle: TaskHandle<unknown>, { key, uniqueUntil }: EnqueueOptions): void {
    const { id, outcome } = handle;
    const life = this.#witness.lives.get(id);
    this.#journal.note(from.name, `enqueue: ${outcome}`, [id]);
    // A reservation for ever is answered with its holder's id, whose record may still be on its way.
    const promised = uniqueUntil === "forever" && outcome === "existing";
    this.#journal.check("I1", life !== undefined || promised, () => "acknowledged, but never stored", id);
    this.#journal.check("I11", outcome === "created" || key !== undefined, () => "existing without a key", id);
    if (life !== undefined) this.acknowledged.push(id);
  }

  /** Waits for the result, which may neither hang nor differ from the record. */
  async #result(from: SimProcess, handle: TaskHandle<unknown>, timeout: number): Promise<void> {
    const { id } = handle;
    const began = from.clock.mono();
    this.open += 1;
    const outcome = await handle.result({ timeout }).then(
      (value) => ({ code: "completed", fence: (value as Result).fence }),
      (error: unknown) => ({ code: error instanceof SiderealError ? error.code : String(error), fence: 0 }),
    );
    this.open -= 1;
    this.#journal.note(from.name, `result: ${outcome.code}`, [id]);
    const took = from.clock.mono() - began;
    this.#journal.check("I16", from.wasPaused || took <= timeout + 1, () => `result took ${took} of ${timeout} ms`, id);
    const record = this.#witness.lives.get(id)?.record;
    const states = { completed: "completed", TASK_FAILED: "failed", TASK_CANCELLED: "cancelled" } as const;
    const { code } = outcome;
    if (code in states) {
      const right = record?.state === states[code as keyof typeof states];
      this.#journal.check("I14", right, () => `result said ${code}, the record is ${record?.state}`, id);
    } else {
      const expected = code === "RESULT_TIMEOUT" || code === "RECORD_GONE";
      this.#journal.check("I14", expected, () => `result threw ${code}`, id);
    }
  }

  #work(): Work {
    const kind = this.#chance.pick(KINDS) as Work["kind"];
    const ms = Math.round(this.#plan.lease * this.#chance.pick([0.01, 0.1, 0.5, 1.5]));
    return { kind, ms, times: this.#chance.below(3) };
  }

  #options({ ms }: Work): EnqueueOptions {
    const { lease } = this.#plan;
    const often = (share: number): boolean => this.#chance.often(share);
    return {
      retries: this.#chance.below(4),
      backoff: { type: "fixed", delay: Math.round(lease / 10) },
      priority: this.#chance.below(3),
      ...(often(0.3) && { queue: "narrow" }),
      ...(often(0.2) && { delay: Math.round((this.#chance.below(10) / 10) * lease) }),
      ...(often(0.2) && { timeout: Math.max(1, Math.round(ms * this.#chance.pick([0.5, 2]))) }),
      ...(often(0.1) && { expiresIn: this.#chance.below(lease) }),
      ...(often(0.2) && { key: `key-${this.#chance.below(3)}` }),
      ...(often(0.05) && { key: `ever-${this.#chance.below(2)}`, uniqueUntil: "forever" as const }),
      ...(often(0.1) && { requeueOnShutdown: false }),
    };
  }
}
