/** Transactions of `pg` for handlers, with the planner as the user has it. */
import type { Clock } from "../../../contracts/clock.ts";
import { SiderealError } from "../../../model/errors.ts";
import { Loans } from "../../sql/loans.ts";
import { isConnectionUsable, storeError } from "../errors.ts";
import type { PgPool, PgPoolClient } from "./session.ts";
import { given, taken } from "./taken.ts";

/** @param pool - Called when the first connection is needed. @param places - How many there may be at a time. */
export function pgLending(pool: () => PgPool, places: number, clock: Clock): Loans<PgPoolClient> {
  const bank = {
    server: "PostgreSQL",
    begin: ["begin isolation level read committed"],
    take: async () => taken(pool()),
    say: (client: PgPoolClient, text: string) => client.query({ text, values: [], rowMode: "array", types: undefined }),
    checkCommit,
    give: (client: PgPoolClient) => given(client),
    cut: (client: PgPoolClient, error: Error) => given(client, error),
    isUsable: isConnectionUsable,
    error: storeError,
  };
  return new Loans(bank, places, clock);
}

/** A transaction that has failed answers to `commit` with ROLLBACK. */
function checkCommit(answer: unknown): void {
  if ((answer as { command?: string }).command !== "ROLLBACK") return;
  throw new SiderealError(
    "STORE_FAILED",
    "PostgreSQL: could not commit a transaction: one of its statements had failed, so that it was rolled back",
  );
}
