/** Claiming: which records to ask for, under a token that survives a lost answer. */
import type { ClaimRequest } from "../contracts/queue-backend.ts";
import { SiderealError } from "../model/errors.ts";
import type { Millis, TaskRecord } from "../model/record.ts";
import type { Parts } from "./parts.ts";

export interface Claimed {
  readonly records: readonly TaskRecord[];
  /** Monotonic time at which the request was sent: the local lease window counts from here. */
  readonly sent: Millis;
}

export class Claims {
  readonly #parts: Parts;
  readonly #workerId: string;
  #token: string | null = null;
  #sent: Millis = 0;
  /** Monotonic time since which a claim has been waiting for its answer; null when none is. */
  waitingSince: Millis | null = null;

  constructor(parts: Parts, workerId: string) {
    this.#parts = parts;
    this.#workerId = workerId;
  }

  /**
   * Claims up to `limit` records of tasks that this process knows.
   * After an unknown outcome the same token is sent again, so that what was claimed then is not orphaned.
   */
  async claim(limit: number, queueLimits: Readonly<Record<string, number>>): Promise<Claimed> {
    const { calls, registry, settings, runtime, ids } = this.#parts;
    const tasks = registry.names();
    const sent = runtime.clock.mono();
    if (tasks.length === 0) return { records: [], sent };
    if (this.#token === null) this.#sent = sent;
    this.#token ??= ids.token();
    const { queues, staleAfter } = settings.worker;
    const request: ClaimRequest = {
      token: this.#token,
      workerId: this.#workerId,
      limit,
      lease: staleAfter,
      tasks,
      queues: queues.length === 0 ? null : queues,
      queueLimits,
      executions: ["local"],
    };
    this.waitingSince = sent;
    const records = await calls.claim(request).finally(() => {
      this.waitingSince = null;
    });
    this.#token = null;
    if (records.length > limit) {
      throw new SiderealError(
        "STORE_FAILED",
        `${this.#parts.backend.name}: claim gave ${records.length} records instead of ${limit}`,
      );
    }
    return { records, sent: this.#sent };
  }

  /** Whether a claim was sent whose answer never came. */
  get uncertain(): boolean {
    return this.#token !== null;
  }
}
