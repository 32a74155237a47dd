/** How far ahead to claim: enough to keep quick handlers busy between two round trips, nothing for slow ones. */
import type { Millis } from "../model/record.ts";

/** Work claimed ahead should be begun within about this time. */
const AHEAD: Millis = 50;
/** Most records claimed ahead; measured as the knee on every store. */
const MOST = 500;
const SMOOTHING = 0.05;

export class Pace {
  readonly #slots: number;
  readonly #least: number;
  #average: Millis | null = null;

  /** @param least - Smaller amounts are not worth claiming ahead. */
  constructor(slots: number, least: number) {
    this.#slots = slots;
    this.#least = least;
  }

  /** A handler took so long. */
  took(duration: Millis): void {
    this.#average = this.#average === null ? duration : this.#average + (duration - this.#average) * SMOOTHING;
  }

  /** Claimed records had to wait: begin again with none ahead. */
  stalled(): void {
    this.#average = 2 * AHEAD * this.#slots;
  }

  /** How many records to claim beyond the free slots. */
  get ahead(): number {
    if (this.#average === null) return 0;
    const room = Math.floor((AHEAD * this.#slots) / Math.max(this.#average, 0.001));
    return room < this.#least ? 0 : Math.min(room, MOST);
  }
}
