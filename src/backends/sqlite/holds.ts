/** Named reservations. */
import type { Hold, HoldOptions } from "../../contracts/queue-backend.ts";
import { byCodePoint } from "../../model/order.ts";
import type { Transaction } from "./transaction.ts";

type HoldRow = readonly [string, string, number | null, string | null];

/** Takes or extends a reservation; answers with the one there is. */
export function hold(tx: Transaction, name: string, holder: string, options: HoldOptions): Hold {
  const row = tx.statement(tx.sql.hold).get(name) as HoldRow | undefined;
  const current = row && holdOf(row);
  const over = current === undefined || (current.until !== null && current.until <= tx.now);
  if (!over && current.holder !== holder) return current;
  const { lease = null, note = null } = options;
  const until = lease === null ? null : tx.now + lease;
  tx.statement(tx.sql.take).run(name, holder, until, note);
  tx.wrote = true;
  return { name, holder, until, note };
}

/** Gives a reservation back. */
export function release(tx: Transaction, name: string, holder: string): boolean {
  const released = Number(tx.statement(tx.sql.release).run(name, holder, tx.now).changes) > 0;
  tx.wrote ||= released;
  return released;
}

/** The reservations in force whose name begins so. */
export function held(tx: Transaction, prefix: string): Hold[] {
  const end = `${prefix}\u{10ffff}`;
  return (tx.statement(tx.sql.held).all(prefix, end, tx.now) as unknown as HoldRow[])
    .map(holdOf)
    .sort((a, b) => byCodePoint(a.name, b.name));
}

function holdOf([name, holder, until, note]: HoldRow): Hold {
  return { name, holder, until, note };
}
