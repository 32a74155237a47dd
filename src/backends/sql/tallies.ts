/** Counts per queue. */
import type { Tally } from "../../contracts/queue-backend.ts";
import { byCodePoint } from "../../model/order.ts";
import type { Millis, RecordState } from "../../model/record.ts";
import { STATES } from "./columns.ts";
import type { TextRow } from "./port.ts";
import { restored } from "./text.ts";

type Counts = { -readonly [Name in keyof Tally]: Tally[Name] };

export class Tallies {
  readonly #queues = new Map<string, Counts>();

  /** So many records of a queue are pending, so many of these are ready, and the first of them became so then. */
  pending(queue: string, all: number, ready: number, oldest: Millis): void {
    const counts = this.#of(queue);
    counts.pending = ready;
    counts.scheduled = all - ready;
    counts.oldestReadyAt = ready > 0 ? oldest : null;
  }

  /** So many records of a queue are in another state. */
  add(queue: string, state: Exclude<RecordState, "pending">, count: number): void {
    this.#of(queue)[state === "dispatched" ? "running" : state] += count;
  }

  /** By name. */
  list(): Tally[] {
    return [...this.#queues.values()].sort((a, b) => byCodePoint(a.queue, b.queue));
  }

  #of(queue: string): Counts {
    const none = { pending: 0, scheduled: 0, running: 0, completed: 0, failed: 0, cancelled: 0, oldestReadyAt: null };
    const counts = this.#queues.get(queue) ?? { queue, ...none };
    this.#queues.set(queue, counts);
    return counts;
  }
}

/** The counts in rows of texts: queue, state, how many are ready, how many there are, since when the first of them is ready. */
export function talliesIn(rows: readonly TextRow[]): Tally[] {
  const tallies = new Tallies();
  for (const [name, place, ready, all, oldest] of rows) {
    const queue = restored(name ?? "");
    const state = STATES[Number(place)];
    if (state === "pending") tallies.pending(queue, Number(all), Number(ready), Number(oldest));
    else if (state !== undefined) tallies.add(queue, state, Number(all));
  }
  return tallies.list();
}
