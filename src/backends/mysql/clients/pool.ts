/** Connections by `mysql2`: a small pool of our own, or one that was lent, which is neither configured nor closed. */
import type { Clock } from "../../../contracts/clock.ts";
import { SiderealError } from "../../../model/errors.ts";
import { ended } from "../../sql/farewell.ts";
import type { Lending } from "../../sql/lending.ts";
import { Lines, type Supply } from "../../sql/lines.ts";
import type { Loans } from "../../sql/loans.ts";
import { isUsable } from "../errors.ts";
import { mysqlLending } from "./lending.ts";
import { type MysqlPool, type MysqlPoolConnection, type Session, sessionOver } from "./session.ts";

/** Where sessions come from. */
export interface Connections {
  /** Runs the body on one connection, outside any transaction, however long it takes: for what commits by itself. */
  single<T>(body: (session: Session) => Promise<T>): Promise<T>;
  /** Runs a body whose statements may stand each for itself. */
  alone<T>(body: (session: Session) => Promise<T>): Promise<T>;
  /** Runs the body in a transaction on one connection: committed when it resolves, rolled back when it rejects. */
  transaction<T>(body: (session: Session) => Promise<T>): Promise<T>;
  /** Transactions for handlers; undefined: there is no connection to spare. */
  readonly lending: Lending<MysqlPoolConnection> | undefined;
  /** Closes what was opened for this store, and nothing else. */
  close(): Promise<void>;
}

/** A pool of `mysql2` with callbacks, which has the other kind inside. */
export interface MysqlCallbackPool {
  promise(): MysqlPool;
}

/** What our statements ask of a session of our own. They could do without; so it is cheaper. */
const SETTINGS: readonly string[] = [
  "set session transaction isolation level read committed",
  "set session autocommit = 1, sql_mode = 'STRICT_ALL_TABLES', time_zone = '+00:00', innodb_lock_wait_timeout = 3",
];

/** Of MariaDB alone: a transaction whose client vanished without a word keeps its locks no longer than this, in seconds. */
const VANISHED = "set session idle_transaction_timeout = 5";

interface RawConnection {
  query(sql: string, done: (error: unknown) => void): void;
  destroy(): void;
  readonly stream?: { ref?(): void; unref?(): void };
}

interface OwnPool extends MysqlPool {
  readonly pool: {
    on(event: "connection" | "acquire" | "release", listener: (connection: RawConnection) => void): unknown;
  };
  end(): Promise<void>;
}

interface MysqlModule {
  createPool(options: object): OwnPool;
}

/** How to reach the server with connections of our own. */
export interface OwnOptions {
  readonly url: string;
  readonly connections: number;
}

/** A pool of our own. @throws DEPENDENCY_MISSING */
export async function ownPool({ url, connections }: OwnOptions, clock: Clock): Promise<Connections> {
  const { createPool } = await loadMysql();
  const options = {
    uri: url,
    connectionLimit: connections,
    waitForConnections: true,
    queueLimit: 0,
    connectTimeout: 5_000,
    enableKeepAlive: true,
    charset: "utf8mb4",
    multipleStatements: false,
  };
  const pool = unobtrusive(createPool(options));
  // The handlers' own statements: other connections, so that they never keep the store waiting, and no settings of ours.
  let second: OwnPool | undefined;
  const handlers = async (): Promise<OwnPool> => {
    second ??= unobtrusive(createPool(options));
    return second;
  };
  pool.pool.on("connection", (connection) => {
    for (const setting of SETTINGS) {
      connection.query(setting, (error) => {
        // Then whoever waits for it is told.
        if (error) connection.destroy();
      });
    }
    connection.query(VANISHED, () => {});
  });
  const lending = mysqlLending(handlers, connections, clock);
  const end = async (): Promise<void> => {
    await Promise.all([pool, second].map((own) => own && ended(own, clock)));
  };
  return new PoolConnections({ pool, clock, isOwn: true, lending, end });
}

