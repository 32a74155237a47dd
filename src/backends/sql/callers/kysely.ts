/** Transactions of Kysely. */
import { type CallerKind, has, type Members } from "./caller.ts";

/** What Kysely answers with. */
export interface KyselyResult {
  readonly rows: readonly unknown[];
  readonly numAffectedRows?: bigint | undefined;
}

/** What `db.transaction().execute(async (trx) => …)` or `db.startTransaction().execute()` of Kysely gives. */
export interface KyselyTransaction {
  readonly isTransaction: true;
  // biome-ignore lint/suspicious/noExplicitAny: a compiled query, whose type is the library's own
  executeQuery(query: any): Promise<KyselyResult>;
  withoutPlugins(): KyselyTransaction;
}

let queries = 0;

export const kysely: CallerKind = {
  name: "Kysely",
  is: (tx) => has(tx, "executeQuery", "withoutPlugins"),
  isOpen: (tx) => (tx as Members)["isTransaction"] === true,
  caller: (tx) => ({
    run: async (sql, values, answers) => {
      queries += 1;
      const queryId = { queryId: `sidereal-${queries}` };
      const query = { kind: "RawNode", sqlFragments: [sql], parameters: [] };
      // Plugins would rename our columns, or take a text for JSON.
      const plain = (tx as KyselyTransaction).withoutPlugins();
      const { rows, numAffectedRows } = await plain.executeQuery({ sql, query, queryId, parameters: [...values] });
      return { rows, affected: answers ? rows.length : Number(numAffectedRows ?? 0) };
    },
  }),
};
