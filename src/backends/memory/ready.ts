/** The claimable side of the memory store: one line per group of records that every filter treats alike. */
import type { ClaimRequest } from "../../contracts/queue-backend.ts";
import type { Millis, TaskRecord } from "../../model/record.ts";
import { Line } from "./line.ts";

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
  readonly line: Line<Entry>;
}

const before = (a: Entry, b: Entry): boolean => a.readyAt < b.readyAt || (a.readyAt === b.readyAt && a.place < b.place);

/** Pending records in claim order. An entry whose record has moved on is dropped when it comes up. */
export class ReadyIndex {
  readonly #groups = new Map<string, Group>();
  /** The group of the last record, which is mostly that of the next one, too. */
  #latest: Group | undefined;

  add(slot: Slot): void {
    const { version, readyAt } = slot.record;
    this.#groupOf(slot.record).line.add({ slot, version, readyAt, place: slot.place });
  }

  /** Takes up to `limit` records out, in claim order; expired ones are left to the sweep. */
  take(request: ClaimRequest, now: Millis): Slot[] {
    const left = new Map(Object.entries(request.queueLimits));
    const groups = [...this.#groups.values()].filter((group) => serves(request, group));
    const taken: Slot[] = [];
    while (taken.length < request.limit) {
      const group = this.#first(groups, left, now);
      if (group === undefined) break;
      const { slot } = group.line.shift() as Entry;
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
      const top = this.#top(group);
      for (const entry of top === undefined || top.readyAt > now ? [] : group.line) {
        if (entry.readyAt > now && (next === undefined || before(entry, next)) && isLive(entry)) next = entry;
      }
      if (top !== undefined && top.readyAt > now && (next === undefined || before(top, next))) next = top;
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
    const group = this.#groups.get(key) ?? { queue, taskName, execution, priority, line: new Line(before) };
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
    const { line } = group;
    while (line.first !== undefined && !isLive(line.first)) line.shift();
    return line.first;
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
