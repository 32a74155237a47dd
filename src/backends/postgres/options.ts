/** What the user may say about the PostgreSQL store. */
import type { Clock } from "../../contracts/clock.ts";
import { quoted } from "../../model/duration.ts";
import { SiderealError } from "../../model/errors.ts";
import type { Lending } from "../sql/lending.ts";
import type { Connections } from "../sql/port.ts";
import type { Settings } from "../sql/settings.ts";
import { ClientConnections } from "./clients/client.ts";
import type { Listening } from "./clients/listening.ts";
import { lentPg, ownPg } from "./clients/pg.ts";
import { lentPostgresJs, type PostgresJsPool } from "./clients/postgres-js.ts";
import type { PgPool, PostgresClient, PostgresTransaction } from "./clients/session.ts";

/** Options of `postgres`; one of the first four says how the server is reached. */
export interface PostgresOptions {
  /** Address of the database: `postgres://user:password@host:5432/database`. Connections of our own, by the package `pg`. */
  readonly connectionString?: string;
  /** A pool of `pg`; it stays the caller's: nothing in it is changed, and it is not closed. */
  readonly pool?: PgPool;
  /** An instance of `postgres` (postgres.js); it stays the caller's as well. */
  readonly sql?: PostgresJsPool;
  /** Anything that runs a query, on one connection; wake-ups between processes are not to be had with it. */
  readonly client?: PostgresClient;
  /** How many connections of our own there may be besides the one for wake-ups, 1 to 100; default 4. */
  readonly connections?: number;
  /** For tests: the store's time, instead of the server's. */
  readonly clock?: Clock;
}

/** Connections with what some clients have besides: a listening connection, and transactions for handlers. */
export interface PostgresConnections extends Connections, Partial<Listening> {
  readonly lending?: Lending<PostgresTransaction> | undefined;
}

const WAYS = ["connectionString", "pool", "sql", "client"] as const;

/** Checks the options. @throws CONFIG_INVALID */
export function connectBy(options: PostgresOptions): Settings<PostgresConnections>["connect"] {
  const ways = WAYS.filter((way) => options[way] !== undefined);
  if (ways.length !== 1) {
    const given = ways.length === 0 ? "none of them" : ways.join(" and ");
    throw invalid(`one of connectionString, pool, sql and client is needed, and ${given} was given`);
  }
  const { connectionString, pool, sql, client, connections = 4 } = options;
  if (!Number.isInteger(connections) || connections < 1 || connections > 100) {
    throw invalid(`connections is ${quoted(connections)}, not a whole number from 1 to 100`);
  }
  if (pool !== undefined) {
    if (typeof pool.connect !== "function") throw invalid("pool is not a pool of pg");
    return (clock) => lentPg(pool, clock);
  }
  if (sql !== undefined) {
    if (typeof sql.unsafe !== "function" || typeof sql.begin !== "function")
      throw invalid("sql is not an instance of postgres");
    return (clock) => lentPostgresJs(sql, clock);
  }
  if (client !== undefined) {
    if (typeof client.query !== "function") throw invalid("client has no query(text, values)");
    return async () => new ClientConnections(client);
  }
  if (typeof connectionString !== "string" || !/^postgres(?:ql)?:\/\//u.test(connectionString)) {
    throw invalid("connectionString is not an address like postgres://host:5432/database");
  }
  return (clock) => ownPg({ connectionString, connections }, clock);
}

function invalid(why: string): SiderealError {
  return new SiderealError("CONFIG_INVALID", `postgres(options): ${why}`);
}
