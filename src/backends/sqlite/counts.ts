/** Counts per queue, and the removal of old records. */
import type { PruneQuery, Tally } from "../../contracts/queue-backend.ts";
import type { Millis } from "../../model/record.ts";
import type { SqlRow, SqlValue } from "./driver.ts";
import { STATES } from "./rows.ts";
import type { Transaction } from "./transaction.ts";

type Counts = { -readonly [Name in keyof Tally]: Tally[Name] };

/** Counts, by index alone. */
export function tally(tx: Transaction, queues: readonly string[] | undefined): Tally[] {
  const { sql, now } = tx;
  const tallies = new Map<string, Counts>();
  const rows = (all: string, ofOne: string, ...values: SqlValue[]): SqlRow[] =>
    queues === undefined
      ? tx.rows(all, ...values)
      : [...new Set(queues)].flatMap((queue) => tx.rows(ofOne, ...values, queue));
  for (const row of rows(sql.tallyPending, sql.tallyPendingOf, now)) {
    const [queue, ready, all, oldest] = row as readonly [string, number, number, Millis];
    const counts = countsOf(tallies, queue);
    counts.pending = ready;
    counts.scheduled = all - ready;
    counts.oldestReadyAt = ready > 0 ? oldest : null;
  }
  for (const row of tx.rows(sql.tallyOwned)) {
    const [queue, count] = row as readonly [string, number];
    if (queues === undefined || queues.includes(queue)) countsOf(tallies, queue).running = count;
  }
  for (const row of rows(sql.tallyFinished, sql.tallyFinishedOf)) {
    const [queue, state, count] = row as readonly [string, number, number];
    const name = STATES[state];
    if (name === "completed" || name === "failed" || name === "cancelled") countsOf(tallies, queue)[name] = count;
  }
  return [...tallies.values()].sort((a, b) => (a.queue < b.queue ? -1 : 1));
}

function countsOf(tallies: Map<string, Counts>, queue: string): Counts {
  const none = { pending: 0, scheduled: 0, running: 0, completed: 0, failed: 0, cancelled: 0, oldestReadyAt: null };
  const counts = tallies.get(queue) ?? { queue, ...none };
  tallies.set(queue, counts);
  return counts;
}

/** Deletes terminal records of these states, oldest first. */
export function prune(tx: Transaction, { states, before, limit }: PruneQuery): number {
  const { sql } = tx;
  const wanted: readonly string[] = states;
  const old = tx
    .rows(sql.finishedLanes)
    .filter(([, state]) => wanted.includes(STATES[Number(state)] ?? ""))
    .flatMap((lane) => tx.rows(sql.finishedBefore, ...lane, before, limit));
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
  if (whenA !== whenB) return whenA < whenB ? -1 : 1;
  return idA < idB ? -1 : 1;
}
