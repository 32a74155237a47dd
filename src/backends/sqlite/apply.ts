/** Compare-and-set, and the renewal of leases. The common ending has a statement of its own that writes little. */
import type { Change, ClaimRef, Renewal } from "../../contracts/queue-backend.ts";
import { isTerminal, type Millis, type TaskRecord } from "../../model/record.ts";
import type { SqlValue } from "./driver.ts";
import { encoded } from "./rows.ts";
import { CHANGED } from "./statements.ts";
import type { Transaction } from "./transaction.ts";

/** Replaces each record whose guard holds, in input order. */
export function apply(tx: Transaction, changes: readonly Change[]): boolean[] {
  return changes.map((change) => {
    if (write(tx, change) === 0) return false;
    tx.wrote = true;
    const { to } = change;
    if (to === null) return true;
    if (isTerminal(to)) tx.ended.push(to.id);
    tx.work ||= to.state === "pending" && to.readyAt <= tx.now;
    tx.cancel ||= to.state === "running" && to.cancelRequestedAt !== null;
    return true;
  });
}

/** Extends leases, in input order. */
export function renew(tx: Transaction, claims: readonly ClaimRef[], lease: Millis): Renewal[] {
  const { now } = tx;
  return claims.map(({ id, claim }): Renewal => {
    const row = tx.statement(tx.sql.renew).all(now + lease, id, claim)[0];
    if (row === undefined) {
      return { state: tx.statement(tx.sql.exists).get(id) === undefined ? "gone" : "lost" };
    }
    tx.wrote = true;
    return { state: "held", remaining: Number(row[0]) - now, cancelRequested: row[1] !== null };
  });
}

function write(tx: Transaction, { from, to, lapsed }: Change): number {
  const over = lapsed ? tx.now : null;
  if (to === null) return run(tx, tx.sql.remove, [from.id, from.version, from.claim, over]);
  // A token vouches that what `from` does not show to have changed is stored as it says. Without one, the id alone does
  // not: the record may have been removed and another one of that id stored since.
  const vouched = from.claim !== null;
  if (vouched && over === null && isCompletion(from, to)) {
    const values = [to.version, to.finishedAt, to.result, from.id, from.version, from.claim];
    return Number(tx.statement(tx.sql.complete).run(...values).changes);
  }
  const values = encoded(to);
  const guard = [from.id, from.version, from.claim, over];
  if (!vouched || !isSameRequest(from, to)) return run(tx, tx.sql.replace, [...values, to.policy.timeout, ...guard]);
  return run(tx, tx.sql.change, [...CHANGED.map((column) => values[column] as SqlValue), ...guard]);
}

function run(tx: Transaction, sql: string, values: readonly SqlValue[]): number {
  return Number(tx.statement(sql).run(...values).changes);
}

/** Whether `complete` writes all that differs. */
function isCompletion(from: TaskRecord, to: TaskRecord): boolean {
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
function isSameRequest(from: TaskRecord, to: TaskRecord): boolean {
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
    to.description === from.description
  );
}
