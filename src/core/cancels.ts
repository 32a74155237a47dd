/** Cancel requests for what a worker owns: read from the store, and handed to the attempts that they are meant for. */
import type { TaskRecord } from "../model/record.ts";
import type { Attempt } from "./attempt.ts";
import type { Parts } from "./parts.ts";
import type { Slots } from "./slots.ts";

const PAGE = 100;
const PAGES = 10;

export class CancelWatch {
  readonly #parts: Parts;
  readonly #workerId: string;
  readonly #slots: Slots;
  #looking = false;

  constructor(parts: Parts, workerId: string, slots: Slots) {
    this.#parts = parts;
    this.#workerId = workerId;
    this.#slots = slots;
  }

  /** Looks once; while a look is under way another call does nothing. Never rejects. */
  async look(): Promise<void> {
    if (this.#looking || this.#slots.taken === 0) return;
    this.#looking = true;
    try {
      const owned = [...this.#slots.running, ...this.#slots.waiting];
      await this.#read(new Map(owned.map((attempt) => [attempt.id, attempt])));
    } catch (error) {
      this.#parts.runtime.logger.warn("cancel requests could not be read", { worker: this.#workerId, error });
    } finally {
      this.#looking = false;
    }
  }

  async #read(own: ReadonlyMap<string, Attempt>): Promise<void> {
    let after: string | null = null;
    for (let pages = 0; pages < PAGES; pages += 1) {
      const page: readonly TaskRecord[] = await this.#parts.calls.find({ by: "cancelling", after, limit: PAGE });
      for (const record of page) {
        const attempt = own.get(record.id);
        if (attempt?.claim === record.claim) attempt?.cancelRequested(record);
      }
      if (page.length < PAGE) return;
      after = page.at(-1)?.id ?? null;
    }
  }
}
