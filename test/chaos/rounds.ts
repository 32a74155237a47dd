/** The rounds there are: the kill proof, and the mixed rounds that reach every window. */
import { FAULT_KINDS, type Fault, type Plan, SERVER_KINDS } from "./faults.ts";
import type { PlantedBug } from "./planted.ts";
import type { RoundOptions } from "./round.ts";
import { storeNamed } from "./stores.ts";

export interface Wishes {
  readonly store: string;
  readonly seed: number;
  readonly smoke: boolean;
  /** Run rounds until so many minutes are over; null: the given rounds once. */
  readonly minutes: number | null;
  /** Names of `FAULT_KINDS`; null: all. */
  readonly faults: readonly string[] | null;
  readonly tasks: number | null;
  readonly kills: number | null;
  readonly workers: number;
  readonly concurrency: number | null;
  readonly lease: number | null;
  readonly planted: PlantedBug | null;
}

const QUICK = { shortest: 20, longest: 200, slow: 0, slowest: 0 } as const;

/** `kill -9` at random and nothing else: 200 times over 2,000 tasks. */
export function killProof(wishes: Wishes, seed: number): RoundOptions {
  const { store, workers, planted } = wishes;
  const load = { seed, tasks: wishes.tasks ?? 2_000, pills: 0, blockers: 0, ...QUICK, mixed: false };
  const plan = { kill: wishes.kills ?? Math.ceil(load.tasks / 10) };
  const concurrency = wishes.concurrency ?? 2;
  return {
    name: "kill proof",
    store,
    workers,
    concurrency,
    lease: wishes.lease ?? 1_500,
    load,
    plan,
    planted,
    limit: 600_000,
  };
}

/** Every kind of fault at once. */
export function mixed(wishes: Wishes, seed: number): RoundOptions {
  const { store, workers, planted, smoke } = wishes;
  const { hasServer } = storeNamed(store);
  const has = (kind: string): boolean =>
    (wishes.faults === null || wishes.faults.includes(kind)) && (hasServer || !SERVER_KINDS.includes(kind));
  const tasks = wishes.tasks ?? (smoke ? (hasServer ? 150 : 300) : 2_000);
  // Faults in proportion to the tasks, so that bystanders are not hit three times in numbers.
  const share = tasks / 2_000;
  const some = (most: number): number => Math.max(1, Math.round(most * share));
  const counts: Record<Fault, number> = {
    kill: wishes.kills ?? some(40),
    "claim:after": some(20),
    "finish:before": some(40),
    "finish:after": some(40),
    "lapse:before": some(12),
    "lapse:after": some(12),
    stop: some(30),
    term: some(20),
    force: some(20),
    producer: some(20),
    "insert:before": some(12),
    "insert:after": some(12),
    "hold:after": some(12),
    "ack:after": some(12),
    ...{ sever: some(60), cancel: some(40), reset: some(20), hog: some(10) },
    ...{ swallow: some(6), restart: some(12), lock: some(8) },
  };
  const wanted = new Set(
    Object.keys(FAULT_KINDS)
      .filter(has)
      .flatMap((kind) => FAULT_KINDS[kind] ?? []),
  );
  const plan = Object.fromEntries(Object.entries(counts).filter(([fault]) => wanted.has(fault as Fault))) as Plan;
  const load = {
    ...{ seed, tasks, ...QUICK, slow: 0.05, slowest: 600, mixed: true },
    pills: has("pill") ? some(20) : 0,
    blockers: has("block") ? some(10) : 0,
  };
  const concurrency = wishes.concurrency ?? 3;
  const lease = wishes.lease ?? (smoke && !hasServer ? 1_000 : 1_500);
  return { name: "mixed", store, workers, concurrency, lease, load, plan, planted, limit: 600_000 };
}

/** What to run, one after the other; endless when minutes were asked for. */
export function* roundsOf(wishes: Wishes): Generator<RoundOptions, void> {
  const { seed, faults } = wishes;
  const proof = faults === null || (faults.length === 1 && faults[0] === "kill");
  if (wishes.smoke) {
    yield proof && faults !== null ? killProof(wishes, seed) : mixed(wishes, seed);
    return;
  }
  for (let round = 0; ; round += 1) {
    if (proof) yield killProof(wishes, seed + 2 * round);
    if (faults === null || !proof) yield mixed(wishes, seed + 2 * round + 1);
    if (wishes.minutes === null) return;
  }
}
