/**
 * Transactions on a connection of their own, for callers whose body takes its time while the store goes on working. There is
 * one at a time, since SQLite has one writer; the others wait for it, and the lock of another process in turns.
 */
import type { Doorway } from "../sql/doorway.ts";
import { connect } from "./connection.ts";
import type { OwnConnection } from "./driver.ts";
import { storeError } from "./errors.ts";
import type { Settings } from "./options.ts";
import { Turns } from "./turns.ts";

export class OwnTransactions {
  readonly #settings: Settings;
  readonly #door: Doorway<unknown>;
  readonly #turns: Turns;
  #connection: OwnConnection | undefined;
  #last: Promise<unknown> = Promise.resolve();
  /** Ends the open transaction whatever its body does. */
  #end: ((why: unknown) => void) | undefined;

  /** @param door - Of the store whose transactions they are. */
  constructor(settings: Settings, door: Doorway<unknown>) {
    this.#settings = settings;
    this.#door = door;
    this.#turns = new Turns(settings.clock, settings.patience);
  }

  /** Rolls back what is open; its body finds the connection closed. */
  close(): void {
    this.#end?.(this.#door.closed());
    this.#drop();
  }

  /** Runs the body between `begin immediate` and `commit`. @throws what the body throws, or why it was ended; STORE_… errors */
  run<T>(body: (connection: OwnConnection) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const turn = this.#last.then(() => this.#run(body, signal));
    this.#last = turn.catch(() => {});
    return turn;
  }

  async #run<T>(body: (connection: OwnConnection) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    signal?.throwIfAborted();
    const connection = await this.#begun();
    const ended = new Promise<never>((_, reject) => {
      this.#end = (why) => {
        this.#drop();
        reject(why);
      };
    });
    ended.catch(() => {});
    const abort = (): void => this.#end?.(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      const result = await Promise.race([body(connection), ended]);
      this.#commit(connection);
      return result;
    } catch (error) {
      this.#undo(connection);
      throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#end = undefined;
    }
  }

  async #begun(): Promise<OwnConnection> {
    const { path, patience } = this.#settings;
    const driver = await this.#settings.driver();
    try {
      return await this.#turns.take(() => {
        this.#door.enter();
        this.#connection ??= connect(driver, this.#settings);
        this.#connection.exec("begin immediate");
        return this.#connection;
      });
    } catch (error) {
      throw storeError(error, { path, doing: "begin a transaction", waited: patience });
    }
  }

  #commit(connection: OwnConnection): void {
    try {
      connection.exec("commit");
    } catch (error) {
      throw storeError(error, { path: this.#settings.path, doing: "commit a transaction" });
    }
  }

  #undo(connection: OwnConnection): void {
    if (this.#connection !== connection) return;
    // Else SQLite has rolled back by itself, or the body has ended its transaction: nothing is known of this connection.
    if (!isDone(() => connection.exec("rollback"))) this.#drop();
  }

  /** Closes the connection. Not by that alone is a transaction over: while the body's statements live, its lock does. */
  #drop(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection === undefined) return;
    isDone(() => connection.exec("rollback"));
    isDone(() => connection.close());
  }
}

function isDone(action: () => void): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}
