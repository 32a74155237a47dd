/** The process' real randomness. */
import { randomFillSync } from "node:crypto";
import type { Random } from "../contracts/clock.ts";

export const systemRandom: Random = {
  fill: (bytes) => {
    randomFillSync(bytes);
  },
  next: () => Math.random(),
};
