/** Seeded randomness, so that every walk and every race can be played again. */

/** The sfc32 generator, seeded by one number. */
export class Chance {
  #a: number;
  #b: number;
  #c = 0x9e3779b9;
  #counter = 1;

  constructor(seed: number) {
    this.#a = seed | 0;
    this.#b = (seed / 2 ** 32) | 0;
    for (let round = 0; round < 12; round += 1) this.#draw();
  }

  /** An integer from 0 up to, and without, `end`. */
  below(end: number): number {
    return Math.floor((this.#draw() / 2 ** 32) * end);
  }

  /** True with this probability. */
  often(probability: number): boolean {
    return this.#draw() / 2 ** 32 < probability;
  }

  /** One of these, all equally likely. */
  pick<T>(choices: readonly [T, ...T[]]): T;
  pick<T>(choices: readonly T[]): T | undefined;
  pick<T>(choices: readonly T[]): T | undefined {
    return choices[this.below(choices.length)];
  }

  /** Up to `count` of these, each at most once, in random order. */
  some<T>(choices: readonly T[], count: number): T[] {
    const left = [...choices];
    const chosen: T[] = [];
    while (chosen.length < count && left.length > 0) chosen.push(...left.splice(this.below(left.length), 1));
    return chosen;
  }

  /** 128 bits in hex. */
  token(): string {
    return Array.from({ length: 4 }, () => this.#draw().toString(16).padStart(8, "0")).join("");
  }

  #draw(): number {
    const drawn = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + drawn) | 0;
    return drawn >>> 0;
  }
}
