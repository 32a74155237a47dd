/** Transactions for callers, each on a connection of a pool that is handed out for as long as the transaction lasts. */
import type { Cancel, Clock } from "../../contracts/clock.ts";
import { SiderealError } from "../../model/errors.ts";
import type { Millis } from "../../model/record.ts";
import { type Lending, Turnstile } from "./lending.ts";

/** How long the server may take to begin, to commit or to roll back; the body may take its time. */
const DEADLINE: Millis = 20_000;

/** Where the connections come from and go to. */
export interface Bank<Tx> {
  /** The server's name, for errors. */
  readonly server: string;
  /** What begins a transaction. */
  readonly begin: readonly string[];
  take(): Promise<Tx>;
  /** Runs a statement of ours. */
  say(tx: Tx, text: string): Promise<unknown>;
  /** Looks at the answer to a commit. @throws if it says that nothing was committed */
  checkCommit?(answer: unknown): void;
  /** Back to the pool, for use by others. */
  give(tx: Tx): void;
  /** Out of the pool, and closed: the server rolls back. */
  cut(tx: Tx, error: Error): void;
  /** Whether a connection lives on after this error. */
  isUsable(error: unknown): boolean;
  /** What to throw for something that was thrown. */
  error(error: unknown, doing: string): unknown;
}

export class Loans<Tx> implements Lending<Tx> {
  readonly #bank: Bank<Tx>;
  readonly #clock: Clock;
  readonly #turnstile: Turnstile;
  /** Ends of the open transactions. */
  readonly #open = new Set<(why: unknown) => void>();

  /** @param places - How many there may be at a time. */
  constructor(bank: Bank<Tx>, places: number, clock: Clock) {
    this.#bank = bank;
    this.#clock = clock;
    this.#turnstile = new Turnstile(places);
  }

  lend<T>(body: (tx: Tx) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#turnstile.through(() => this.#lend(body, signal), signal);
  }

  /** Breaks the connections of what is open: the server rolls back, and the bodies find them closed. */
  close(): void {
    const why = `The ${this.#bank.server} store was closed`;
    for (const end of [...this.#open]) end(new SiderealError("STORE_CLOSED", why));
  }

  async #lend<T>(body: (tx: Tx) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const bank = this.#bank;
    const tx = await this.#taken();
    let isHeld = true;
    const leave = (error?: Error): void => {
      if (!isHeld) return;
      isHeld = false;
      if (error === undefined) bank.give(tx);
      else bank.cut(tx, error);
    };
    const say = async (text: string, doing: string): Promise<unknown> => {
      try {
        return await this.#timely(bank.say(tx, text), doing, leave);
      } catch (error) {
        if (!bank.isUsable(error)) leave(error as Error);
        throw bank.error(error, doing);
      }
    };
    let end: (why: unknown) => void = () => {};
    const ended = new Promise<never>((_, reject) => {
      end = (why) => {
        leave(new Error("the transaction was ended by force"));
        reject(why);
      };
    });
    ended.catch(() => {});
    const abort = (): void => end(signal?.reason);
    this.#open.add(end);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      for (const text of bank.begin) await say(text, "begin a transaction");
      const result = await Promise.race([body(tx), ended]);
      const answer = await say("commit", "commit a transaction");
      bank.checkCommit?.(answer);
      return result;
    } catch (error) {
      if (isHeld) await say("rollback", "roll back a transaction").catch(() => {});
      throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#open.delete(end);
      leave();
    }
  }

  async #taken(): Promise<Tx> {
    try {
      return await this.#bank.take();
    } catch (error) {
      throw this.#bank.error(error, "begin a transaction");
    }
  }

  /** The answer, if it comes in time; a connection that does not answer is not used again. */
  async #timely<T>(answer: Promise<T>, doing: string, leave: (error: Error) => void): Promise<T> {
    let cancel: Cancel = () => {};
    const late = new Promise<never>((_, reject) => {
      cancel = this.#clock.after(DEADLINE, () => {
        const why = `${this.#bank.server}: could not ${doing}: no answer within ${DEADLINE} ms`;
        const error = new SiderealError("STORE_TIMEOUT", why);
        leave(error);
        reject(error);
      });
    });
    try {
      return await Promise.race([answer, late]);
    } finally {
      cancel();
    }
  }
}
