/** Transactions of `pg` for handlers: each on a connection that is handed out, with the planner as the user has it. */
import type { Cancel, Clock } from "../../../contracts/clock.ts";
import { SiderealError } from "../../../model/errors.ts";
import type { Millis } from "../../../model/record.ts";
import { type Lending, Turnstile } from "../../sql/lending.ts";
import { isConnectionUsable, storeError } from "../errors.ts";
import type { PgPool, PgPoolClient } from "./session.ts";
import { given, taken } from "./taken.ts";

/** How long the server may take to begin, to commit or to roll back; the body may take its time. */
const DEADLINE: Millis = 20_000;

/** What of the answer to `commit` matters: a transaction that has failed answers ROLLBACK. */
interface Ended {
  readonly command?: string;
}

export class PgLending implements Lending<PgPoolClient> {
  readonly #pool: () => PgPool;
  readonly #clock: Clock;
  readonly #turnstile: Turnstile;
  /** Ends of the open transactions. */
  readonly #open = new Set<(why: unknown) => void>();

  /** @param pool - Called when the first connection is needed. */
  constructor(pool: () => PgPool, places: number, clock: Clock) {
    this.#pool = pool;
    this.#clock = clock;
    this.#turnstile = new Turnstile(places);
  }

  lend<T>(body: (tx: PgPoolClient) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#turnstile.through(() => this.#lend(body, signal), signal);
  }

  /** Breaks the connections of what is open: the server rolls back, and the bodies find them closed. */
  close(): void {
    for (const end of [...this.#open]) end(new SiderealError("STORE_CLOSED", "The PostgreSQL store was closed"));
  }

  async #lend<T>(body: (tx: PgPoolClient) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const client = await this.#connected();
    let isHeld = true;
    const release = (error?: Error): void => {
      if (!isHeld) return;
      isHeld = false;
      given(client, error);
    };
    let end: (why: unknown) => void = () => {};
    const ended = new Promise<never>((_, reject) => {
      end = (why) => {
        release(new Error("the transaction was ended by force"));
        reject(why);
      };
    });
    ended.catch(() => {});
    const abort = (): void => end(signal?.reason);
    this.#open.add(end);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      await this.#say(client, "begin isolation level read committed", "begin a transaction", release);
      const result = await Promise.race([body(client), ended]);
      const { command } = await this.#say(client, "commit", "commit a transaction", release);
      if (command === "ROLLBACK") throw rolledBack();
      return result;
    } catch (error) {
      if (isHeld) await this.#say(client, "rollback", "roll back a transaction", release).catch(() => {});
      throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#open.delete(end);
      release();
    }
  }

  async #connected(): Promise<PgPoolClient> {
    try {
      return await taken(this.#pool());
    } catch (error) {
      throw storeError(error, "begin a transaction");
    }
  }

  /** Runs a statement of ours; a connection that fails or does not answer is not used again. */
  async #say(client: PgPoolClient, text: string, doing: string, release: (error?: Error) => void): Promise<Ended> {
    let cancel: Cancel = () => {};
    const late = new Promise<never>((_, reject) => {
      cancel = this.#clock.after(DEADLINE, () => {
        const why = `PostgreSQL: could not ${doing}: no answer within ${DEADLINE} ms`;
        const error = new SiderealError("STORE_TIMEOUT", why);
        release(error);
        reject(error);
      });
    });
    try {
      const query = client.query({ text, values: [], rowMode: "array", types: undefined });
      return (await Promise.race([query, late])) as Ended;
    } catch (error) {
      if (!isConnectionUsable(error)) release(error as Error);
      throw storeError(error, doing);
    } finally {
      cancel();
    }
  }
}

function rolledBack(): SiderealError {
  return new SiderealError(
    "STORE_FAILED",
    "PostgreSQL: could not commit a transaction: one of its statements had failed, so that it was rolled back",
  );
}
