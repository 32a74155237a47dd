/** Transactions of `mysql2` for handlers, with their session as the user has it. */
import type { Clock } from "../../../contracts/clock.ts";
import { Loans } from "../../sql/loans.ts";
import { isUsable, storeError } from "../errors.ts";
import { type MysqlPool, type MysqlPoolConnection, sessionOver } from "./session.ts";

/** @param pool - Called when the first connection is needed. @param places - How many there may be at a time. */
export function mysqlLending(pool: () => Promise<MysqlPool>, places: number, clock: Clock): Loans<MysqlPoolConnection> {
  const bank = {
    server: "MySQL",
    begin: ["set transaction isolation level read committed", "start transaction"],
    take: async () => (await pool()).getConnection(),
    say: (connection: MysqlPoolConnection, text: string) => sessionOver(connection).write(text),
    give: (connection: MysqlPoolConnection) => connection.release(),
    cut: (connection: MysqlPoolConnection) => connection.destroy(),
    isUsable,
    error: storeError,
  };
  return new Loans(bank, places, clock);
}
