/**
 * Changes on their way into a store: which must not go together; and what can be told of one from its two records, which
 * is whether a shorter statement does for it.
 */
import type { Change } from "../../contracts/queue-backend.ts";
import type { TaskRecord } from "../../model/record.ts";

/** Whether the next record is the same but for its ending as completed: state, version, time, result, and what any ending empties. */
export function isCompletion(from: TaskRecord, to: TaskRecord): boolean {
  return (
    to.state === "completed" &&
    to.error === null &&
    to.reason === null &&
    to.key === null &&
    to.ref === null &&
    to.leaseUntil === null &&
    to.claim === from.claim &&
    to.attempt === from.attempt &&
    to.failures === from.failures &&
    to.losses === from.losses &&
    to.interruptions === from.interruptions &&
    to.snoozes === from.snoozes &&
    to.revivals === from.revivals &&
    to.begun === from.begun &&
    to.queuedAt === from.queuedAt &&
    to.readyAt === from.readyAt &&
    to.startedAt === from.startedAt &&
    to.cancelRequestedAt === from.cancelRequestedAt &&
    to.progress === from.progress &&
    to.logs === from.logs &&
    to.workerId === from.workerId &&
    isSameRequest(from, to)
  );
}

/** Whether everything that was fixed at enqueue is the same. */
export function isSameRequest(from: TaskRecord, to: TaskRecord): boolean {
  return (
    to.id === from.id &&
    to.taskName === from.taskName &&
    to.queue === from.queue &&
    to.execution === from.execution &&
    to.executionProfile === from.executionProfile &&
    to.priority === from.priority &&
    to.input === from.input &&
    to.policy === from.policy &&
    to.createdAt === from.createdAt &&
    to.expiresAt === from.expiresAt &&
    to.metadata === from.metadata &&
    to.tags === from.tags &&
    to.description === from.description &&
    to.origin === from.origin
  );
}

/** Of which record a change is. */
export function idOf({ from }: Change): string {
  return from.id;
}

/**
 * The places of changes in rounds, each in the order of what they are of: of those of one record the first comes in the first
 * round, the second in the second, and so on.
 */
export function roundsOf<Each>(changes: readonly Each[], ofWhat: (change: Each) => string): number[][] {
  const nameAt = (place: number): string => ofWhat(changes[place] as Each);
  const sorted = changes.map((_, place) => place).sort((a, b) => order(nameAt(a), nameAt(b)) || a - b);
  const rounds: number[][] = [];
  let round = 0;
  for (let at = 0; at < sorted.length; at += 1) {
    const place = sorted[at] as number;
    round = at > 0 && nameAt(place) === nameAt(sorted[at - 1] as number) ? round + 1 : 0;
    const places = rounds[round];
    if (places === undefined) rounds.push([place]);
    else places.push(place);
  }
  return rounds;
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
