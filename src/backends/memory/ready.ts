/** The claimable side of the memory store: one heap per group of records that every filter treats alike. */
import type { ClaimRequest } from "../../contracts/queue-backend.ts";
import type { Millis, TaskRecord } from "../../model/record.ts";

/** Where the store keeps a record. */
export interface Slot {
  record: TaskRecord;
  /** When it came in: first in, first out among equals. */
  readonly place: number;
  /** It was removed; another record of that id would have a slot of its own. */
  gone: boolean;
}

interface Entry {
  readonly slot: Slot;
  readonly version: number;
  readonly readyAt: Millis;
  readonly place: number;
}

interface Group {
  readonly queue: string;
  readonly taskName: string;
  readonly execution: string;
  readonly priority: number;
  readonly heap: Entry[];
}

const before = (a: Entry, b: Entry): boolean => a.readyAt < b.readyAt || (a.readyAt === b.readyAt && a.place < b.place);

/** Pending records in claim order. An entry whose record has moved on is dropped when it comes up. */
export class ReadyIndex {
  readonly #groups = new Map<string, Group>();
  /** The group of the last record, which is mostly that of the next one, too. */
  #latest: Group | undefined;

  add(slot: Slot): void {
    const { version, readyAt } = slot.record;
    push(this.#groupOf(slot.record).heap, { slot, version, readyAt, place: slot.place });
  }

  /** Takes up to `limit` records out, in claim order; expired ones are left to the sweep. */
  take(request: ClaimRequest, now: Millis): Slot[] {
    const left = new Map(Object.entries(request.queueLimits));
    const groups = [...this.#groups.values()].filter((group) => serves(request, group));
    const taken: Slot[] = [];
    while (taken.length < request.limit) {
      const group = this.#first(groups, left, now);
      if (group === undefined) break;
      const { slot } = pop(group.heap) as Entry;
      const { record } = slot;
      if (record.expiresAt !== null && record.expiresAt <= now) continue;
      taken.push(slot);
      const limit = left.get(group.queue);
      if (limit !== undefined) left.set(group.queue, limit - 1);
    }
    return taken;
  }

  /** The record that becomes ready next after `now`. */
  next(queues: readonly string[] | null, now: Millis): TaskRecord | undefined {
    let next: Entry | undefined;
    for (const group of this.#groups.values()) {
      if (queues !== null && !queues.includes(group.queue)) continue;
      this.#top(group);
      for (const entry of group.heap) {
        if (entry.readyAt > now && (next === undefined || before(entry, next)) && isLive(entry)) next = entry;
        if (entry === group.heap[0] && entry.readyAt > now) break;
      }
    }
    return next?.slot.record;
  }

  #groupOf({ queue, taskName, execution, priority }: TaskRecord): Group {
    const latest = this.#latest;
    if (
      latest?.taskName === taskName &&
      latest.queue === queue &&
      latest.priority === priority &&
      latest.execution === execution
    )
      return latest;
    const key = `${priority} ${queue} ${taskName} ${execution}`;
    const group = this.#groups.get(key) ?? { queue, taskName, execution, priority, heap: [] };
    this.#groups.set(key, group);
    this.#latest = group;
    return group;
  }

  #first(groups: readonly Group[], left: ReadonlyMap<string, number>, now: Millis): Group | undefined {
    let best: Group | undefined;
    let bestTop: Entry | undefined;
    for (const group of groups) {
      if ((left.get(group.queue) ?? 1) <= 0) continue;
      const top = this.#top(group);
      if (top === undefined || top.readyAt > now) continue;
      const better = best === undefined || group.priority > best.priority;
      if (better || (group.priority === best?.priority && before(top, bestTop as Entry))) {
        best = group;
        bestTop = top;
      }
    }
    return best;
  }

  #top(group: Group): Entry | undefined {
    while (group.heap[0] !== undefined && !isLive(group.heap[0])) pop(group.heap);
    return group.heap[0];
  }
}

/** Whether the record still waits as it did when the entry was made. */
function isLive({ slot, version }: Entry): boolean {
  return !slot.gone && slot.record.version === version && slot.record.state === "pending";
}

function serves(request: ClaimRequest, group: Group): boolean {
  return (
    (request.queues === null || request.queues.includes(group.queue)) &&
    request.tasks.includes(group.taskName) &&
    request.executions.includes(group.execution)
  );
}

function push(heap: Entry[], entry: Entry): void {
  let at = heap.length;
  heap.push(entry);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent] as Entry;
    if (!before(entry, above)) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = entry;
}

function pop(heap: Entry[]): Entry | undefined {
  const top = heap[0];
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return top;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1] as Entry, heap[child] as Entry)) child += 1;
    if (!before(heap[child] as Entry, last)) break;
    heap[at] = heap[child] as Entry;
    at = child;
  }
  heap[at] = last;
  return top;
}
