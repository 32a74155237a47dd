/** Claiming: which records to ask for, under a token that survives a lost answer. */
import type { ClaimRequest } from "../contracts/queue-backend.ts";
import { SiderealError } from "../model/errors.ts";
import type { Millis, TaskRecord } from "../model/record.ts";
import type { Parts } from "./parts.ts";

export interface Claimed {
  readonly records: readonly TaskRecord[];
  /** Monotonic time at which the request was sent: the local lease window counts from here. */
  readonly sent: Millis;
  /** How long each lease surely lasts from then, in the order of the records. */
  readonly granted: readonly Millis[];
}

/** The execution backends whose records a worker runs itself. */
export const EXECUTIONS: readonly string[] = ["local"];

export class Claims {
  readonly #parts: Parts;
  readonly #workerId: string;
  /** Kept until its answer has come. */
  #token: string | null = null;
  /** Monotonic time since which a claim has been waiting for its answer; null when none is. */
  waitingSince: Millis | null = null;

  constructor(parts: Parts, workerId: string) {
    this.#parts = parts;
    this.#workerId = workerId;
  }

  /**
   * Claims up to `limit` records of tasks that this process knows.
   * After an unknown outcome the same token is sent again, so that what was claimed then is not orphaned; that may be
   * more than is asked for now.
   */
  async claim(limit: number, queueLimits: Readonly<Record<string, number>>): Promise<Claimed> {
    const { registry, ids } = this.#parts;
    const tasks = registry.names();
    if (tasks.length === 0 && this.#token === null) return this.#nothing();
    const again = this.#token !== null;
    this.#token ??= ids.token();
    const claimed = await this.#send(this.#token, { limit, tasks, queueLimits });
    const kept = again ? await this.#renewed(claimed) : claimed;
    this.#token = null;
    if (!again && kept.records.length > limit) {
      throw new SiderealError(
        "STORE_FAILED",
        `${this.#parts.backend.name}: claim gave ${kept.records.length} records instead of ${limit}`,
      );
    }
    return kept;
  }

  /** What a claim without an answer had given us, if anything; nothing new is claimed. */
  async recover(): Promise<Claimed> {
    const claimed = await this.#send(this.#token as string, { limit: 1, tasks: [], queueLimits: {} });
    this.#token = null;
    return claimed;
  }

  /** There is nothing to ask for; whether the store answers is worth knowing all the same. */
  async #nothing(): Promise<Claimed> {
    const { calls, runtime } = this.#parts;
    const sent = runtime.clock.mono();
    this.waitingSince = sent;
    await calls.now().finally(() => {
      this.waitingSince = null;
    });
    return { records: [], sent, granted: [] };
  }

  async #send(token: string, what: Pick<ClaimRequest, "limit" | "tasks" | "queueLimits">): Promise<Claimed> {
    const { calls, settings, runtime } = this.#parts;
    const { queues, staleAfter } = settings.worker;
    const sent = runtime.clock.mono();
    const request: ClaimRequest = {
      ...what,
      token,
      workerId: this.#workerId,
      lease: staleAfter,
      queues: queues.length === 0 ? null : queues,
      executions: EXECUTIONS,
    };
    this.waitingSince = sent;
    const records = await calls.claim(request).finally(() => {
      this.waitingSince = null;
    });
    return { records, sent, granted: records.map(grantedAtClaim) };
  }

  /** Whether these leases began with this request or with the lost one before is not known: renewed, they surely begin now. */
  async #renewed({ records }: Claimed): Promise<Claimed> {
    const { calls, settings, runtime } = this.#parts;
    const sent = runtime.clock.mono();
    if (records.length === 0) return { records, sent, granted: [] };
    const refs = records.map((record) => ({ id: record.id, claim: record.claim as string }));
    const answers = await calls.renew(refs, settings.worker.staleAfter);
    // Held, but with nothing remaining: the attempt's hard end has passed, and the reaper takes it.
    const held = records.flatMap((record, at) => {
      const answer = answers[at];
      return answer?.state === "held" && answer.remaining > 0 ? [{ record, remaining: answer.remaining }] : [];
    });
    return { records: held.map(({ record }) => record), sent, granted: held.map(({ remaining }) => remaining) };
  }

  /** Whether a claim was sent whose answer never came. */
  get uncertain(): boolean {
    return this.#token !== null;
  }
}

/** What the store gave with a claim: less than a whole lease where the attempt's hard end is near. */
function grantedAtClaim({ leaseUntil, startedAt }: TaskRecord): Millis {
  return leaseUntil === null || startedAt === null ? 0 : leaseUntil - startedAt;
}
