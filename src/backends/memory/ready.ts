/** The claimable side of the memory store: one heap per group of records that every filter treats alike. */
import type { ClaimRequest } from "../../contracts/queue-backend.ts";
import type { Millis, TaskRecord } from "../../model/record.ts";

interface Entry {
  readonly id: string;
  readonly version: number;
  readonly readyAt: Millis;
  readonly seq: number;
}

interface Group {
  readonly queue: string;
  readonly taskName: string;
  readonly execution: string;
  readonly priority: number;
  readonly heap: Entry[];
}

const before = (a: Entry, b: Entry): boolean => a.readyAt < b.readyAt || (a.readyAt === b.readyAt && a.seq < b.seq);

/** Pending records in claim order. An entry whose record has moved on is dropped when it comes up. */
export class ReadyIndex {
  readonly #groups = new Map<string, Group>();
  readonly #current: (id: string, seq: number) => TaskRecord | undefined;

  /** @param current - The record of that id, provided that it is still the one that came in at this place. */
  constructor(current: (id: string, seq: number) => TaskRecord | undefined) {
    this.#current = current;
  }

  add(record: TaskRecord, seq: number): void {
    const key = `${record.priority} ${record.queue} ${record.taskName} ${record.execution}`;
    let group = this.#groups.get(key);
    if (group === undefined) {
      const { queue, taskName, execution, priority } = record;
      group = { queue, taskName, execution, priority, heap: [] };
      this.#groups.set(key, group);
    }
    push(group.heap, { id: record.id, version: record.version, readyAt: record.readyAt, seq });
  }

  /** Takes up to `limit` records out, in claim order; expired ones are left to the sweep. */
  take(request: ClaimRequest, now: Millis): TaskRecord[] {
    const left = new Map(Object.entries(request.queueLimits));
    const groups = [...this.#groups.values()].filter((group) => serves(request, group));
    const taken: TaskRecord[] = [];
    while (taken.length < request.limit) {
      const group = this.#first(groups, left, now);
      if (group === undefined) break;
      const record = this.#live(pop(group.heap) as Entry) as TaskRecord;
      if (record.expiresAt !== null && record.expiresAt <= now) continue;
      taken.push(record);
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
        if (entry.readyAt > now && (next === undefined || before(entry, next)) && this.#live(entry)) next = entry;
        if (entry === group.heap[0] && entry.readyAt > now) break;
      }
    }
    return next && this.#current(next.id, next.seq);
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
    while (group.heap[0] !== undefined && this.#live(group.heap[0]) === undefined) pop(group.heap);
    return group.heap[0];
  }

  #live(entry: Entry): TaskRecord | undefined {
    const record = this.#current(entry.id, entry.seq);
    return record?.version === entry.version && record.state === "pending" ? record : undefined;
  }
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
