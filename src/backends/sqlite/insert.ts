/** Enqueueing: new records in, or the old ones that hold the id or the key. */
import type { Insertion } from "../../contracts/queue-backend.ts";
import { SiderealError } from "../../model/errors.ts";
import { stamped } from "../../model/lifecycle.ts";
import type { Draft, TaskRecord } from "../../model/record.ts";
import type { SqlValue } from "./driver.ts";
import { encoded, listText, policyText } from "./rows.ts";
import { salvaged } from "./salvage.ts";
import { INSERTED_TOGETHER } from "./statements.ts";
import type { Transaction } from "./transaction.ts";

/** Writes what is new, in input order. */
export function insert(tx: Transaction, drafts: readonly Draft[]): Insertion[] {
  const insertions: Insertion[] = [];
  const together = drafts.length >= INSERTED_TOGETHER && drafts.every(({ record }) => isFresh(record));
  let last = together ? lastSeq(tx) : 0;
  let at = 0;
  while (at < drafts.length) {
    const count = together && drafts.length - at >= INSERTED_TOGETHER ? INSERTED_TOGETHER : 1;
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

/** As `lifecycle.enqueued` makes them, so that the statement can name what is not bound. */
function isFresh(record: TaskRecord): boolean {
  return record.version === 1 && record.state === "pending" && record.attempt === 0 && record.claim === null;
}

function lastSeq(tx: Transaction): number {
  return Number(tx.statement(tx.sql.lastSeq).get()?.[0] ?? 0);
}

function write(tx: Transaction, records: readonly TaskRecord[]): number {
  const first = records[0] as TaskRecord;
  if (records.length === 1 && !isFresh(first)) {
    return Number(tx.statement(tx.sql.insertWhole).run(...encoded(first), first.policy.timeout).changes);
  }
  const values: SqlValue[] = [tx.now];
  for (const record of records) push(values, record);
  const sql = records.length === 1 ? tx.sql.insertOne : tx.sql.insertMany;
  return Number(tx.statement(sql).run(...values).changes);
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
  );
}

/** Of records of which some were refused: which, and by whom. Rows beyond `last` were written by this very statement. */
function sorted(tx: Transaction, records: readonly TaskRecord[], last: number): Insertion[] {
  const own = new Set<string>();
  return records.map((record): Insertion => {
    const seq = records.length === 1 ? undefined : tx.statement(tx.sql.exists).get(record.id)?.[0];
    if (seq !== undefined && Number(seq) > last && !own.has(record.id)) {
      own.add(record.id);
      return { created: true, record };
    }
    const same = stored(tx, tx.sql.byId, record.id);
    if (same !== undefined) return { created: false, by: "id", record: same };
    const holder = record.key === null ? undefined : stored(tx, tx.sql.byKey, record.key);
    if (holder !== undefined) return { created: false, by: "key", record: holder };
    throw new SiderealError("STORE_FAILED", `The store refused task ${record.id} without a reason`);
  });
}

function stored(tx: Transaction, sql: string, value: string): TaskRecord | undefined {
  const row = tx.rows(sql, value)[0];
  return row && salvaged(row, []);
}
