/** Progress and log lines of one attempt: one write under way at a time, what comes meanwhile is merged into the next. */
import { LOG_LIMITS, type Note } from "../model/lifecycle.ts";
import type { LogLine, TaskProgress } from "../model/record.ts";

/** Lines kept while a write is under way: more would be cut from the record anyway. */
const LINES_AT_ONCE = LOG_LIMITS.lines;

export class Notes {
  readonly #write: (note: Note) => Promise<void>;
  #pending: { progress?: TaskProgress; lines?: LogLine[]; begun?: true } | null = null;
  #writing: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  readonly #turn: () => Promise<void>;
  #closed = false;
  #held = false;

  /**
   * @param write - Stores a note on the record; never rejects.
   * @param turn - Resolves in a later turn of the event loop.
   */
  constructor(write: (note: Note) => Promise<void>, turn: () => Promise<void>) {
    this.#write = write;
    this.#turn = turn;
  }

  /** Resolves once the note, merged with its neighbours, is stored or the record is no longer ours. */
  add(note: Note): Promise<void> {
    // Not at once: a loop that does nothing else would leave the process no turn.
    if (this.#closed) return this.#turn();
    this.#pending ??= {};
    const pending = this.#pending;
    if (note.progress !== undefined) pending.progress = note.progress;
    if (note.begun) pending.begun = true;
    if (note.lines !== undefined) pending.lines = [...(pending.lines ?? []), ...note.lines].slice(-LINES_AT_ONCE);
    if (this.#held) return this.#turn();
    this.#next ??= (this.#writing ?? Promise.resolve()).then(() => this.#flush());
    return this.#next;
  }

  /** Resolves when nothing is being written. */
  async idle(): Promise<void> {
    while (this.#next !== null || this.#writing !== null) await (this.#next ?? this.#writing);
  }

  /** Writes nothing for now, but keeps what comes. */
  hold(): void {
    this.#held = true;
  }

  /** What is kept. */
  get kept(): Note | null {
    return this.#pending;
  }

  /** Writes what was kept, and what comes. */
  release(): void {
    this.#held = false;
    if (this.#pending !== null) void this.add({});
  }

  /** Takes no more: a handler that goes on writing must not keep its own report waiting. Resolves when everything is written. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.idle();
  }

  async #flush(): Promise<void> {
    const note = this.#pending ?? {};
    this.#pending = null;
    this.#next = null;
    this.#writing = this.#write(note);
    await this.#writing;
    this.#writing = null;
  }
}
