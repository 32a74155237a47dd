/** The process' real clock: one of the few places that may touch timers and time. */
import type { Cancel, Clock } from "../contracts/clock.ts";
import type { Millis } from "../model/record.ts";

/** Longest delay that a timer takes; more would fire at once. */
const LONGEST: Millis = 2 ** 31 - 1;

export const systemClock: Clock = {
  wall: () => Date.now(),
  mono: () => performance.now(),
  after,
  soon: (callback) => {
    setImmediate(callback);
  },
};

function after(delay: Millis, callback: () => void): Cancel {
  let timer: NodeJS.Timeout;
  const arm = (left: Millis): void => {
    // Timers cut fractions off, which would be early.
    const step = Math.min(Math.ceil(Math.max(left, 0)), LONGEST);
    timer = setTimeout(() => (left > step ? arm(left - step) : callback()), step);
  };
  arm(delay);
  return () => clearTimeout(timer);
}
