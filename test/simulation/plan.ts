/** What one seed does: a random subset of faults with random rates, a workload, and settings of the workers. */
import { Chance } from "../../src/testing/backend-contract/chance.ts";
import type { ClockError } from "./clocks.ts";

/** Faults of the network between one process and the store, as chances per call. */
export interface NetworkFaults {
  /** Longest ordinary delay of one direction. */
  readonly latency: number;
  /** Chance of a long delay, and the longest. */
  readonly slow: number;
  readonly slowest: number;
  readonly loseRequest: number;
  readonly loseReply: number;
  /** Share of losses that the caller sees as silence rather than as an error. */
  readonly silent: number;
  readonly duplicate: number;
  readonly resend: number;
  readonly dropHints: number;
}

/** How often each kind of event happens to the whole, as mean milliseconds between two; Infinity: never. */
export interface EventRates {
  readonly crash: number;
  readonly pause: number;
  readonly deploy: number;
  readonly partition: number;
  readonly outage: number;
  readonly jump: number;
  readonly cancel: number;
}

export interface Plan {
  readonly seed: number;
  readonly workers: number;
  readonly lease: number;
  readonly pollInterval: number;
  readonly concurrency: number;
  /** Cap of queue `narrow`; null: none. */
  readonly cap: number | null;
  readonly retention: number | null;
  readonly graceful: number;
  readonly finalCancel: number;
  readonly tasks: number;
  /** True time during which faults happen, and work comes in. */
  readonly faultsUntil: number;
  /** True time by which everything must be over. */
  readonly patience: number;
  readonly network: NetworkFaults;
  readonly events: EventRates;
  readonly jumpsAhead: boolean;
  /** Longest delay of a write that takes a lost record back: its owner may return meanwhile. */
  readonly slowReaper: number;
  /** Whether the store refuses to take one lost record back, until this true time. */
  readonly stuckUntil: number | null;
  readonly clocks: readonly ClockError[];
}

const NEVER = Number.POSITIVE_INFINITY;

export function planOf(seed: number): Plan {
  const chance = new Chance(seed);
  const enabled = (share: number): boolean => chance.often(share);
  const between = (least: number, most: number): number => least + chance.below(most - least + 1);
  const lease = chance.pick([1_000, 3_000, 3_000, 10_000, 30_000]);
  const faultsUntil = lease * between(3, 6);
  const every = (share: number, least: number, most: number): number =>
    enabled(share) ? (faultsUntil / 100) * between(least, most) : NEVER;
  const rate = (share: number, most: number): number => (enabled(share) ? (chance.below(1_000) / 1_000) * most : 0);
  const workers = between(1, 4);
  const pollInterval = Math.round(lease / chance.pick([5, 10, 30]));
  const events = {
    crash: every(0.5, 10, 60),
    pause: every(0.5, 10, 60),
    deploy: every(0.4, 15, 80),
    partition: every(0.35, 20, 80),
    outage: every(0.25, 30, 100),
    jump: every(0.15, 40, 100),
    cancel: every(0.5, 3, 20),
  };
  return {
    seed,
    workers,
    lease,
    pollInterval,
    concurrency: between(1, 5),
    cap: enabled(0.5) ? between(1, 2) : null,
    retention: enabled(0.2) ? faultsUntil * 2 : null,
    graceful: chance.pick([0, lease / 4, lease]),
    finalCancel: chance.pick([lease / 10, lease / 2]),
    tasks: between(4, 36),
    faultsUntil,
    patience: faultsUntil + 20 * lease + 120_000,
    network: {
      latency: chance.pick([0, 1, 5, 20]),
      slow: rate(0.5, 0.2),
      slowest: lease * chance.pick([0.2, 0.5, 2]),
      loseRequest: rate(0.5, 0.15),
      loseReply: rate(0.6, 0.15),
      silent: chance.pick([0, 0.3, 1]),
      duplicate: rate(0.4, 0.15),
      resend: rate(0.3, 0.1),
      dropHints: chance.pick([0, 0, 0.5, 1]),
    },
    events,
    jumpsAhead: enabled(0.5),
    slowReaper: enabled(0.3) ? lease : 0,
    stuckUntil: enabled(0.25) ? faultsUntil + 8 * lease + 45_000 : null,
    clocks: Array.from({ length: workers + 2 }, () => clockError(chance)),
  };
}

function clockError(chance: Chance): ClockError {
  if (chance.often(0.3)) return { skew: 0, wallDrift: 0, monoDrift: 0 };
  const either = (most: number): number => (chance.below(2_001) / 1_000 - 1) * most;
  return {
    skew: Math.round(either(chance.pick([500, 3_600_000, 86_400_000]))),
    wallDrift: either(0.1),
    monoDrift: either(0.01),
  };
}
