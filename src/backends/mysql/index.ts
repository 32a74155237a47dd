/** `sidereal/mysql`: the queue in a MySQL or MariaDB database. */
import type { QueueBackend } from "../../contracts/queue-backend.ts";
import { systemClock } from "../../host/clock.ts";
import { MysqlBackend } from "./backend.ts";
import type { MysqlTransaction } from "./clients/session.ts";
import { connectBy, type MysqlOptions } from "./options.ts";

export type { DrizzleTransaction } from "../sql/callers/drizzle.ts";
export type { QueryBuilderTransaction } from "../sql/callers/index.ts";
export type { KnexTransaction } from "../sql/callers/knex.ts";
export type { KyselyResult, KyselyTransaction } from "../sql/callers/kysely.ts";
export type { PrismaTransaction } from "../sql/callers/prisma.ts";
export type { MysqlCallbackPool } from "./clients/pool.ts";
export type {
  MysqlCallbackConnection,
  MysqlConnection,
  MysqlPool,
  MysqlPoolConnection,
  MysqlStatement,
  MysqlTransaction,
} from "./clients/session.ts";
export type { MysqlOptions } from "./options.ts";

/**
 * A store in a MySQL (8.0 or newer) or MariaDB (10.6 or newer) database, shared by any number of processes and machines.
 * Its tables begin with the configuration's namespace.
 * @param options - How to reach the server; a text is its address.
 * @throws CONFIG_INVALID for an option that is not allowed
 */
export function mysql(options: MysqlOptions | string): QueueBackend<MysqlTransaction> {
  const settings = typeof options === "string" ? { url: options } : options;
  return new MysqlBackend({ connect: connectBy(settings), clock: settings.clock, timers: systemClock });
}
