/** Setting damaged rows aside: they end as failed, and what is broken in them stays as it is. */
import { CORRUPT, type Damage, damageText } from "../sql/salvage.ts";
import type { SqlValue } from "./driver.ts";
import type { Transaction } from "./transaction.ts";

/** Marks damaged rows, known by their seq, as failed. */
export function setAside(tx: Transaction, damages: readonly Damage<SqlValue>[]): void {
  for (const { by, why } of damages) {
    tx.statement(tx.sql.quarantine).run(tx.now, CORRUPT, damageText(why, tx.now), by);
    tx.wrote = true;
  }
}
