/**
 * The walk in lockstep: random operations on the store under test and on the memory store, on one clock; every answer,
 * and every few steps everything they hold, must be equal. A failure names the seed, which plays the same walk again.
 */
import { memory } from "../../../backends/memory/index.ts";
import { Chance } from "../chance.ts";
import type { ContractOptions } from "../options.ts";
import { Stage, type Store } from "../stage.ts";
import { STEPS } from "./steps.ts";
import { Walker } from "./walker.ts";

/** How many questions a failure shows of those that led to it. */
const SHOWN = 12;

/** The store and the memory store disagreed. */
export class WalkFailed extends Error {
  readonly seed: number;
  readonly step: number;

  constructor(seed: number, step: number, trace: readonly string[], cause: unknown) {
    const lines = trace.slice(-SHOWN).map((line) => `    ${line}`);
    const why = cause instanceof Error ? cause.message : String(cause);
    super(
      [
        `seed ${seed}, step ${step}: the store and memory disagree (play it again with walkSeeds: [${seed}])`,
        "  the last questions, with the clock before each:",
        ...lines,
        `  the answer to the last one (actual: this store, expected: memory): ${why}`,
      ].join("\n"),
      { cause },
    );
    this.name = "WalkFailed";
    this.seed = seed;
    this.step = step;
  }
}

/** Walks once. @throws WalkFailed at the first difference. */
export async function walkInLockstep<Tx>(options: ContractOptions<Tx>, seed: number): Promise<void> {
  const stage = await Stage.set(options);
  const model = memory({ clock: stage.clock });
  const stores: Store[] = [stage.store];
  const walker = new Walker(new Chance(seed), stage.clock, model, stores);
  let step = 0;
  try {
    await model.open();
    await stage.store.open();
    if (stage.capabilities.shared) stores.push(await stage.second());
    for (; step < (options.walkSteps ?? 150); step += 1) {
      await drawn(walker.chance)(walker);
      if (step % 10 === 9) await walker.compare();
    }
    await walker.compare();
  } catch (error) {
    throw new WalkFailed(seed, step, walker.trace, error);
  } finally {
    await stage.strike();
  }
}

/** The seeds that the options ask for. */
export function seedsOf(seeds: number | readonly number[] = 100): readonly number[] {
  return typeof seeds === "number" ? Array.from({ length: seeds }, (_, place) => place + 1) : seeds;
}

function drawn(chance: Chance): (typeof STEPS)[number][1] {
  let left = chance.below(STEPS.reduce((sum, [weight]) => sum + weight, 0));
  for (const [weight, step] of STEPS) {
    left -= weight;
    if (left < 0) return step;
  }
  throw new RangeError("the weights do not add up");
}
