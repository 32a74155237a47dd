/**
 * Connections by `postgres` (postgres.js): the caller's instance, which is neither configured nor closed. The library has
 * no way to give up a connection that does not answer: calls on it end in time, but it stays until the system drops it.
 */
import type { Cancel, Clock } from "../../../contracts/clock.ts";
import { SiderealError } from "../../../model/errors.ts";
import { type Lending, Turnstile } from "../../sql/lending.ts";
import { SILENCE } from "../../sql/lines.ts";
import type { Connections, Session, Text, TextRow } from "../../sql/port.ts";
import { storeError } from "../errors.ts";
import type { Listener, Listening } from "./listening.ts";
import { isPooler } from "./pooler.ts";
import { type PostgresJs, postgresJsSession } from "./session.ts";

/** An instance of `postgres`. */
export interface PostgresJsPool extends PostgresJs {
  begin<T>(options: string, body: (sql: PostgresJs) => Promise<T>): Promise<unknown>;
  listen(
    channel: string,
    heard: (payload: string) => void,
    listening?: () => void,
  ): Promise<{ unlisten(): Promise<void> }>;
  readonly options?: { readonly prepare?: boolean; readonly max?: number };
}

export class PostgresJsConnections implements Connections, Listening {
  readonly #sql: PostgresJsPool;
  readonly #clock: Clock;
  readonly #session: Session;
  readonly pooled: boolean;
  #turnstile: Turnstile | undefined;

  /** @param pooled - Whether a pooler stands between. */
  constructor(sql: PostgresJsPool, clock: Clock, pooled: boolean) {
    this.#sql = sql;
    this.#clock = clock;
    this.pooled = pooled;
    this.#session = postgresJsSession(sql, this.#prepares);
  }

  query(text: string, values: readonly Text[]): Promise<readonly TextRow[]> {
    return timely(this.#clock, () => this.#session.query(text, values));
  }

  transaction<T>(body: (session: Session) => Promise<T>, patient = false): Promise<T> {
    const run = async (alive: () => void): Promise<T> =>
      (await this.#sql.begin("isolation level read committed", (sql) => {
        alive();
        const session = postgresJsSession(sql, this.#prepares);
        return body({
          query: async (text, values) => {
            const rows = await session.query(text, values);
            alive();
            return rows;
          },
        });
      })) as T;
    return patient ? run(() => {}) : timely(this.#clock, run);
  }

  async close(): Promise<void> {}

  /**
   * Transactions for handlers, at most all connections but one: the store must go on beside them. Nothing ends them by
   * force: the library would run what their bodies send afterwards outside of any transaction.
   */
  get lending(): Lending<PostgresJs> | undefined {
    const most = (this.#sql.options?.max ?? 10) - 1;
    if (most < 1) return undefined;
    this.#turnstile ??= new Turnstile(most);
    const turnstile = this.#turnstile;
    return { lend: (body, signal) => turnstile.through(() => this.#lend(body), signal) };
  }

  async #lend<T>(body: (sql: PostgresJs) => Promise<T>): Promise<T> {
    let isBody = false;
    try {
      const answer = await this.#sql.begin("isolation level read committed", async (sql) => {
        try {
          // The library would await what is in a list.
          return { result: await body(sql) };
        } catch (error) {
          isBody = true;
          throw error;
        }
      });
      return (answer as { readonly result: T }).result;
    } catch (error) {
      throw isBody ? error : storeError(error, "begin or commit a transaction");
    }
  }

  /** The library opens a connection of its own for this, and opens it again should it be lost. */
  async listen(heard: (payload: string) => void, _lost: () => void, channel: string): Promise<Listener | undefined> {
    if (this.pooled) return undefined;
    const { unlisten } = await this.#sql.listen(channel, heard);
    return { session: this.#session, stop: () => void unlisten().catch(() => {}) };
  }

  get #prepares(): boolean {
    return !this.pooled && (this.#sql.options?.prepare ?? true);
  }
}

/**
 * An instance that was lent.
 * @throws CONFIG_INVALID where it would prepare its own `commit` by name behind a pooler; whatever it throws while it connects
 */
export async function lentPostgresJs(sql: PostgresJsPool, clock: Clock): Promise<PostgresJsConnections> {
  const [row, told] = await timely(clock, () => identified(sql));
  const pooled = await isPooler({ query: async () => [[row]] }, told);
  if (pooled && sql.options?.prepare !== false) {
    throw new SiderealError(
      "CONFIG_INVALID",
      "postgres(options): sql is connected to a pooler and prepares its statements, even begin and commit, in sessions that it may not get again; make it with prepare: false",
    );
  }
  return new PostgresJsConnections(sql, clock, pooled);
}

/**
 * Waits no longer than `SILENCE` for each answer. Whoever says afterwards that it is alive learns that nobody waits: what
 * was queued for a connection that is free again by then must do nothing.
 * @throws STORE_TIMEOUT
 */
async function timely<T>(clock: Clock, run: (alive: () => void) => Promise<T>): Promise<T> {
  let movedAt = clock.mono();
  let cancel: Cancel = () => {};
  let given: SiderealError | undefined;
  const silent = new Promise<never>((_, reject) => {
    const watch = (left: number): void => {
      cancel = clock.after(left, () => {
        const rest = movedAt + SILENCE - clock.mono();
        if (rest > 0) {
          watch(rest);
          return;
        }
        given = new SiderealError("STORE_TIMEOUT", `PostgreSQL did not answer within ${SILENCE} ms`);
        reject(given);
      });
    };
    watch(SILENCE);
  });
  const alive = (): void => {
    if (given !== undefined) throw given;
    movedAt = clock.mono();
  };
  try {
    return await Promise.race([run(alive), silent]);
  } finally {
    cancel();
  }
}

/** The process that serves a query, and the one that was named when its connection was made. */
async function identified(sql: PostgresJs): Promise<readonly [string, unknown]> {
  const answer = (await sql.unsafe("select pg_backend_pid()::text as pid", [], { prepare: false })) as unknown;
  const { 0: row, state } = answer as {
    readonly 0?: { readonly pid: string };
    readonly state?: { readonly pid?: unknown };
  };
  return [row?.pid ?? "", state?.pid];
}
