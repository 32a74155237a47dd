/** Transactions that a store opens for a caller, on its own connections; and how many there may be at a time. */
import { SiderealError } from "../../model/errors.ts";
import { Notes } from "./notes.ts";

export interface Lending<Tx> {
  /**
   * Begins a transaction for the body, commits it when that resolves, rolls it back when it rejects, and then rejects with
   * the very error. An aborted signal ends it by force where the client can do that.
   */
  lend<T>(body: (tx: Tx) => Promise<T>, signal?: AbortSignal): Promise<T>;
}

/** Lets so many at a time, in the order in which they came. */
export class Turnstile {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** @param places - At least 1. */
  constructor(places: number) {
    this.#free = places;
  }

  /** @throws the signal's reason if it is aborted before there is a place, and whatever the action throws */
  async through<T>(action: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      signal?.throwIfAborted();
      return await action();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}

/** The transactions that a store has opened for callers, with the notes of what was done in each: to be told once it is committed. */
export class Lent {
  readonly #store: string;
  readonly #tell: (notes: Notes) => void;
  readonly #notes = new WeakMap<object, Notes>();

  /** @param store - As people call it. @param tell - Is given the notes of what is committed. */
  constructor(store: string, tell: (notes: Notes) => void) {
    this.#store = store;
    this.#tell = tell;
  }

  /** The notes of a transaction that is open; undefined if it is not one of ours. */
  of(tx: object): Notes | undefined {
    return this.#notes.get(tx);
  }

  /** Runs the body in a transaction. @throws TRANSACTION_UNSUPPORTED where there is no connection to spare */
  async lend<Tx extends object, T>(
    lending: Lending<Tx> | undefined,
    body: (tx: Tx) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    if (lending === undefined) {
      const why = "it has one connection only, which it needs itself";
      throw new SiderealError("TRANSACTION_UNSUPPORTED", `The ${this.#store} store cannot open a transaction: ${why}`);
    }
    const notes = new Notes();
    const result = await lending.lend(async (tx) => {
      this.#notes.set(tx, notes);
      try {
        return await body(tx);
      } finally {
        this.#notes.delete(tx);
      }
    }, signal);
    this.#tell(notes);
    return result;
  }
}
