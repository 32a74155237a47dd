/** Enqueueing: new records in, or the old ones that hold the id or the key. */
import type { Insertion } from "../../contracts/queue-backend.ts";
import { SiderealError } from "../../model/errors.ts";
import { stamped } from "../../model/lifecycle.ts";
import type { Draft, TaskRecord } from "../../model/record.ts";
import { policyText } from "../sql/policy.ts";
import { listText, objectText } from "../sql/rows.ts";
import type { SqlValue } from "./driver.ts";
import { encoded, SEQ, salvaged } from "./rows.ts";
import { INSERTED_TOGETHER } from "./statements.ts";
import type { Transaction } from "./transaction.ts";

/** Writes what is new, in input order. */
export function insert(tx: Transaction, drafts: readonly Draft[]): Insertion[] {
  const insertions: Insertion[] = [];
  const together = drafts.length >= INSERTED_TOGETHER;
  let last = together ? lastSeq(tx) : 0;
  let at = 0;
  while (at < drafts.length) {
    const count = drafts.length - at >= INSERTED_TOGETHER ? INSERTED_TOGETHER : 1;
    const records = drafts.slice(at, at + count).map((draft) => stamped(draft, tx.now));
    const written = write(tx, records);
    if (written === count) for (const record of records) insertions.push({ created: true, record });
    else insertions.push(...sorted(tx, records, last));
    last += written;
    at += count;
  }
  for (const { created, record } of insertions) {
    tx.wrote ||= created;
    tx.work ||= created && record.readyAt <= tx.now;
  }
  return insertions;
}

function lastSeq(tx: Transaction): number {
  return Number(tx.statement(tx.sql.lastSeq).get()?.[0] ?? 0);
}

function write(tx: Transaction, records: readonly TaskRecord[]): number {
  // Every verb but `enqueued` adds to the version: what begins with another one was not made by it, and is written whole.
  if (records.some((record) => record.version !== 1)) return writeWhole(tx, records);
  if (records.length === 1) return run(tx, tx.sql.insertOne, drafted(tx, records));
  return isAlike(records)
    ? run(tx, tx.sql.insertAlike, alike(tx, records))
    : run(tx, tx.sql.insertMany, drafted(tx, records));
}

function writeWhole(tx: Transaction, records: readonly TaskRecord[]): number {
  return records.reduce((sum, r) => sum + run(tx, tx.sql.insertWhole, [...encoded(r), r.policy.timeout]), 0);
}

function run(tx: Transaction, sql: string, values: readonly SqlValue[]): number {
  return Number(tx.statement(sql).run(...values).changes);
}

/** Whether the records differ in id and input only, as those of one loop over a list mostly do. */
function isAlike(records: readonly TaskRecord[]): boolean {
  const first = records[0] as TaskRecord;
  return records.every(
    (record) =>
      record.taskName === first.taskName &&
      record.queue === first.queue &&
      record.execution === first.execution &&
      record.priority === first.priority &&
      record.policy === first.policy &&
      record.readyAt === first.readyAt &&
      record.key === null &&
      record.expiresAt === null &&
      record.executionProfile === null &&
      record.metadata === null &&
      record.description === null &&
      record.origin === null &&
      record.tags.length === 0,
  );
}

function alike(tx: Transaction, records: readonly TaskRecord[]): SqlValue[] {
  const { taskName, queue, execution, priority, policy, readyAt } = records[0] as TaskRecord;
  const shared = [taskName, queue, execution, priority, policyText(policy), policy.timeout, readyAt];
  const values: SqlValue[] = [tx.now, ...shared];
  for (const { id, input } of records) values.push(id, input);
  return values;
}

function drafted(tx: Transaction, records: readonly TaskRecord[]): SqlValue[] {
  const values: SqlValue[] = [tx.now];
  for (const record of records) push(values, record);
  return values;
}

function push(values: SqlValue[], record: TaskRecord): void {
  values.push(
    record.id,
    record.taskName,
    record.queue,
    record.execution,
    record.executionProfile,
    record.priority,
    record.input,
    policyText(record.policy),
    record.policy.timeout,
    record.expiresAt,
    record.metadata,
    listText(record.tags),
    record.description,
    record.key,
    record.readyAt,
    objectText(record.origin),
  );
}

/** Of records of which some were refused: which, and by whom. Rows beyond `last` were written by this very statement. */
function sorted(tx: Transaction, records: readonly TaskRecord[], last: number): Insertion[] {
  const alone = records.length === 1;
  const ids = new Set<string>();
  const keys = new Set<string>();
  return records.map((record): Insertion => {
    const { id, key } = record;
    const same = stored(tx, tx.sql.byId, id);
    if (same !== undefined && (alone || same.seq <= last || ids.has(id))) {
      return { created: false, by: "id", record: same.record };
    }
    const holder = key === null ? undefined : stored(tx, tx.sql.byKey, key);
    if (holder !== undefined && (alone || holder.seq <= last || keys.has(key as string))) {
      return { created: false, by: "key", record: holder.record };
    }
    if (alone || same === undefined)
      throw new SiderealError("STORE_FAILED", `The store refused task ${id} without a reason`);
    ids.add(id);
    if (key !== null) keys.add(key);
    return { created: true, record };
  });
}

function stored(tx: Transaction, sql: string, value: string): { seq: number; record: TaskRecord } | undefined {
  const row = tx.rows(sql, value)[0];
  return row && { seq: Number(row[SEQ]), record: salvaged(row, []) };
}
