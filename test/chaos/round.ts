/** One round: a fresh store, a crew, a workload, the planned faults while it lasts, then calm, a dump and the verdict. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { reapInterval } from "../../src/core/upkeep.ts";
import { QueueService } from "../../src/index.ts";
import type { StatusCounts, TaskRecord } from "../../src/model/record.ts";
import { allRecords } from "../../src/testing/records.ts";
import { chance } from "./chance.ts";
import { type Check, type Evidence, judge } from "./check.ts";
import { Crew } from "./crew.ts";
import { type Exposure, exposureOf } from "./exposure.ts";
import { Faults, fates, type Plan, sequence } from "./faults.ts";
import { Ledger, readLedgers } from "./ledger.ts";
import { type LoadOptions, workload } from "./load.ts";
import type { PlantedBug } from "./planted.ts";
import { type Connected, type Stage, type StoreUnderTest, storeNamed } from "./stores.ts";

export interface RoundOptions {
  readonly name: string;
  readonly store: string;
  readonly workers: number;
  readonly concurrency: number;
  /** Lease, ms. */
  readonly lease: number;
  readonly load: LoadOptions;
  readonly plan: Plan;
  readonly planted: PlantedBug | null;
  /** Begin no further fault after so many ms; what was not done is reported. */
  readonly limit: number;
}

export interface RoundResult {
  readonly options: RoundOptions;
  readonly checks: readonly Check[];
  readonly exposure: Exposure;
  /** Faults of the plan that found no time or nobody to meet. */
  readonly undone: number;
  readonly seconds: number;
  /** Largest write-ahead log seen, bytes. */
  readonly log: number;
}

const POLL = 50;
/** Without any progress for so long, a round is given up. */
const PATIENCE = 30_000;

export async function runRound(options: RoundOptions, folder: string): Promise<RoundResult> {
  const began = performance.now();
  const ledgers = join(folder, "ledgers");
  mkdirSync(ledgers, { recursive: true });
  const store = storeNamed(options.store);
  const stage = await store.stage(folder);
  const { place } = stage;
  const { lease, concurrency, load, planted, workers } = options;
  const orders = { store: options.store, place, ledgers, lease, concurrency, load, planted };
  const ledger = new Ledger(ledgers, "supervisor");
  const crew = new Crew({
    orders: { ...orders, backlog: 2 * workers * concurrency + 16 },
    ...{ folder, ledger, workers, fates: fates(options.plan, chance(load.seed + 2)) },
  });
  const watch = new Watch(store, stage, options, crew);
  try {
    await watch.open();
    crew.start();
    const undone = await faultsOf(options, crew, watch, stage, ledger);
    const stuck = await watch.drained();
    await crew.dismiss(15_000);
    const records = await watch.dump();
    await watch.close();
    const evidence: Evidence = {
      events: readLedgers(ledgers),
      records,
      load: workload(load),
      lease,
      heartbeat: Math.floor(lease / 3),
      reapEvery: reapInterval(lease),
      poll: POLL,
      writesOverlap: store.hasServer,
      unsound: await stage.unsound(),
      stuck,
    };
    const { story, checks } = judge(evidence);
    const seconds = (performance.now() - began) / 1_000;
    return { options, checks, exposure: exposureOf(story, evidence), undone, seconds, log: watch.largestLog };
  } finally {
    crew.abandon();
    await watch.close();
    await stage.dispose();
  }
}

/** Spreads the plan's faults over the workload's progress. @returns how many could not be done */
async function faultsOf(
  options: RoundOptions,
  crew: Crew,
  watch: Watch,
  { trouble }: Stage,
  ledger: Ledger,
): Promise<number> {
  const random = chance(options.load.seed + 1);
  const plan = sequence(options.plan, random);
  const faults = new Faults(crew, random, options.lease, trouble, ledger);
  const deadline = performance.now() + options.limit;
  const total = plan.length;
  while (performance.now() < deadline && !watch.over && !watch.stalled) {
    const share = await watch.look();
    plan.push(...faults.missed.splice(0));
    // The last twentieth is left in peace, so that no fault comes after the end.
    const due = share >= (0.95 * (total - plan.length)) / total;
    const fault = due ? plan.shift() : undefined;
    // Nobody to do it to now: later, perhaps.
    if (fault !== undefined && !faults.do(fault)) plan.push(fault);
    await crew.change(due ? random.between(5, 60) : 20);
  }
  await faults.over();
  return plan.length + faults.missed.length + crew.unmet;
}

/** The supervisor's own look at the store. */
class Watch {
  readonly #stage: Stage;
  readonly #tasks: number;
  readonly #crew: Crew;
  readonly #backend: Connected["backend"];
  readonly #service: QueueService<unknown>;
  #counts: StatusCounts = { pending: 0, scheduled: 0, running: 0, completed: 0, failed: 0, cancelled: 0, total: 0 };
  #movedAt = performance.now();
  /** Whether all is produced and nothing is left to do. */
  over = false;
  largestLog = 0;

  constructor(store: StoreUnderTest, stage: Stage, options: RoundOptions, crew: Crew) {
    this.#stage = stage;
    this.#tasks = options.load.tasks;
    this.#crew = crew;
    this.#backend = store.connect(stage.ownPlace, false).backend;
    this.#service = new QueueService<unknown>({ queueBackend: this.#backend });
  }

  async open(): Promise<void> {
    await this.#service.open();
  }

  async close(): Promise<void> {
    await this.#service.close();
  }

  /** Looks; the share of the workload that has ended. */
  async look(): Promise<number> {
    const before = this.#counts;
    // Asked before the look: what is acknowledged after it may not be in these counts.
    const { produced } = this.#crew;
    // A server that is down now is asked again.
    this.#counts = await this.#service.counts().catch(() => before);
    if (JSON.stringify(before) !== JSON.stringify(this.#counts)) this.#movedAt = performance.now();
    this.largestLog = Math.max(this.largestLog, this.#stage.logSize());
    const { pending, scheduled, running, completed, failed, cancelled, total } = this.#counts;
    this.over = this.#counts !== before && produced && total > 0 && pending + scheduled + running === 0;
    return (completed + failed + cancelled) / this.#tasks;
  }

  get stalled(): boolean {
    return performance.now() - this.#movedAt > PATIENCE;
  }

  /** Waits until nothing is left to do. @returns why that did not come about; null if it did */
  async drained(): Promise<string | null> {
    for (;;) {
      await this.look();
      if (this.over) return null;
      if (this.stalled) {
        const left = Object.entries(this.#counts).map(([state, count]) => `${state} ${count}`);
        const producer = this.#crew.produced ? "" : "; the producer is not done";
        return `nothing has moved for ${PATIENCE / 1_000} s: ${left.join(", ")}${producer}`;
      }
      await this.#crew.change(50);
    }
  }

  async dump(): Promise<TaskRecord[]> {
    return allRecords(this.#backend);
  }
}
