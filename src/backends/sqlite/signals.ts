/**
 * Wake-ups. Writes of this backend are told at once and precisely. Those of other processes show in the log file: the
 * system's file watch says that something moved, `data_version` whether somebody else wrote, the store's counters what.
 * Where no watch works a poll does, and it stands in slowly where one does.
 */
import { type FSWatcher, watch } from "node:fs";
import type { Cancel, Clock } from "../../contracts/clock.ts";
import type { Hint, Signals } from "../../contracts/signals.ts";
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
}

export class FileSignals implements Signals {
  readonly #options: FileSignalsOptions;
  readonly #listeners = new Set<(hint: Hint) => void>();
  #watcher: FSWatcher | undefined;
  #poll: Cancel | undefined;
  #version: number | undefined;
  #known: Counters | undefined;
  #looking = false;
  /** Whether the watch has missed a write that a poll then found. */
  #deaf = false;

  constructor(options: FileSignalsOptions) {
    this.#options = options;
  }

  subscribe(listener: (hint: Hint) => void): Cancel {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) this.#start();
    return () => {
      if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.stop();
    };
  }

  /** Tells of an own write. */
  emit(hint: Hint): void {
    for (const listener of [...this.#listeners]) listener(hint);
  }

  /** Takes note of the counters that a transaction found, and tells what others did since the last look. */
  found(counters: Counters): void {
    const known = this.#known;
    this.#known = counters;
    if (known === undefined || this.#listeners.size === 0) return;
    if (counters.ended !== known.ended) this.emit({ about: "any" });
    else {
      if (counters.work !== known.work) this.emit({ about: "work" });
      if (counters.cancels !== known.cancels) this.emit({ about: "cancel" });
    }
  }

  /** Takes note of the counters that an own write left, without telling. */
  left(counters: Counters): void {
    this.#known = counters;
  }

  /** Stops watching; the listeners stay. */
  stop(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#poll?.();
    this.#poll = undefined;
  }

  /** Watches if anybody listens: to be called when the file has been opened. */
  start(): void {
    if (this.#listeners.size > 0 && this.#poll === undefined) this.#start();
  }

  #start(): void {
    this.#version = this.#options.version();
    if (this.#version === undefined) return;
    this.#known = this.#options.counters();
    this.#watch();
    this.#wait();
  }

  #watch(): void {
    try {
      const watcher = watch(this.#options.file, { persistent: false });
      watcher.on("change", (event) => {
        this.#deaf = false;
        // The log was replaced: this watch looks at a file that is no more.
        if (event === "rename") this.#unwatch();
        this.#soon();
      });
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

  #soon(): void {
    if (this.#looking) return;
    this.#looking = true;
    this.#options.clock.soon(() => {
      this.#looking = false;
      this.#look();
    });
  }

  /** Whether another connection has written. */
  #look(): boolean {
    if (this.#listeners.size === 0) return false;
    const version = this.#options.version();
    if (version === undefined || version === this.#version) return false;
    this.#version = version;
    const counters = this.#options.counters();
    if (counters !== undefined) this.found(counters);
    return true;
  }

  #wait(): void {
    const every = this.#watcher === undefined || this.#deaf ? FAST : SLOW;
    this.#poll = this.#options.clock.after(every, () => {
      const missed = this.#look() && !this.#looking;
      this.#deaf ||= missed && this.#watcher !== undefined;
      if (this.#watcher === undefined) this.#watch();
      this.#wait();
    });
  }
}