/** Its idle connections keep no process alive. */
function unobtrusive(pool: OwnPool): OwnPool {
  pool.pool.on("acquire", ({ stream }) => stream?.ref?.());
  pool.pool.on("release", ({ stream }) => stream?.unref?.());
  return pool;
}

/** A pool that was lent: every call is a transaction of its own, whatever the sessions are set to. */
export function lentPool(pool: MysqlPool, clock: Clock): Connections {
  // One is left for the store: it must go on while handlers have their transactions open.
  const { connectionLimit = 10 } = (pool as OpenPool).pool?.config ?? {};
  const most = connectionLimit - 1;
  const lending = most < 1 ? undefined : mysqlLending(async () => pool, most, clock);
  return new PoolConnections({ pool, clock, isOwn: false, lending, end: async () => {} });
}

async function loadMysql(): Promise<MysqlModule> {
  try {
    const module = (await import("mysql2/promise")) as unknown as MysqlModule & { readonly default?: MysqlModule };
    return module.default ?? module;
  } catch (cause) {
    throw new SiderealError("DEPENDENCY_MISSING", "The MySQL store needs mysql2. Run: npm install mysql2", { cause });
  }
}

/** A pool as far as its size must be known. */
interface OpenPool extends MysqlPool {
  readonly pool?: { readonly config?: { readonly connectionLimit?: number } };
}

interface Parts {
  readonly pool: MysqlPool;
  readonly clock: Clock;
  readonly isOwn: boolean;
  readonly lending: Loans<MysqlPoolConnection> | undefined;
  readonly end: () => Promise<void>;
}

class PoolConnections implements Connections {
  readonly #parts: Parts;

  readonly #lines: Lines<MysqlPoolConnection>;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#lines = new Lines(supplyOf(parts.pool), parts.clock);
  }

  get lending(): Lending<MysqlPoolConnection> | undefined {
    return this.#parts.lending;
  }

  single<T>(body: (session: Session) => Promise<T>): Promise<T> {
    return this.#with(async (session) => {
      try {
        return await body(session);
      } finally {
        // A lent session may have begun a transaction by itself.
        if (!this.#parts.isOwn) await session.write("commit").catch(() => {});
      }
    }, true);
  }

  alone<T>(body: (session: Session) => Promise<T>): Promise<T> {
    return this.#parts.isOwn ? this.#with(body) : this.transaction(body);
  }

  transaction<T>(body: (session: Session) => Promise<T>): Promise<T> {
    return this.#with(async (session) => {
      if (!this.#parts.isOwn) await session.write("set transaction isolation level read committed");
      await session.write("start transaction");
      try {
        const result = await body(session);
        await session.write("commit");
        return result;
      } catch (error) {
        await session.write("rollback").catch((failure: unknown) => {
          throw isUsable(error) ? failure : error;
        });
        throw error;
      }
    });
  }

  close(): Promise<void> {
    this.#parts.lending?.close();
    return this.#parts.end();
  }

  /** Runs on one connection of the pool. */
  #with<T>(body: (session: Session) => Promise<T>, patient = false): Promise<T> {
    return this.#lines.with((connection, heard) => {
      const { query, write } = sessionOver(connection);
      return body({
        query: async (text, values) => {
          const rows = await query(text, values);
          heard();
          return rows;
        },
        write: async (text, values) => {
          const written = await write(text, values);
          heard();
          return written;
        },
      });
    }, patient);
  }
}

/** The pool, as the calls on it are made. */
function supplyOf(pool: MysqlPool): Supply<MysqlPoolConnection> {
  return {
    server: "MySQL",
    take: () => pool.getConnection(),
    give: (connection) => connection.release(),
    cut: (connection) => {
      connection.destroy();
      // Else it takes leave first, and waits for the answer.
      (connection as { connection?: { stream?: { destroy?(): void } } }).connection?.stream?.destroy?.();
    },
    isUsable,
  };
}
