/**
 * Calls on the connections of a pool, and what to do when one falls silent. A half-open connection never answers and
 * never fails; those beside it in the pool are as dead, and waiting for each in turn would take minutes.
 */
import type { Cancel, Clock } from "../../contracts/clock.ts";
import { SiderealError } from "../../model/errors.ts";
import type { Millis } from "../../model/record.ts";

/** How long a statement, or a connection of the pool, is waited for; short enough to be back 10 s after the network is. */
export const SILENCE: Millis = 7_000;

/** Where connections come from and go to. */
export interface Supply<C> {
  /** The server's name, for errors. */
  readonly server: string;
  take(): Promise<C>;
  /** Back to the pool, for use by others. */
  give(connection: C): void;
  /** Out of the pool, and closed at once, without a farewell that nobody answers. */
  cut(connection: C, error: Error): void;
  /** Whether a connection lives on after this error. */
  isUsable(error: unknown): boolean;
}

/** Takes note that the connection has answered. */
export type Heard = () => void;

interface Call<C> {
  readonly connection: C;
  fail(error: Error): void;
}

export class Lines<C extends object> {
  readonly #supply: Supply<C>;
  readonly #clock: Clock;
  readonly #heardAt = new WeakMap<C, Millis>();
  /** A list, not a set: the tables that a busy set leaves behind keep what was in them from the young collector. */
  readonly #calls: Call<C>[] = [];
  /** A connection that has said nothing since then is not used any more. */
  #deadSince: Millis = Number.NEGATIVE_INFINITY;

  constructor(supply: Supply<C>, clock: Clock) {
    this.#supply = supply;
    this.#clock = clock;
  }

  /**
   * Runs on one connection; one that failed, or that does not answer, is not given back for use.
   * @param patient - Waits for its answers for as long as they take: for what may take long by its nature.
   * @throws STORE_TIMEOUT, STORE_UNAVAILABLE for silence, else whatever the body throws
   */
  async with<T>(body: (connection: C, heard: Heard) => Promise<T>, patient = false): Promise<T> {
    const { server, cut, give, isUsable } = this.#supply;
    let call: Call<C> | undefined;
    let movedAt = this.#clock.mono();
    let isOver = false;
    let cancel: Cancel = () => {};
    let reject: (error: Error) => void = () => {};
    const failed = new Promise<never>((_, no) => {
      reject = no;
    });
    const fail = (error: Error): void => {
      if (isOver) return;
      isOver = true;
      if (call !== undefined) cut(call.connection, error);
      reject(error);
    };
    const watch = (left: Millis): void => {
      cancel = this.#clock.after(left, () => {
        const rest = movedAt + SILENCE - this.#clock.mono();
        if (patient && call !== undefined) return;
        if (rest > 0) watch(rest);
        else if (call === undefined) fail(timeout(`${server}: no connection was to be had within ${SILENCE} ms`));
        else this.#distrust(movedAt, call);
      });
    };
    const run = async (): Promise<T> => {
      const connection = await this.#take();
      if (isOver) {
        give(connection);
        return failed;
      }
      const heard = (): void => {
        movedAt = this.#clock.mono();
        this.#heardAt.set(connection, movedAt);
      };
      movedAt = this.#clock.mono();
      call = { connection, fail };
      this.#calls.push(call);
      try {
        const result = await body(connection, heard);
        if (!isOver) give(connection);
        return result;
      } catch (error) {
        if (!isOver && isUsable(error)) give(connection);
        else if (!isOver) cut(connection, error as Error);
        throw error;
      } finally {
        isOver = true;
      }
    };
    watch(SILENCE);
    try {
      return await Promise.race([run(), failed]);
    } finally {
      cancel();
      if (call !== undefined) this.#calls.splice(this.#calls.indexOf(call), 1);
    }
  }

  /** A connection that may be trusted. Those that may not leave the pool here, since only who takes them can do that. */
  async #take(): Promise<C> {
    for (;;) {
      const connection = await this.#supply.take();
      const heardAt = this.#heardAt.get(connection);
      if (heardAt === undefined) this.#heardAt.set(connection, this.#clock.mono());
      if (heardAt === undefined || heardAt > this.#deadSince) return connection;
      this.#supply.cut(connection, unavailable(this.#supply.server));
    }
  }

  /** Gives up the call, every other on a connection that has said nothing since it was asked, and all that lie idle. */
  #distrust(since: Millis, silent: Call<C>): void {
    // One that lies idle may have answered after this call was sent, and be as dead: it would cost as long again.
    this.#deadSince = this.#clock.mono();
    silent.fail(timeout(`${this.#supply.server} did not answer within ${SILENCE} ms`));
    for (const call of this.#calls) {
      if ((this.#heardAt.get(call.connection) ?? 0) <= since) call.fail(unavailable(this.#supply.server));
    }
  }
}

const timeout = (message: string): SiderealError => new SiderealError("STORE_TIMEOUT", message);

const unavailable = (server: string): SiderealError =>
  new SiderealError("STORE_UNAVAILABLE", `${server}: the connection was given up with others that do not answer`);
