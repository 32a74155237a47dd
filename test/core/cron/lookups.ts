/** Counts the steps of a search, so that none runs away unseen. */
import { Cron as Calendar } from "croner";

/** Runs something that can ask how often the calendar was looked at so far. */
export function countLookups(during: (count: () => number) => void): void {
  const { nextRun, previousRuns } = Calendar.prototype;
  let count = 0;
  Calendar.prototype.nextRun = function (...args) {
    count++;
    return nextRun.apply(this, args);
  };
  Calendar.prototype.previousRuns = function (...args) {
    count++;
    return previousRuns.apply(this, args);
  };
  try {
    during(() => count);
  } finally {
    Object.assign(Calendar.prototype, { nextRun, previousRuns });
  }
}
