/**
 * The clock of a store that has none of its own and reads its host's. It never runs backwards, and after the host's
 * clock was set back it neither stands still (leases would never end) nor stays ahead for ever: it runs at half speed
 * until the host has caught up.
 */
import type { Millis } from "./record.ts";

export interface StoreInstant {
  readonly now: Millis;
  /** The monotonic clock when `now` began to be the time. */
  readonly mono: Millis;
}

/**
 * The next reading.
 * @param last - This process' previous reading.
 * @param host - The host's wall clock.
 * @param mono - The process' monotonic clock.
 * @param mark - Highest reading that any process has written down in the store; 0 when there is none.
 */
export function advanced(last: StoreInstant, host: Millis, mono: Millis, mark: Millis = 0): StoreInstant {
  const crept = last.now + Math.max(0, mono - last.mono) / 2;
  const now = Math.floor(Math.max(host, crept, mark));
  // The part of a millisecond that does not show yet is kept: lost at every reading, frequent readings would stop the clock.
  return { now, mono: mono - Math.max(0, crept - now) * 2 };
}
