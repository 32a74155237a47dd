/**
 * Wake-ups. Writes of this backend are told at once and precisely. Those of other processes show in the log file: the
 * system's file watch says that something moved, `data_version` whether somebody else wrote, the store's counters what.
 * Beside the watch there is a poll: slow, or fast where the watch is found to be silent. Neither keeps a process alive.
 */
import { type FSWatcher, watch } from "node:fs";
import type { Cancel, Clock } from "../../contracts/clock.ts";
import type { Hint, Signals } from "../../contracts/signals.ts";
import { recurring } from "../../host/recurring.ts";
import type { Millis } from "../../model/record.ts";
import type { Counters } from "./transaction.ts";

/** How often to look beside a watch that works, and where none does. */
const SLOW: Millis = 1_000;
const FAST: Millis = 20;

export interface FileSignalsOptions {
  readonly clock: Clock;
  /** The write-ahead log. */
  readonly file: string;
  /** Changes when another connection has written; undefined while that cannot be told. */
  readonly version: () => number | undefined;
  readonly counters: () => Counters | undefined;
  /** The system's file watch; tests replace it. */
  readonly watch?: typeof watch;
}

export class FileSignals implements Signals {
  readonly #options: FileSignalsOptions;
  readonly #listeners = new Set<(hint: Hint) => void>();
  #watcher: FSWatcher | undefined;
  /** How often is polled; 0: not at all. */
  #every: Millis = 0;
  #stopPoll: Cancel = () => {};
  #version: number | undefined;
  #known: Counters | undefined;
  #looking = false;

  constructor(options: FileSignalsOptions) {
    this.#options = options;
  }

  subscribe(listener: (hint: Hint) => void): Cancel {
    const own = (hint: Hint): void => listener(hint);
    this.#listeners.add(own);
    this.start();
    return () => {
      if (this.#listeners.delete(own) && this.#listeners.size === 0) this.stop();
    };
  }

  /** Tells of an own write. */
  emit(hint: Hint): void {
    for (const listener of [...this.#listeners]) listener(hint);
  }

  /** Takes note of the counters that a look or a transaction found, and tells what others did since the last. */
  found(counters: Counters): void {
    const known = this.#known;
    this.#known = counters;
    if (known === undefined || this.#listeners.size === 0) return;
    if (counters.ended !== known.ended) {
      this.emit({ about: "any" });
      return;
    }
    if (counters.work !== known.work) this.emit({ about: "work" });
    if (counters.cancels !== known.cancels) this.emit({ about: "cancel" });
  }

  /** Takes note of the counters that an own write left, without telling. */
  left(counters: Counters): void {
    this.#known = counters;
  }

  /** Watches if anybody listens and the file is open. */
  start(): void {
    if (this.#every !== 0 || this.#listeners.size === 0) return;
    this.#version = this.#options.version();
    if (this.#version === undefined) return;
    this.#known = this.#options.counters();
    this.#watch();
    this.#pace(this.#watcher === undefined ? FAST : SLOW);
  }

  /** Stops watching; the listeners stay. */
  stop(): void {
    this.#unwatch();
    this.#pace(0);
  }

  #watch(): void {
    try {
      const watcher = (this.#options.watch ?? watch)(this.#options.file, { persistent: false });
      watcher.on("change", (event) => this.#moved(event));
      watcher.on("error", () => this.#unwatch());
      this.#watcher = watcher;
    } catch {
      this.#watcher = undefined;
    }
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #pace(every: Millis): void {
    if (every === this.#every) return;
    this.#stopPoll();
    this.#stopPoll = every === 0 ? () => {} : recurring(every, () => this.#poll());
    this.#every = every;
  }

  #moved(event: string): void {
    // The log was replaced: this watch looks at a file that is no more.
    if (event === "rename") this.#unwatch();
    this.#pace(this.#watcher === undefined ? FAST : SLOW);
    if (this.#looking) return;
    this.#looking = true;
    this.#options.clock.soon(() => {
      this.#looking = false;
      this.#look();
    });
  }

  #poll(): void {
    if (this.#looking) return;
    const missed = this.#look();
    if (this.#watcher === undefined) this.#watch();
    else if (missed) this.#pace(FAST);
  }

  /** Whether another connection has written since the last look. */
  #look(): boolean {
    const version = this.#options.version();
    if (version === undefined || version === this.#version) return false;
    this.#version = version;
    const counters = this.#options.counters();
    if (counters !== undefined) this.found(counters);
    return true;
  }
}
