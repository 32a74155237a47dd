/** Connections by `pg`: a small pool of our own, or one that was lent, which is neither configured nor closed. */
import type { Clock } from "../../../contracts/clock.ts";
import { SiderealError } from "../../../model/errors.ts";
import { ended } from "../../sql/farewell.ts";
import type { Lending } from "../../sql/lending.ts";
import { Lines, type Supply } from "../../sql/lines.ts";
import type { Loans } from "../../sql/loans.ts";
import type { Connections, Session, Text, TextRow } from "../../sql/port.ts";
import { isConnectionUsable } from "../errors.ts";
import type { Listener, Listening } from "./listening.ts";
import { pgLending } from "./pg-lending.ts";
import { isPooler, refusesSettings } from "./pooler.ts";
import { type PgClient, type PgPool, type PgPoolClient, pgSession } from "./session.ts";
import { given, taken } from "./taken.ts";

/** What the statements ask of the planner and of the server, on connections of our own. */
const SETTINGS: readonly string[] = [
  "enable_seqscan=off",
  "enable_hashjoin=off",
  "enable_mergejoin=off",
  "jit=off",
  "plan_cache_mode=force_generic_plan",
  "default_transaction_isolation=read\\ committed",
  // A transaction whose client vanished without a word keeps its locks no longer than this.
  "idle_in_transaction_session_timeout=5000",
];

interface PgModule {
  readonly Pool: new (options: object) => OwnPool;
  readonly Client: new (options: object) => PgListenClient;
}

interface OwnPool extends PgPool {
  on(event: "error", listener: (error: Error) => void): unknown;
  end(): Promise<void>;
}

interface PgListenClient extends PgClient {
  connect(): Promise<unknown>;
  end(): Promise<void>;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "end", listener: () => void): unknown;
  on(event: "notification", listener: (message: { readonly payload?: string | undefined }) => void): unknown;
  readonly connection?: { readonly stream?: { ref?(): void; unref?(): void; destroy?(): void } };
}

/** A lent pool as far as it must be known to open a connection like its own beside it. */
interface OpenPool {
  readonly Client?: PgModule["Client"];
  readonly options?: { readonly max?: number };
}

/** How to reach the server with connections of our own. */
export interface OwnPgOptions {
  readonly connectionString: string;
  readonly connections: number;
}

/** A pool of our own; behind a pooler, one that keeps nothing in a session. @throws DEPENDENCY_MISSING */
export async function ownPg(options: OwnPgOptions, clock: Clock): Promise<PgConnections> {
  const module = await loadPg();
  const direct = made(module, options, clock, false);
  try {
    if (!(await direct.meetsPooler())) return direct;
  } catch (error) {
    await direct.close();
    if (!refusesSettings(error)) throw error;
    return made(module, options, clock, true);
  }
  await direct.close();
  return made(module, options, clock, true);
}

function made({ Pool, Client }: PgModule, own: OwnPgOptions, clock: Clock, pooled: boolean): PgConnections {
  const { connectionString, connections: max } = own;
  const plain = { connectionString, keepAlive: true, connectionTimeoutMillis: 5_000 };
  const options = pooled ? plain : { ...plain, options: SETTINGS.map((setting) => `-c ${setting}`).join(" ") };
  const pool = opened(new Pool({ ...options, application_name: "sidereal", max, allowExitOnIdle: true }));
  // The handlers' own statements: other connections, so that they never keep the store waiting, and no settings of ours.
  let second: OwnPool | undefined;
  const handlers = (): OwnPool => {
    second ??= opened(new Pool({ ...plain, application_name: "sidereal transactions", max, allowExitOnIdle: true }));
    return second;
  };
  return new PgConnections({
    pool,
    clock,
    prepares: !pooled,
    pooled,
    listener: pooled ? undefined : () => new Client({ ...options, application_name: "sidereal listen" }),
    lending: pgLending(handlers, max, clock),
    end: async () => {
      await Promise.all([pool, second].map((each) => each && ended(each, clock)));
    },
  });
}

/** An idle connection that the server closes is replaced when it is next needed. */
function opened(pool: OwnPool): OwnPool {
  pool.on("error", ignore);
  return pool;
}

