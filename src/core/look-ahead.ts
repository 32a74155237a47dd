/** Looking ahead: an idle worker's rest ends when the next record becomes ready, not at the next poll. */
import type { Millis } from "../model/record.ts";
import type { Parts } from "./parts.ts";
import type { Rest } from "./rest.ts";

export class LookAhead {
  readonly #parts: Parts;
  readonly #rest: Rest;
  #looking = false;

  constructor(parts: Parts, rest: Rest) {
    this.#parts = parts;
    this.#rest = rest;
  }

  /**
   * Ends a rest of this length sooner where a record becomes ready before it is over; `wanted` is asked then. Nobody
   * waits for the answer: it may not come. Never rejects.
   */
  async look(rest: Millis, wanted: () => boolean): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const { queues } = this.#parts.settings.worker;
      const [next] = await this.#parts.calls.find({ by: "next", queues: queues.length === 0 ? null : queues });
      if (next === undefined) return;
      let wait = next.readyAt - this.#parts.storeTime.now() + 1;
      // It lay in the store's future just now: if it should be due already, our idea of the store's clock is wrong.
      if (wait < 1) wait = next.readyAt - (await this.#parts.storeTime.sync()) + 1;
      if (wait < rest && wanted()) this.#rest.wakeIn(Math.max(1, wait));
    } catch {
      // The next poll comes anyway.
    } finally {
      this.#looking = false;
    }
  }
}
