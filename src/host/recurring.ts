/** Calls that recur for as long as the process has something else to live for. */
import type { Cancel } from "../contracts/clock.ts";
import type { Millis } from "../model/record.ts";

/** Calls back every so many ms until cancelled; never keeps the process alive. For looks that nothing depends on. */
export function recurring(every: Millis, callback: () => void): Cancel {
  const timer = setInterval(callback, every);
  timer.unref();
  return () => clearInterval(timer);
}
