/** The workload: what each client number stands for, the same in every process and for every run of a seed. */
import { chance } from "./chance.ts";

/**
 * `plain`: waits, writes its effect, waits, returns; heeds its signal. `stubborn`: the same, deaf to its signal.
 * `flaky`: throws at its first attempt. `hostile`: throws what is hard to record. `pill`: kills its own process.
 * `blocker`: at its first attempt holds up the event loop beyond its lease.
 */
export type Kind = "plain" | "stubborn" | "flaky" | "hostile" | "pill" | "blocker";

export interface Work {
  /** The client's own number. */
  readonly n: number;
  readonly kind: Kind;
  /** How long the handler takes before and after its effect. */
  readonly before: number;
  readonly after: number;
}

export interface LoadOptions {
  readonly seed: number;
  readonly tasks: number;
  readonly pills: number;
  readonly blockers: number;
  /** Handlers take this long at least and at most, ms. */
  readonly shortest: number;
  readonly longest: number;
  /** Share of tasks that take up to `slowest` ms, for faults that need a handler to outlast them. */
  readonly slow: number;
  readonly slowest: number;
  /** Whether flaky and hostile tasks are among them. */
  readonly mixed: boolean;
}

/** The whole workload, by client number. */
export function workload(options: LoadOptions): Work[] {
  const { seed, tasks, pills, blockers, shortest, longest } = options;
  const random = chance(seed);
  const special = random.shuffled(Array.from({ length: tasks }, (_, n) => n));
  const kinds = new Map<number, Kind>();
  for (const n of special.slice(0, pills)) kinds.set(n, "pill");
  for (const n of special.slice(pills, pills + blockers)) kinds.set(n, "blocker");
  return Array.from({ length: tasks }, (_, n) => {
    const roll = random.next();
    const slow = random.next() < options.slow;
    const total = slow ? random.between(longest, options.slowest) : random.between(shortest, longest);
    const before = Math.round(total * (0.2 + random.next() * 0.6));
    return { n, kind: kinds.get(n) ?? ordinary(roll, options.mixed), before, after: total - before };
  });
}

function ordinary(roll: number, mixed: boolean): Kind {
  if (mixed && roll < 0.05) return "flaky";
  if (mixed && roll < 0.08) return "hostile";
  return roll < 0.5 ? "stubborn" : "plain";
}

/** Every tenth client number enqueues under a key that is held forever, the others under one held until the end. */
export function isForever(n: number): boolean {
  return n % 10 === 7;
}

/** The key that makes enqueueing a client number again harmless. */
export function keyOf(n: number): string {
  return `client-${n}`;
}
