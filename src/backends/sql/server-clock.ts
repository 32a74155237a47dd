/**
 * The store's time as this process knows it. The server's clock decides; each statement is told how far it had come, so
 * that it never runs backwards here, and runs at half speed after it was set back.
 */
import type { Clock } from "../../contracts/clock.ts";
import type { Millis } from "../../model/record.ts";
import { advanced, type StoreInstant } from "../../model/store-clock.ts";
import type { Settings } from "./settings.ts";

export class ServerClock {
  readonly #clock: Clock;
  /** Whether the clock is the store's time itself. */
  readonly #injected: boolean;
  #last: StoreInstant = { now: 0, mono: 0 };

  constructor({ clock, timers }: Pick<Settings<unknown>, "clock" | "timers">) {
    this.#clock = clock ?? timers;
    this.#injected = clock !== undefined;
  }

  /** The time is not before this. */
  floor(): string {
    this.#last = advanced(this.#last, this.#injected ? this.#clock.wall() : 0, this.#clock.mono());
    return String(this.#last.now);
  }

  /** Takes note of the time that a statement answered with, or that another process wrote down. */
  heard(now: Millis): void {
    if (now > this.#last.now) this.#last = { now, mono: this.#clock.mono() };
  }
}
