/** Schedules: rows with a version, advanced together with the records that belong to the step. */
import type { ScheduleChange, ScheduleQuery, ScheduleRow } from "../../contracts/queue-backend.ts";
import type { SqlRow } from "./driver.ts";
import { insert } from "./insert.ts";
import type { Transaction } from "./transaction.ts";

/** The schedules of one query, by name. */
export function schedules(tx: Transaction, query: ScheduleQuery): ScheduleRow[] {
  return rows(tx, query).map(rowOf);
}

/** A number too large for JavaScript is damage: such a version is nobody's, such a time does not come. */
function rowOf([name, version, dueAt, body]: SqlRow): ScheduleRow {
  return {
    name: String(name),
    version: typeof version === "number" ? version : 0,
    dueAt: typeof dueAt === "number" ? dueAt : null,
    body: String(body),
  };
}

function rows(tx: Transaction, query: ScheduleQuery): SqlRow[] {
  const { sql } = tx;
  switch (query.by) {
    case "name":
      return tx.rows(sql.schedulesNamed, JSON.stringify(query.names));
    case "due":
      return tx.rows(sql.schedulesDue, tx.now, query.after ?? "", query.limit);
    case "next":
      return tx.rows(sql.schedulesNext);
    case "all":
      return tx.rows(sql.schedulesAll, query.after ?? "", query.limit);
  }
}

/** Compare-and-set on each, and its ticks where it held. */
export function advance(tx: Transaction, changes: readonly ScheduleChange[]): boolean[] {
  return changes.map((change) => {
    if (!replaced(tx, change)) return false;
    tx.wrote = true;
    if (change.ticks.length > 0) insert(tx, change.ticks);
    return true;
  });
}

function replaced(tx: Transaction, { from, to }: ScheduleChange): boolean {
  const { sql } = tx;
  const changes = (statement: string, ...values: (string | number | null)[]): boolean =>
    Number(tx.statement(statement).run(...values).changes) > 0;
  if (from === null && to !== null) return changes(sql.addSchedule, to.name, to.version, to.dueAt, to.body);
  if (from === null) return false;
  if (to === null) return changes(sql.removeSchedule, from.name, from.version);
  return changes(sql.changeSchedule, from.name, from.version, to.version, to.dueAt, to.body);
}
