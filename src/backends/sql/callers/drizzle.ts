/** Transactions of Drizzle, on `pg`, `postgres` and `mysql2`. */
import { type CallerKind, driverAnswer, has } from "./caller.ts";

/** What `db.transaction(async (tx) => …)` of Drizzle gives. */
export interface DrizzleTransaction {
  // biome-ignore lint/suspicious/noExplicitAny: each dialect has its own type of a query
  execute(query: any): PromiseLike<unknown>;
  rollback(): never;
}

export const drizzle: CallerKind = {
  name: "Drizzle",
  is: (tx) => has(tx, "execute", "select", "insert", "$with"),
  isOpen: (tx) => has(tx, "rollback"),
  caller: (tx) => ({
    run: async (sql, params) => {
      // What a query of theirs is asked for; parameters of ours need none of their encoders.
      const query = { toQuery: () => ({ sql, params: [...params] }) };
      return driverAnswer(await (tx as DrizzleTransaction).execute({ getSQL: () => query }));
    },
  }),
};
