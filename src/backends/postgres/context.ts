/** What every operation runs with: a session, the names, the store's time, and the notes it takes of what it did. */
import type { Millis } from "../../model/record.ts";
import { Notes } from "../sql/notes.ts";
import type { Session, Text, TextRow } from "../sql/port.ts";
import type { ServerClock } from "../sql/server-clock.ts";
import type { Names } from "./names.ts";

export class Context {
  readonly session: Session;
  readonly names: Names;
  readonly notes: Notes;
  readonly #clock: ServerClock;

  constructor(session: Session, names: Names, clock: ServerClock, notes: Notes = new Notes()) {
    this.notes = notes;
    this.session = session;
    this.names = names;
    this.#clock = clock;
  }

  /** Runs a statement whose first parameter is the time that has been, which is put before the values given. */
  timed(text: string, values: readonly Text[]): Promise<readonly TextRow[]> {
    return this.session.query(text, [this.#clock.floor(), ...values]);
  }

  /** Reads the time in an answer, and takes note of it. */
  time(value: Text | undefined): Millis {
    const now = Number(value);
    this.#clock.heard(now);
    return now;
  }
}

/** The texts of a JSON array that a statement answered with; null is none. */
export function textsIn(value: Text | undefined): readonly string[] {
  return value === null || value === undefined ? [] : (JSON.parse(value) as string[]);
}