/** A pool that was lent. Wake-ups get a connection of their own, since the pool's may all be in use for long. */
export async function lentPg(pool: PgPool, clock: Clock): Promise<PgConnections> {
  const { Client, options } = pool as OpenPool;
  // One is left for the store: it must go on while handlers have their transactions open.
  const most = (options?.max ?? 10) - 1;
  const lending = most < 1 ? undefined : pgLending(() => pool, most, clock);
  const parts = { pool, clock, prepares: false, lending, end: async (): Promise<void> => {} };
  const pooled = await new PgConnections({ ...parts, pooled: false, listener: undefined }).meetsPooler();
  const listener =
    pooled || Client === undefined || options === undefined
      ? undefined
      : (): PgListenClient => new Client({ ...options, application_name: "sidereal listen" });
  return new PgConnections({ ...parts, pooled, listener });
}

async function loadPg(): Promise<PgModule> {
  try {
    const module = (await import("pg")) as unknown as PgModule & { readonly default?: PgModule };
    return module.default ?? module;
  } catch (cause) {
    throw new SiderealError("DEPENDENCY_MISSING", "The PostgreSQL store needs pg. Run: npm install pg", { cause });
  }
}

interface Parts {
  readonly pool: PgPool;
  readonly clock: Clock;
  readonly prepares: boolean;
  /** Whether a pooler stands between. */
  readonly pooled: boolean;
  readonly listener: (() => PgListenClient) | undefined;
  /** Undefined: there is no connection to spare. */
  readonly lending: Loans<PgPoolClient> | undefined;
  readonly end: () => Promise<void>;
}

export class PgConnections implements Connections, Listening {
  readonly #parts: Parts;

  readonly #lines: Lines<PgPoolClient>;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#lines = new Lines(supplyOf(parts.pool), parts.clock);
  }

  get pooled(): boolean {
    return this.#parts.pooled;
  }

  /** Connects, and finds out whether a pooler answered. @throws whatever the client throws */
  meetsPooler(): Promise<boolean> {
    return this.#with((session, client) => isPooler(session, (client as { readonly processID?: unknown }).processID));
  }

  get lending(): Lending<PgPoolClient> | undefined {
    return this.#parts.lending;
  }

  query(text: string, values: readonly Text[]): Promise<readonly TextRow[]> {
    return this.#with((session) => session.query(text, values));
  }

  transaction<T>(body: (session: Session) => Promise<T>, patient = false): Promise<T> {
    return this.#with(async (session) => {
      await session.query("begin isolation level read committed", []);
      try {
        const result = await body(session);
        await session.query("commit", []);
        return result;
      } catch (error) {
        await session.query("rollback", []).catch((failure: unknown) => {
          throw isConnectionUsable(error) ? failure : error;
        });
        throw error;
      }
    }, patient);
  }

  close(): Promise<void> {
    this.#parts.lending?.close();
    return this.#parts.end();
  }

  /** @throws whatever the client throws while it connects; undefined if no connection of its own can be had */
  async listen(heard: (payload: string) => void, lost: () => void, channel: string): Promise<Listener | undefined> {
    const client = this.#parts.listener?.();
    if (client === undefined) return undefined;
    client.on("error", lost);
    client.on("end", lost);
    client.on("notification", ({ payload }) => heard(payload ?? ""));
    const stop = (): void => {
      client.end().catch(() => {});
      client.connection?.stream?.destroy?.();
    };
    try {
      await client.connect();
      await client.query({ text: `listen "${channel}"`, values: [], rowMode: "array", types: undefined });
      client.connection?.stream?.unref?.();
      return { session: awake(pgSession(client, true), client.connection?.stream), stop };
    } catch (error) {
      stop();
      throw error;
    }
  }

  /** Runs on one connection of the pool. */
  #with<T>(body: (session: Session, client: PgPoolClient) => Promise<T>, patient = false): Promise<T> {
    return this.#lines.with(async (client, heard) => {
      const session = pgSession(client, this.#parts.prepares);
      const watched: Session = {
        query: async (text, values) => {
          const rows = await session.query(text, values);
          heard();
          return rows;
        },
      };
      return body(watched, client);
    }, patient);
  }
}

const ignore = (): void => {};

/** The pool, as the calls on it are made. */
function supplyOf(pool: PgPool): Supply<PgPoolClient> {
  return {
    server: "PostgreSQL",
    take: () => taken(pool),
    give: (client) => given(client),
    cut: (client, error) => {
      given(client, error);
      client.connection?.stream?.destroy?.();
    },
    isUsable: isConnectionUsable,
  };
}

/** A session over a connection that keeps no process alive but while it is asked. */
function awake(session: Session, stream: { ref?(): void; unref?(): void } | undefined): Session {
  return {
    query: async (text, values) => {
      stream?.ref?.();
      try {
        return await session.query(text, values);
      } finally {
        stream?.unref?.();
      }
    },
  };
}
