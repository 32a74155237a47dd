/** Randomness that can be played again. */
import type { Random } from "../contracts/clock.ts";
import { Chance } from "./backend-contract/chance.ts";

/**
 * A source of randomness that gives the same numbers and tokens for the same seed. Not fit for secrets.
 * @param seed - A whole number.
 */
export function seededRandom(seed: number): Random {
  const chance = new Chance(seed);
  return {
    fill: (bytes) => {
      for (let at = 0; at < bytes.length; at += 1) bytes[at] = chance.below(256);
    },
    next: () => chance.below(2 ** 32) / 2 ** 32,
  };
}
