/**
 * What every operation runs in: the statements of a connection, the store's time, and the notes it takes of what it
 * did. The time is read against the highest reading that any process wrote down, and written down with every write.
 */
import type { Clock } from "../../contracts/clock.ts";
import type { Millis } from "../../model/record.ts";
import { advanced, type StoreInstant } from "../../model/store-clock.ts";
import type { Prepared } from "./connection.ts";
import type { SqlRow, SqlValue, Statement } from "./driver.ts";
import type { Statements } from "./statements.ts";

/** How many changes of each kind the store has seen; other processes learn from them what a write was about. */
export interface Counters {
  readonly work: number;
  readonly ended: number;
  readonly cancels: number;
}

/** This process' reading of the store's clock. */
export class StoreClock {
  readonly #clock: Clock;
  #last: StoreInstant = { now: 0, mono: 0 };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  read(mark: Millis): Millis {
    this.#last = advanced(this.#last, this.#clock.wall(), this.#clock.mono(), mark);
    return this.#last.now;
  }
}

/** One transaction, open or about to be. */
export class Transaction {
  readonly sql: Statements;
  readonly now: Millis;
  /** The counters as this transaction found them. */
  readonly found: Counters;
  readonly #prepared: Prepared;
  /** Whether there is anything to commit. */
  wrote = false;
  /** Whether records became ready. */
  work = false;
  /** Whether a running record was asked to stop. */
  cancel = false;
  /** The records that reached a terminal state. */
  readonly ended: string[] = [];

  constructor(prepared: Prepared, sql: Statements, clock: StoreClock) {
    this.#prepared = prepared;
    this.sql = sql;
    const row = prepared.get(sql.readStore).get();
    const [mark, work, ended, cancels] = (row ?? [0, 0, 0, 0]) as readonly number[];
    this.found = { work: Number(work), ended: Number(ended), cancels: Number(cancels) };
    this.now = clock.read(Number(mark));
  }

  statement(sql: string): Statement {
    return this.#prepared.get(sql);
  }

  /** The rows of a query whose damaged numbers must not stop it. */
  rows(sql: string, ...values: SqlValue[]): SqlRow[] {
    return this.#prepared.rows(sql, ...values);
  }

  /** The counters after this transaction. */
  get left(): Counters {
    const { work, ended, cancels } = this.found;
    return {
      work: work + (this.work ? 1 : 0),
      ended: ended + (this.ended.length > 0 ? 1 : 0),
      cancels: cancels + (this.cancel ? 1 : 0),
    };
  }

  /** Writes down the time and the counters; to be called last. */
  sign(): void {
    const { work, ended, cancels } = this.left;
    const found = this.found;
    this.statement(this.sql.writeStore).run(this.now, work - found.work, ended - found.ended, cancels - found.cancels);
  }
}
