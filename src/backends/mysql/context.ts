/** What every operation runs with: a session, the names, the store's time, and the notes it takes of what it did. */
import type { Millis } from "../../model/record.ts";
import { Notes } from "../sql/notes.ts";
import type { TextRow } from "../sql/port.ts";
import type { ServerClock } from "../sql/server-clock.ts";
import type { Session } from "./clients/session.ts";
import type { KnownLanes, Lane } from "./lanes.ts";
import type { Names } from "./names.ts";

/** How many bytes one statement may carry. */
export const CARRIED = 4_000_000;

/** What all operations of a store share. */
export interface Shared {
  readonly names: Names;
  readonly clock: ServerClock;
  readonly lanes: KnownLanes;
}

export class Context {
  readonly session: Session;
  readonly names: Names;
  readonly notes: Notes;
  readonly #shared: Shared;

  constructor(session: Session, shared: Shared, notes: Notes = new Notes()) {
    this.notes = notes;
    this.session = session;
    this.names = shared.names;
    this.#shared = shared;
  }

  /** The time that has been, as digits. */
  get floor(): string {
    return this.#shared.clock.floor();
  }

  /** The store's time as an expression, for statements without values. */
  get now(): string {
    return this.names.now(this.floor);
  }

  /** Asks for the time. */
  async time(): Promise<Millis> {
    const [row] = await this.session.query(`select ${this.now}`);
    return this.heard(row?.[0]);
  }

  /** The lanes of records in this state; `along`: five expressions, answered as the head. */
  lanes(state: number, along?: string): Promise<{ lanes: Lane[]; head: TextRow }> {
    return this.#shared.lanes.of(this.session, this.names, state, along);
  }

  /** Takes note of the time in an answer. */
  heard(value: string | number | null | undefined): Millis {
    const now = Number(value);
    this.#shared.clock.heard(now);
    return now;
  }
}
