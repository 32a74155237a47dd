/** What the user may say about the MySQL store. */
import type { Clock } from "../../contracts/clock.ts";
import { quoted } from "../../model/duration.ts";
import { SiderealError } from "../../model/errors.ts";
import type { Settings } from "../sql/settings.ts";
import { type Connections, lentPool, type MysqlCallbackPool, ownPool } from "./clients/pool.ts";
import type { MysqlPool } from "./clients/session.ts";

/** Options of `mysql`; one of the first two says how the server is reached. */
export interface MysqlOptions {
  /** Address of the database: `mysql://user:password@host:3306/database`. Connections of our own, by the package `mysql2`. */
  readonly url?: string;
  /** A pool of `mysql2/promise` or `mysql2`; it stays the caller's: nothing in it is changed, and it is not closed. */
  readonly pool?: MysqlPool | MysqlCallbackPool;
  /** How many connections of our own there may be, 1 to 100; default 4. */
  readonly connections?: number;
  /** For tests: the store's time, instead of the server's. */
  readonly clock?: Clock;
}

/** Checks the options. @throws CONFIG_INVALID */
export function connectBy(options: MysqlOptions): Settings<Connections>["connect"] {
  const { url, pool, connections = 4 } = options;
  if ((url === undefined) === (pool === undefined)) {
    throw invalid(`one of url and pool is needed, and ${url === undefined ? "none of them" : "both"} was given`);
  }
  if (!Number.isInteger(connections) || connections < 1 || connections > 100) {
    throw invalid(`connections is ${quoted(connections)}, not a whole number from 1 to 100`);
  }
  if (pool !== undefined) {
    const lent = promising(pool);
    return async (clock) => lentPool(lent, clock);
  }
  if (typeof url !== "string" || !/^(?:mysql|mariadb):\/\/[^/]*\/[^/?]+/u.test(url)) {
    throw invalid("url is not an address like mysql://host:3306/database");
  }
  if (!isReadable(url)) throw invalid("the address cannot be read; # % / ? of a password are written %23 %25 %2F %3F");
  return (clock) => ownPool({ url: url.replace(/^mariadb:/u, "mysql:"), connections }, clock);
}

/** Whether the client can take the address apart; its own error would show the password. */
function isReadable(url: string): boolean {
  try {
    const { username, password, hostname, pathname } = new URL(url);
    for (const part of [username, password, hostname, pathname]) decodeURIComponent(part);
    return true;
  } catch {
    return false;
  }
}

/** The pool that answers by promises, of whichever was given. */
function promising(pool: MysqlPool | MysqlCallbackPool): MysqlPool {
  if (typeof (pool as Partial<MysqlCallbackPool>).promise === "function") return (pool as MysqlCallbackPool).promise();
  if (typeof (pool as Partial<MysqlPool>).getConnection === "function") return pool as MysqlPool;
  throw invalid("pool is not a pool of mysql2");
}

function invalid(why: string): SiderealError {
  return new SiderealError("CONFIG_INVALID", `mysql(options): ${why}`);
}
