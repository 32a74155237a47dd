/** A clock on which everything takes long: what looks at it twice finds 11 ms gone. */
import type { Clock } from "../../src/contracts/clock.ts";
import { systemClock } from "../../src/host/clock.ts";

export function slowClock(): Clock {
  let added = 0;
  return {
    wall: () => systemClock.wall(),
    mono: () => {
      added += 11;
      return systemClock.mono() + added;
    },
    after: (delay, callback) => systemClock.after(delay, callback),
    soon: (callback) => systemClock.soon(callback),
  };
}
