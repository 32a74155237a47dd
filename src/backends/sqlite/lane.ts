/** One lane of pending records, read in pieces in claim order. */
import type { SqlRow, SqlValue } from "./driver.ts";
import { FRESH_AT, type LaneName } from "./rows.ts";
import type { Transaction } from "./transaction.ts";

/** A record's row as it comes up: the columns `FRESH`. */
export interface Head {
  readonly row: SqlRow;
  readonly seq: SqlValue;
  readonly lane: LaneName;
}

/** Earlier than any time. */
const EVER = Number.MIN_SAFE_INTEGER;

/** The lanes that hold pending records; a damaged name is no lane, and whoever reads its record sets that aside. */
export function lanesOf(tx: Transaction): LaneName[] {
  return tx.rows(tx.sql.lanes).filter(isLaneName);
}

function isLaneName(row: SqlRow | LaneName): row is LaneName {
  return row.every((value, at) => typeof value === (at === 3 ? "number" : "string"));
}

/** The ready, unexpired records of one lane. */
export class Lane {
  readonly queue: string;
  readonly #tx: Transaction;
  readonly #name: LaneName;
  readonly #piece: number;
  #rows: readonly SqlRow[];
  #at = 0;

  /** @param piece - How many to read at once. */
  constructor(tx: Transaction, name: LaneName, piece: number) {
    this.queue = name[0];
    this.#tx = tx;
    this.#name = name;
    this.#piece = piece;
    this.#rows = this.#after(EVER, piece);
  }

  get head(): SqlRow | undefined {
    if (this.#at === this.#rows.length && this.#rows.length === this.#piece) {
      this.#rows = this.#more(this.#rows[this.#at - 1] as SqlRow);
      this.#at = 0;
    }
    return this.#rows[this.#at];
  }

  take(): Head {
    const row = this.head as SqlRow;
    this.#at += 1;
    return { row, seq: row[FRESH_AT.seq] as SqlValue, lane: this.#name };
  }

  /** Whether this lane's head comes before another's; both have one. */
  isBefore(other: Lane): boolean {
    const [mine, theirs] = [this.head as SqlRow, other.head as SqlRow];
    const [earlier, later] = [mine[FRESH_AT.readyAt] as number, theirs[FRESH_AT.readyAt] as number];
    return earlier < later || (earlier === later && (mine[FRESH_AT.seq] as number) < (theirs[FRESH_AT.seq] as number));
  }

  /** What comes after this row: first what became ready in the same instant, which one batch always did. */
  #more(last: SqlRow): readonly SqlRow[] {
    const readyAt = last[FRESH_AT.readyAt] as SqlValue;
    const seq = last[FRESH_AT.seq] as SqlValue;
    const { now, sql } = this.#tx;
    const rows = this.#tx.rows(sql.readyThen, ...this.#name, now, readyAt, seq, this.#piece);
    return rows.length === this.#piece ? rows : [...rows, ...this.#after(readyAt, this.#piece - rows.length)];
  }

  #after(readyAt: SqlValue, limit: number): readonly SqlRow[] {
    return this.#tx.rows(this.#tx.sql.ready, ...this.#name, this.#tx.now, readyAt, limit);
  }
}
