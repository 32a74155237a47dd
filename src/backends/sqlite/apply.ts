/** Compare-and-set, and the renewal of leases. The common ending has a statement of its own that writes little. */
import type { Change, ClaimRef, Renewal } from "../../contracts/queue-backend.ts";
import { isTerminal, type Millis } from "../../model/record.ts";
import { isCompletion, isSameRequest } from "../sql/changes.ts";
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
