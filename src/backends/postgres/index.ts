/** `sidereal/postgres`: the queue in a PostgreSQL database. */
import type { QueueBackend } from "../../contracts/queue-backend.ts";
import { systemClock } from "../../host/clock.ts";
import { PostgresBackend } from "./backend.ts";
import type { PostgresTransaction } from "./clients/session.ts";
import { connectBy, type PostgresOptions } from "./options.ts";

export type { DrizzleTransaction } from "../sql/callers/drizzle.ts";
export type { QueryBuilderTransaction } from "../sql/callers/index.ts";
export type { KnexTransaction } from "../sql/callers/knex.ts";
export type { KyselyResult, KyselyTransaction } from "../sql/callers/kysely.ts";
export type { PrismaTransaction } from "../sql/callers/prisma.ts";
export type { PostgresJsPool } from "./clients/postgres-js.ts";
export type {
  PgClient,
  PgPool,
  PgPoolClient,
  PgQuery,
  PostgresClient,
  PostgresJs,
  PostgresTransaction,
} from "./clients/session.ts";
export type { PostgresOptions } from "./options.ts";

/**
 * A store in a PostgreSQL database, version 13 or newer, shared by any number of processes and machines. Everything lies
 * in a schema of its own, named by the configuration's namespace.
 * @param options - How to reach the server; a text is the connection string.
 * @throws CONFIG_INVALID for an option that is not allowed
 */
export function postgres(options: PostgresOptions | string): QueueBackend<PostgresTransaction> {
  const settings = typeof options === "string" ? { connectionString: options } : options;
  return new PostgresBackend({ connect: connectBy(settings), clock: settings.clock, timers: systemClock });
}
