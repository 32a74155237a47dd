/**
 * Wake-ups within one process: this server can push nothing, so other processes learn of new work when they poll. Stores
 * of the same tables in this process tell each other at once.
 */
import type { Cancel } from "../../contracts/clock.ts";
import type { Hint, Signals } from "../../contracts/signals.ts";
import type { Notes } from "../sql/notes.ts";

/** The open stores of this process, by what they are stores of. */
const open = new Map<string, Set<LocalSignals>>();

export class LocalSignals implements Signals {
  readonly #listeners = new Set<(hint: Hint) => void>();
  #of: string | undefined;

  subscribe(listener: (hint: Hint) => void): Cancel {
    const own = (hint: Hint): void => listener(hint);
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  /** The store is open. @param of - The same for every store of the same tables; two that only seem so wake each other for nothing. */
  attach(of: string): void {
    this.#of = of;
    const stores = open.get(of);
    if (stores === undefined) open.set(of, new Set([this]));
    else stores.add(this);
  }

  /** The store is closed: it hears and tells nothing any more. */
  detach(): void {
    if (this.#of === undefined) return;
    const stores = open.get(this.#of);
    stores?.delete(this);
    if (stores?.size === 0) open.delete(this.#of);
    this.#of = undefined;
  }

  /** Tells what an operation did. */
  noted({ work, cancel, ended }: Notes): void {
    if (ended.length > 0) this.#tell({ about: "outcome", ids: ended });
    if (work) this.#tell({ about: "work" });
    if (cancel) this.#tell({ about: "cancel" });
  }

  #tell(hint: Hint): void {
    for (const store of open.get(this.#of ?? "") ?? []) {
      for (const listener of [...store.#listeners]) listener(hint);
    }
  }
}
