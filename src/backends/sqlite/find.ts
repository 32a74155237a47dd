/** Reading records: each query along one index, drained at once. */
import type { Page, PageQuery, RecordQuery } from "../../contracts/queue-backend.ts";
import type { TaskRecord } from "../../model/record.ts";
import { STATES } from "../sql/columns.ts";
import { inOrderOf, isOfDead, LOOKED_AT } from "../sql/reading.ts";
import type { Damage } from "../sql/salvage.ts";
import type { SqlRow, SqlValue } from "./driver.ts";
import { lanesOf } from "./lane.ts";
import { salvaged } from "./rows.ts";
import type { Transaction } from "./transaction.ts";

/** The records of one page; `damages` takes note of damaged rows that should be set aside. */
export function find(tx: Transaction, query: RecordQuery, damages: Damage<SqlValue>[]): TaskRecord[] {
  const records = rows(tx, query).map((row) => salvaged(row, damages));
  return query.by === "id" ? inOrderOf(query.ids, records) : records;
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

interface Paging {
  readonly records: string;
  readonly boundary: string;
  readonly first: string;
  readonly last: string;
}

/** One page by id; only the records between `after` and the boundary are looked at. */
export function page(tx: Transaction, query: PageQuery, damages: Damage<SqlValue>[]): Page {
  const { queues, tasks, states, limit } = query;
  const { records, boundary, first, last } = pagingOf(tx, query);
  const after = query.after ?? first;
  const [row] = tx.rows(boundary, after, LOOKED_AT - 1);
  const end = row === undefined ? null : String(row[0]);
  const filters = [listed(queues), listed(tasks), listed(states?.map(numbered))];
  const found = tx.rows(records, after, end ?? last, ...filters, limit).map((row) => salvaged(row, damages));
  return { records: found, next: found.length < limit ? end : (found.at(-1)?.id ?? null) };
}

function pagingOf({ sql }: Transaction, { order, states }: PageQuery): Paging {
  const dead = isOfDead(states);
  if (order === "oldest") {
    const ends = { first: "", last: "\u{10ffff}" };
    if (dead) return { records: sql.ended, boundary: sql.endedBoundary, ...ends };
    return { records: sql.created, boundary: sql.createdBoundary, ...ends };
  }
  const ends = { first: "\u{10ffff}", last: "" };
  if (dead) return { records: sql.endedBefore, boundary: sql.endedBoundaryBefore, ...ends };
  return { records: sql.createdBefore, boundary: sql.createdBoundaryBefore, ...ends };
}

function listed(values: readonly unknown[] | undefined): string | null {
  return values === undefined ? null : JSON.stringify(values);
}

function numbered(state: TaskRecord["state"]): number {
  return STATES.indexOf(state);
}
