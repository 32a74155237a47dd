/** Seeded randomness: a seed fixes the workload and the plan of faults; the moments at which they meet stay the machine's. */

export interface Chance {
  /** A number in [0, 1). */
  next(): number;
  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number;
  /** One of these; undefined when there are none. */
  pick<T>(from: readonly T[]): T | undefined;
  /** The same items in another order. */
  shuffled<T>(items: readonly T[]): T[];
}

/** The numbers of one seed (mulberry32). */
export function chance(seed: number): Chance {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const between = (least: number, most: number): number => least + Math.floor(next() * (most - least + 1));
  return {
    next,
    between,
    pick: (from) => from[Math.floor(next() * from.length)],
    shuffled: (items) => {
      const order = [...items];
      for (let at = order.length - 1; at > 0; at -= 1) {
        const other = between(0, at);
        [order[at], order[other]] = [order[other] as (typeof order)[0], order[at] as (typeof order)[0]];
      }
      return order;
    },
  };
}
