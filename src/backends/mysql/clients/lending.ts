/** Transactions of `mysql2` for handlers: each on a connection that is handed out, with its session as the user has it. */
import type { Cancel, Clock } from "../../../contracts/clock.ts";
import { SiderealError } from "../../../model/errors.ts";
import type { Millis } from "../../../model/record.ts";
import { type Lending, Turnstile } from "../../sql/lending.ts";
import { isUsable, storeError } from "../errors.ts";
import { type MysqlPool, type MysqlPoolConnection, sessionOver, type Written } from "./session.ts";

/** How long the server may take to begin, to commit or to roll back; the body may take its time. */
const DEADLINE: Millis = 20_000;

export class MysqlLending implements Lending<MysqlPoolConnection> {
  readonly #pool: () => Promise<MysqlPool>;
  readonly #clock: Clock;
  readonly #turnstile: Turnstile;
  /** Ends of the open transactions. */
  readonly #open = new Set<(why: unknown) => void>();

  /** @param pool - Called when the first connection is needed. */
  constructor(pool: () => Promise<MysqlPool>, places: number, clock: Clock) {
    this.#pool = pool;
    this.#clock = clock;
    this.#turnstile = new Turnstile(places);
  }

  lend<T>(body: (tx: MysqlPoolConnection) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#turnstile.through(() => this.#lend(body, signal), signal);
  }

  /** Breaks the connections of what is open: the server rolls back, and the bodies find them closed. */
  close(): void {
    for (const end of [...this.#open]) end(new SiderealError("STORE_CLOSED", "The MySQL store was closed"));
  }

  async #lend<T>(body: (tx: MysqlPoolConnection) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const connection = await this.#connected();
    let isHeld = true;
    const leave = (how: "release" | "destroy"): void => {
      if (isHeld) connection[how]();
      isHeld = false;
    };
    const say = async (text: string, doing: string): Promise<Written> => {
      try {
        return await this.#timely(sessionOver(connection).write(text), doing);
      } catch (error) {
        if (!isUsable(error) || (error as { code?: unknown }).code === "STORE_TIMEOUT") leave("destroy");
        throw storeError(error, doing);
      }
    };
    let end: (why: unknown) => void = () => {};
    const ended = new Promise<never>((_, reject) => {
      end = (why) => {
        leave("destroy");
        reject(why);
      };
    });
    ended.catch(() => {});
    const abort = (): void => end(signal?.reason);
    this.#open.add(end);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      await say("set transaction isolation level read committed", "begin a transaction");
      await say("start transaction", "begin a transaction");
      const result = await Promise.race([body(connection), ended]);
      await say("commit", "commit a transaction");
      return result;
    } catch (error) {
      if (isHeld) await say("rollback", "roll back a transaction").catch(() => {});
      throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#open.delete(end);
      leave("release");
    }
  }

  async #connected(): Promise<MysqlPoolConnection> {
    try {
      return await (await this.#pool()).getConnection();
    } catch (error) {
      throw storeError(error, "begin a transaction");
    }
  }

  async #timely<T>(answer: Promise<T>, doing: string): Promise<T> {
    let cancel: Cancel = () => {};
    const late = new Promise<never>((_, reject) => {
      const why = `MySQL: could not ${doing}: no answer within ${DEADLINE} ms`;
      cancel = this.#clock.after(DEADLINE, () => reject(new SiderealError("STORE_TIMEOUT", why)));
    });
    try {
      return await Promise.race([answer, late]);
    } finally {
      cancel();
    }
  }
}
