/** Counts per queue, and the removal of old records. */
import type { PruneQuery, Tally } from "../../contracts/queue-backend.ts";
import { STATES } from "../sql/columns.ts";
import { Tallies } from "../sql/tallies.ts";
import type { SqlRow, SqlValue } from "./driver.ts";
import type { Transaction } from "./transaction.ts";

/** Counts, by index alone. */
export function tally(tx: Transaction, queues: readonly string[] | undefined): Tally[] {
  const { sql, now } = tx;
  const tallies = new Tallies();
  const rows = (all: string, ofOne: string, ...values: SqlValue[]): SqlRow[] =>
    queues === undefined
      ? tx.rows(all, ...values)
      : [...new Set(queues)].flatMap((queue) => tx.rows(ofOne, ...values, queue));
  for (const [queue, ready, all, oldest] of rows(sql.tallyPending, sql.tallyPendingOf, now)) {
    tallies.pending(String(queue), Number(all), Number(ready), Number(oldest));
  }
  for (const [queue, count] of tx.rows(sql.tallyOwned)) {
    if (queues === undefined || queues.includes(String(queue))) tallies.add(String(queue), "running", Number(count));
  }
  for (const [queue, place, count] of rows(sql.tallyFinished, sql.tallyFinishedOf)) {
    const state = STATES[Number(place)];
    if (state !== undefined && state !== "pending") tallies.add(String(queue), state, Number(count));
  }
  return tallies.list();
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
