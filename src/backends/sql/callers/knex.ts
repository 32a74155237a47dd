/** Transactions of Knex. */
import { type CallerKind, type CallerValue, type Dialect, driverAnswer, has, type Members } from "./caller.ts";

/** What `knex.transaction(async (trx) => …)` or `await knex.transaction()` gives. */
export interface KnexTransaction {
  // biome-ignore lint/suspicious/noExplicitAny: the bindings' type is the library's own
  raw(sql: string, bindings: any): PromiseLike<unknown>;
  isCompleted(): boolean;
}

export const knex: CallerKind = {
  name: "Knex",
  is: (tx) => typeof tx === "function" && has(tx, "raw", "transaction"),
  isOpen: (tx) =>
    (tx as unknown as Members)["isTransaction"] === true && !(tx as unknown as KnexTransaction).isCompleted(),
  caller: (tx, dialect) => ({
    run: async (text, values) => {
      const { sql, bindings } = unnumbered(text, values, dialect);
      return driverAnswer(await (tx as unknown as KnexTransaction).raw(sql, bindings));
    },
  }),
};

/** Knex numbers the parameters itself: each place gets a question mark and its own copy of the value. */
function unnumbered(
  text: string,
  values: readonly CallerValue[],
  dialect: Dialect,
): { sql: string; bindings: CallerValue[] } {
  if (dialect === "mysql") return { sql: text, bindings: [...values] };
  const bindings: CallerValue[] = [];
  const sql = text.replace(/\$(\d+)/gu, (_, place) => {
    bindings.push(values[Number(place) - 1] ?? null);
    return "?";
  });
  return { sql, bindings };
}
