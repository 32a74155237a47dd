/** Counts per queue, and the removal of old records. */
import type { Tally } from "../../contracts/queue-backend.ts";
import type { Millis } from "../../model/record.ts";
import type { SqlRow } from "./driver.ts";
import { STATES } from "./rows.ts";
import type { Transaction } from "./transaction.ts";

type Counts = { -readonly [Name in keyof Tally]: Tally[Name] };

/** Counts by index alone. */
export function tally(tx: Transaction, queues: readonly string[] | undefined): Tally[] {
  const { sql, now } = tx;
  const only = queues === undefined ? null : JSON.stringify(queues);
  const tallies = new Map<string, Counts>();
  const of = (queue: string): Counts => {
    const none = { pending: 0, scheduled: 0, running: 0, completed: 0, failed: 0, cancelled: 0, oldestReadyAt: null };
    const known = tallies.get(queue) ?? { queue, ...none };
    tallies.set(queue, known);
    return known;
  };
  for (const row of tx.statement(sql.tallyPending).all(now, only)) {
    const [queue, ready, all, oldest] = row as readonly [string, number, number, Millis];
    const counts = of(queue);
    counts.pending = ready;
    counts.scheduled = all - ready;
    counts.oldestReadyAt = ready > 0 ? oldest : null;
  }
  for (const row of tx.statement(sql.tallyOwned).all(only)) of(row[0] as string).running = row[1] as number;
  for (const row of tx.statement(sql.tallyFinished).all(only)) {
    const [queue, state, count] = row as readonly [string, number, number];
    const name = STATES[state];
    if (name === "completed" || name === "failed" || name === "cancelled") of(queue)[name] = count;
  }
  return [...tallies.values()].sort((a, b) => (a.queue < b.queue ? -1 : 1));
}

/** Deletes terminal records, oldest first. */
export function prune(tx: Transaction, before: Millis, limit: number): number {
  const { sql } = tx;
  const lanes = tx.statement(sql.finishedLanes).all();
  const old = lanes.flatMap((lane) => tx.statement(sql.finishedBefore).all(...lane, before, limit));
  const seqs = old
    .sort(byAge)
    .slice(0, limit)
    .map((row) => row[2]);
  if (seqs.length === 0) return 0;
  tx.wrote = true;
  return Number(tx.statement(sql.prune).run(`[${seqs.join(",")}]`).changes);
}

function byAge(a: SqlRow, b: SqlRow): number {
  const [whenA, idA] = a as readonly [number, string];
  const [whenB, idB] = b as readonly [number, string];
  return whenA - whenB || (idA < idB ? -1 : 1);
}
