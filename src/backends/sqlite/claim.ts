/**
 * Claiming. Pending records lie in lanes (queue, task, execution, priority), each in claim order in the index. A claim
 * looks at the lanes it serves and merges their heads, so that neither records scheduled for later nor a backlog that
 * this worker does not serve are ever read.
 */
import type { ClaimRequest } from "../../contracts/queue-backend.ts";
import { claimed } from "../../model/lifecycle.ts";
import type { TaskRecord } from "../../model/record.ts";
import type { SqlRow, SqlValue } from "./driver.ts";
import { AT, decoded, RowFault } from "./rows.ts";
import { damageText, SALVAGE_LIMIT } from "./salvage.ts";
import type { Transaction } from "./transaction.ts";

/** Queue, task, execution and priority. */
type LaneName = readonly [string, string, string, number];

/** Whether a claim could find anything; asked before the lock is taken, so that idle workers do not hinder busy ones. */
export function hasClaimable(tx: Transaction, request: ClaimRequest): boolean {
  if (owned(tx, request.token).length > 0) return true;
  const left = new Map(Object.entries(request.queueLimits));
  return served(tx, request).some((name) => (left.get(name[0]) ?? 1) > 0 && new Lane(tx, name, 1).head !== undefined);
}

/** Claims; in claim order. */
export function claim(tx: Transaction, request: ClaimRequest): TaskRecord[] {
  const again = owned(tx, request.token);
  if (again.length > 0) return again.map((row) => decoded(row));
  const { token, lease, workerId } = request;
  const facts = { now: tx.now, token, lease, workerId };
  const seqs: SqlValue[] = [];
  const records: TaskRecord[] = [];
  let damaged = 0;
  for (const row of heads(tx, request, () => records.length)) {
    const seq = row[AT.seq] as SqlValue;
    try {
      records.push(claimed(decoded(row), facts));
      seqs.push(seq);
    } catch (fault) {
      if (!(fault instanceof RowFault)) throw fault;
      tx.statement(tx.sql.quarantine).run(tx.now, damageText(fault.message, tx.now), seq);
      tx.wrote = true;
      damaged += 1;
      if (damaged >= SALVAGE_LIMIT) break;
    }
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

/** The lanes of pending records that a request serves. */
function served(tx: Transaction, { queues, tasks, executions }: ClaimRequest): LaneName[] {
  return (tx.statement(tx.sql.lanes).all() as unknown as LaneName[]).filter(
    ([queue, task, execution]) =>
      (queues === null || queues.includes(queue)) && tasks.includes(task) && executions.includes(execution),
  );
}

/** Rows in claim order until `taken()` reaches the limit; a row that is not taken does not count. */
function* heads(tx: Transaction, request: ClaimRequest, taken: () => number): Generator<SqlRow, void> {
  const left = new Map(Object.entries(request.queueLimits));
  const names = served(tx, request);
  const priorities = [...new Set(names.map(([, , , priority]) => priority))].sort((a, b) => b - a);
  for (const priority of priorities) {
    const open = (lane: Lane): boolean => (left.get(lane.queue) ?? 1) > 0;
    const level = names.filter((name) => name[3] === priority && (left.get(name[0]) ?? 1) > 0);
    const share = Math.ceil((request.limit - taken()) / level.length);
    let lanes = level.map((name) => new Lane(tx, name, Math.min(share, left.get(name[0]) ?? share)));
    for (;;) {
      if (taken() >= request.limit) return;
      lanes = lanes.filter((lane) => lane.head !== undefined && open(lane));
      const first = earliest(lanes);
      if (first === undefined) break;
      const before = taken();
      yield first.take();
      const limit = left.get(first.queue);
      if (limit !== undefined) left.set(first.queue, limit - (taken() - before));
    }
  }
}

function earliest(lanes: readonly Lane[]): Lane | undefined {
  let best = lanes[0];
  for (const lane of lanes) if (lane !== best && isBefore(lane, best as Lane)) best = lane;
  return best;
}

function isBefore(a: Lane, b: Lane): boolean {
  const [x, y] = [a.head as SqlRow, b.head as SqlRow];
  const [earlier, later] = [x[AT.readyAt] as number, y[AT.readyAt] as number];
  return earlier < later || (earlier === later && (x[AT.seq] as number) < (y[AT.seq] as number));
}

/** The ready records of one lane, read in pieces. */
class Lane {
  readonly queue: string;
  readonly #tx: Transaction;
  readonly #name: LaneName;
  readonly #piece: number;
  #rows: SqlRow[] = [];
  #at = 0;
  #over = false;

  constructor(tx: Transaction, name: LaneName, piece: number) {
    this.queue = name[0];
    this.#tx = tx;
    this.#name = name;
    this.#piece = piece;
    this.#read(Number.MIN_SAFE_INTEGER, 0);
  }

  get head(): SqlRow | undefined {
    const last = this.#rows[this.#at - 1];
    if (this.#at === this.#rows.length && !this.#over && last !== undefined) {
      this.#read(last[AT.readyAt] as SqlValue, last[AT.seq] as SqlValue);
    }
    return this.#rows[this.#at];
  }

  take(): SqlRow {
    const row = this.head as SqlRow;
    this.#at += 1;
    return row;
  }

  #read(readyAt: SqlValue, seq: SqlValue): void {
    this.#rows = this.#tx.rows(this.#tx.sql.ready, ...this.#name, this.#tx.now, readyAt, seq, this.#piece);
    this.#at = 0;
    this.#over = this.#rows.length < this.#piece;
  }
}
