/**
 * Claiming. Pending records lie in lanes (queue, task, execution, priority), each in claim order in the index. A claim
 * looks at the lanes it serves and merges their heads, so that neither records scheduled for later nor a backlog that
 * this worker does not serve are ever read.
 */
import type { ClaimRequest } from "../../contracts/queue-backend.ts";
import { claimed } from "../../model/lifecycle.ts";
import type { TaskRecord } from "../../model/record.ts";
import { damageOf } from "../sql/rows.ts";
import { SALVAGE_LIMIT } from "../sql/salvage.ts";
import { setAside } from "./damage.ts";
import type { SqlRow, SqlValue } from "./driver.ts";
import { type Head, Lane, lanesOf } from "./lane.ts";
import { decoded, decodedFresh, type LaneName, SEQ } from "./rows.ts";
import type { Transaction } from "./transaction.ts";

/** Whether a claim could find anything; asked before the lock is taken, so that idle workers do not hinder busy ones. */
export function hasClaimable(tx: Transaction, request: ClaimRequest): boolean {
  if (owned(tx, request.token).length > 0) return true;
  const left = new Map(Object.entries(request.queueLimits));
  return served(tx, request, left).some((name) => new Lane(tx, name, 1).head !== undefined);
}

/** Claims; in claim order. */
export function claim(tx: Transaction, request: ClaimRequest): TaskRecord[] {
  const again = owned(tx, request.token);
  if (again.length > 0) {
    return again
      .map((row) => read(tx, row[SEQ] as SqlValue, () => decoded(row)))
      .filter((record) => record !== undefined);
  }
  const { token, lease, workerId } = request;
  const facts = { now: tx.now, token, lease, workerId };
  const seqs: SqlValue[] = [];
  const records: TaskRecord[] = [];
  let damaged = 0;
  for (const { row, seq, lane } of heads(tx, request, () => records.length)) {
    const record = read(tx, seq, () => decodedFresh(row, lane) ?? decoded(tx.rows(tx.sql.bySeq, seq)[0] as SqlRow));
    if (record === undefined) {
      damaged += 1;
      if (damaged >= SALVAGE_LIMIT) break;
      continue;
    }
    records.push(claimed(record, facts));
    seqs.push(seq);
  }
  if (seqs.length === 0) return records;
  tx.wrote = true;
  if (seqs.length === 1) tx.statement(tx.sql.claimOne).run(token, tx.now, lease, workerId, seqs[0] as SqlValue);
  else tx.statement(tx.sql.claim).run(token, tx.now, lease, workerId, `[${seqs.join(",")}]`);
  return records;
}

/** What the token owns already: the reply to its claim was lost. */
function owned(tx: Transaction, token: string): SqlRow[] {
  return tx.rows(tx.sql.claimedBy, token);
}

/** A record; undefined if its row is damaged: then it is set aside. */
function read(tx: Transaction, seq: SqlValue, decode: () => TaskRecord): TaskRecord | undefined {
  try {
    return decode();
  } catch (fault) {
    setAside(tx, [damageOf(fault, seq)]);
    return undefined;
  }
}

/** The lanes of pending records that a request serves. */
function served(tx: Transaction, request: ClaimRequest, left: ReadonlyMap<string, number>): LaneName[] {
  const { queues, tasks, executions } = request;
  return lanesOf(tx).filter(
    ([queue, task, execution]) =>
      (queues === null || queues.includes(queue)) &&
      tasks.includes(task) &&
      executions.includes(execution) &&
      (left.get(queue) ?? 1) > 0,
  );
}

/** Rows in claim order until `taken()` reaches the limit; a row that is not taken does not count. */
function* heads(tx: Transaction, request: ClaimRequest, taken: () => number): Generator<Head, void> {
  const left = new Map(Object.entries(request.queueLimits));
  const names = served(tx, request, left);
  const priorities = [...new Set(names.map(([, , , priority]) => priority))].sort((a, b) => b - a);
  for (const priority of priorities) {
    if (taken() >= request.limit) return;
    const level = names.filter((name) => name[3] === priority && (left.get(name[0]) ?? 1) > 0);
    const share = Math.ceil((request.limit - taken()) / level.length);
    const lanes = level.map((name) => new Lane(tx, name, Math.min(share, left.get(name[0]) ?? share)));
    for (;;) {
      if (taken() >= request.limit) return;
      const first = earliest(lanes, left);
      if (first === undefined) break;
      const before = taken();
      yield first.take();
      const limit = left.get(first.queue);
      if (limit !== undefined) left.set(first.queue, limit - (taken() - before));
    }
  }
}

/** The lane whose head comes first, of those that may still give. */
function earliest(lanes: readonly Lane[], left: ReadonlyMap<string, number>): Lane | undefined {
  let best: Lane | undefined;
  for (const lane of lanes) {
    if (lane.head === undefined || (left.get(lane.queue) ?? 1) <= 0) continue;
    if (best === undefined || lane.isBefore(best)) best = lane;
  }
  return best;
}
