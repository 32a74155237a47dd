/** Reading records: each query along one index, drained at once. */
import type { RecordQuery } from "../../contracts/queue-backend.ts";
import type { TaskRecord } from "../../model/record.ts";
import type { SqlRow, SqlValue } from "./driver.ts";
import { lanesOf } from "./lane.ts";
import { STATES } from "./rows.ts";
import { type Damage, salvaged } from "./salvage.ts";
import type { Transaction } from "./transaction.ts";

/** The records of one page; `damages` takes note of damaged rows that should be set aside. */
export function find(tx: Transaction, query: RecordQuery, damages: Damage[]): TaskRecord[] {
  const records = rows(tx, query).map((row) => salvaged(row, damages));
  if (query.by !== "id") return records;
  const byId = new Map(records.map((record) => [record.id, record]));
  return query.ids.map((id) => byId.get(id)).filter((record) => record !== undefined);
}

function rows(tx: Transaction, query: RecordQuery): SqlRow[] {
  const { sql, now } = tx;
  switch (query.by) {
    case "id":
      return query.ids.length === 1
        ? tx.rows(sql.byId, query.ids[0] as string)
        : tx.rows(sql.byIds, JSON.stringify(query.ids));
    case "key":
      return tx.rows(sql.byKey, query.key);
    case "lapsed":
      return tx.rows(sql.lapsed, now, query.after ?? "", query.limit);
    case "expired":
      return tx.rows(sql.expired, now, query.after ?? "", query.limit);
    case "cancelling":
      return tx.rows(sql.cancelling, query.after ?? "", query.limit);
    case "next":
      return next(tx, query.queues);
    case "creation": {
      const { after, limit, queues, tasks, states } = query;
      return tx.rows(sql.created, after ?? "", limit, listed(queues), listed(tasks), listed(states?.map(numbered)));
    }
  }
}

function next(tx: Transaction, queues: readonly string[] | null): SqlRow[] {
  let best: SqlRow | undefined;
  for (const lane of lanesOf(tx)) {
    if (queues !== null && !queues.includes(lane[0])) continue;
    const [first] = tx.rows(tx.sql.nextReady, ...lane, tx.now);
    if (first !== undefined && (best === undefined || isBefore(first, best))) best = first;
  }
  return best === undefined ? [] : tx.rows(tx.sql.bySeq, best[1] as SqlValue);
}

function isBefore(a: SqlRow, b: SqlRow): boolean {
  const [readyA, seqA] = a as readonly [number, number];
  const [readyB, seqB] = b as readonly [number, number];
  return readyA < readyB || (readyA === readyB && seqA < seqB);
}

function listed(values: readonly unknown[] | undefined): string | null {
  return values === undefined ? null : JSON.stringify(values);
}

function numbered(state: TaskRecord["state"]): number {
  return STATES.indexOf(state);
}
