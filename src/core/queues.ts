/** Queues and workers, for operators: pausing and resuming, how deep each queue is, who works. */

import type { Hold, Tally } from "../contracts/queue-backend.ts";
import { quoted } from "../model/duration.ts";
import { SiderealError } from "../model/errors.ts";
import { checkName } from "../model/names.ts";
import { clean } from "./failure.ts";
import type { QueueInfo, Queues, WorkerInfo } from "./operators.ts";
import type { Parts } from "./parts.ts";
import { PAUSES, pausedQueue, pauseNote, pauseOf, REASON_LENGTH } from "./pauses.ts";
import { PRESENCES } from "./presence.ts";
import { workerOf } from "./presence-note.ts";

const NONE: Omit<Tally, "queue"> = {
  ...{ pending: 0, scheduled: 0, running: 0, completed: 0, failed: 0, cancelled: 0 },
  oldestReadyAt: null,
};

export class QueueOperations implements Queues {
  readonly #parts: Parts;
  readonly #mustBeOpen: () => void;

  constructor(parts: Parts, mustBeOpen: () => void) {
    this.#parts = parts;
    this.#mustBeOpen = mustBeOpen;
  }

  async pause(name: string, options: { readonly reason?: string } = {}): Promise<boolean> {
    this.#mustBeOpen();
    const queue = checkName(name, "queues.pause: the queue");
    const reason = reasonOf(options);
    const { calls, ids, storeTime } = this.#parts;
    const at = await storeTime.sync();
    // A holder of its own for each pause: whoever came first has it, and no later pause overwrites when and why.
    const holder = ids.token();
    const hold = await calls.hold(PAUSES + queue, holder, { note: pauseNote({ at, reason }) });
    return hold.holder === holder;
  }

  async resume(name: string): Promise<boolean> {
    this.#mustBeOpen();
    const hold = await pauseHold(this.#parts, checkName(name, "queues.resume: the queue"));
    return hold !== undefined && this.#parts.calls.release(hold.name, hold.holder);
  }

  async list(): Promise<readonly QueueInfo[]> {
    this.#mustBeOpen();
    const { calls } = this.#parts;
    const [tallies, pauses, workers] = await Promise.all([calls.tally(), calls.held(PAUSES), listWorkers(this.#parts)]);
    const now = this.#parts.storeTime.now();
    const byQueue = new Map<string, Tally>(tallies.map((tally) => [tally.queue, tally]));
    for (const queue of pauses.map(pausedQueue)) {
      if (!byQueue.has(queue)) byQueue.set(queue, { queue, ...NONE });
    }
    const paused = new Map(pauses.map((hold) => [pausedQueue(hold), pauseOf(hold)]));
    return [...byQueue.values()]
      .map((tally): QueueInfo => {
        const { queue: name, oldestReadyAt, ...counts } = tally;
        return {
          name,
          counts: { ...counts, total: Object.values(counts).reduce((sum, count) => sum + count, 0) },
          paused: paused.get(name) ?? null,
          oldestReadyAt,
          oldestAge: oldestReadyAt === null ? null : Math.max(0, now - oldestReadyAt),
          workers: workers.filter((worker) => worker.alive && serves(worker, name)).length,
        };
      })
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}

/** The workers that are listed, by id; the store's clock was read just before. */
export async function listWorkers({ calls, storeTime }: Parts): Promise<readonly WorkerInfo[]> {
  const [holds, now] = await Promise.all([calls.held(PRESENCES), storeTime.sync()]);
  return holds.map((hold) => workerOf(hold, now)).sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** The hold that pauses a queue. */
export async function pauseHold({ calls }: Parts, queue: string): Promise<Hold | undefined> {
  const name = PAUSES + queue;
  return (await calls.held(name)).find((hold) => hold.name === name);
}

const serves = ({ queues }: WorkerInfo, queue: string): boolean => queues.length === 0 || queues.includes(queue);

function reasonOf(options: { readonly reason?: string }): string | null {
  const { reason } = options;
  if (reason === undefined) return null;
  if (typeof reason === "string") return clean(reason, REASON_LENGTH);
  throw new SiderealError("OPTION_INVALID", `queues.pause: reason is ${quoted(reason)}, not a text`);
}
