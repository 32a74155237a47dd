/** How far ahead to claim: enough to keep quick handlers busy between two round trips, nothing for slow ones. */
import type { Millis } from "../model/record.ts";
import type { Slots } from "./slots.ts";

/** Work claimed ahead should be begun within about this time. */
const AHEAD: Millis = 50;
/** Most records claimed ahead by one request; measured as the knee on every store. */
const PORTION = 500;
/** Reports under way before no further records are claimed. */
const MOST_REPORTS = 2_000;
/** Most records claimed by one request. */
const MOST_CLAIMED = 1_000;
const SMOOTHING = 0.05;

export class Pace {
  readonly #slots: number;
  readonly #least: number;
  #average: Millis | null = null;
  /** Most records claimed ahead. */
  #most = PORTION;

  /** @param least - Smaller amounts are not worth claiming ahead. */
  constructor(slots: number, least: number) {
    this.#slots = slots;
    this.#least = least;
  }

  /** The store answered within the turn of the event loop, or later: then one portion runs while another is on its way. */
  answered(later: boolean): void {
    this.#most = later ? 2 * PORTION : PORTION;
  }

  /** A handler took so long. */
  took(duration: Millis): void {
    this.#average = this.#average === null ? duration : this.#average + (duration - this.#average) * SMOOTHING;
  }

  /** Claimed records had to wait: begin again with none ahead. */
  stalled(): void {
    this.#average = 2 * AHEAD * this.#slots;
  }

  /** How many records to ask for when these slots are taken; claims ahead are refilled when half of them are begun. */
  room({ taken, reports }: Pick<Slots, "taken" | "reports">): number {
    if (reports >= MOST_REPORTS) return 0;
    const { ahead } = this;
    const room = this.#slots + ahead - taken;
    const least = ahead === 0 ? 1 : Math.ceil(ahead / 2);
    return room >= least ? Math.min(room, this.#slots + PORTION, MOST_CLAIMED) : 0;
  }

  /** How many records to claim beyond the free slots. */
  get ahead(): number {
    if (this.#average === null) return 0;
    const room = Math.floor((AHEAD * this.#slots) / Math.max(this.#average, 0.001));
    return room < this.#least ? 0 : Math.min(room, this.#most);
  }
}
