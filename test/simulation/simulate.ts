/** Runs one seed: workers, producers and an operator over one simulated store, faults, then quiet, then the reckoning. */
import { memory } from "../../src/backends/memory/index.ts";
import type { QueueBackend } from "../../src/contracts/queue-backend.ts";
import { CALL_TIMEOUT } from "../../src/core/calls.ts";
import { reapInterval } from "../../src/core/upkeep.ts";
import { isTerminal } from "../../src/model/record.ts";
import { Chance } from "../../src/testing/backend-contract/chance.ts";
import { allRecords } from "../../src/testing/records.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { StoreClock } from "./clocks.ts";
import { Journal } from "./journal.ts";
import type { Network } from "./network.ts";
import { type EventRates, type Plan, planOf } from "./plan.ts";
import { type ProcessOptions, SimProcess } from "./process.ts";
import { Witness } from "./witness.ts";
import { Workload } from "./workload.ts";

export interface Outcome {
  readonly seed: number;
  readonly hash: string;
  readonly events: number;
  /** Virtual milliseconds. */
  readonly lasted: number;
  readonly records: number;
  readonly violations: readonly { readonly invariant: string; readonly message: string; readonly id: string | null }[];
  /** The history of the first violation's record. */
  readonly history: readonly string[];
  readonly checks: ReadonlyMap<string, number>;
  readonly faults: ReadonlyMap<string, number>;
}

/** Everything that a seed decides follows from it; the same seed gives the same hash. */
export async function simulate(seed: number, print: ((line: string) => void) | null = null): Promise<Outcome> {
  const world = new World(planOf(seed), print);
  const onRejection = (error: unknown): void => world.rejected(error);
  process.on("unhandledRejection", onRejection);
  try {
    await world.run();
  } finally {
    process.off("unhandledRejection", onRejection);
  }
  return world.outcome();
}

/** A place where a worker runs: its processes come and go, its clock stays as wrong as it is. */
interface Machine {
  readonly index: number;
  generation: number;
  process: SimProcess;
}

class World {
  readonly #plan: Plan;
  readonly #truth = new VirtualClock();
  readonly #storeClock: StoreClock;
  readonly #store: QueueBackend;
  readonly #journal: Journal;
  readonly #witness: Witness;
  readonly #chance: Chance;
  readonly #network: Network;
  readonly #workload: Workload;
  readonly #machines: Machine[] = [];
  readonly #clients: SimProcess[] = [];
  /** The first record that was lost, where the plan wants that one stuck. */
  #stuck: string | null = null;
  readonly #everybody: SimProcess[] = [];
  readonly #cuts = new Map<string, { readonly how: "refused" | "silent" }>();
  #healed = false;
  #canaries = false;

  constructor(plan: Plan, print: ((line: string) => void) | null) {
    this.#plan = plan;
    this.#storeClock = new StoreClock(this.#truth);
    this.#store = memory({ clock: this.#storeClock });
    this.#journal = new Journal(() => this.#truth.mono(), print);
    this.#witness = new Witness(this.#journal);
    this.#chance = new Chance(plan.seed + 2 ** 33);
    this.#network = {
      store: this.#store,
      witness: this.#witness,
      journal: this.#journal,
      chance: new Chance(plan.seed + 2 ** 34),
      faults: plan.network,
      isBad: () => !this.#healed,
      slowReaper: plan.slowReaper,
      isStuck: (id) => this.#isStuck(id),
      cutOff: (name) => (this.#cuts.get(name) ?? this.#cuts.get("everybody"))?.how ?? null,
    };
    this.#workload = new Workload(plan, new Chance(plan.seed + 2 ** 35), this.#journal, this.#witness);
  }

  async run(): Promise<void> {
    await this.#store.open();
    const { workers } = this.#plan;
    for (let index = 0; index < workers; index += 1) {
      this.#machines.push({ index, generation: 1, process: this.#startWorker(index, 1) });
    }
    for (const [at, name] of (["producer", "operator"] as const).entries()) {
      const client = new SimProcess(name, { ...this.#options(workers + at, 0), worker: null });
      this.#clients.push(client);
      void client.start();
    }
    this.#scheduleWork();
    this.#scheduleEvents();
    this.#truth.after(this.#plan.faultsUntil, () => this.#heal());
    await this.#truth.runWhile(() => this.#journal.violations.length === 0 && !this.#isOver());
    if (this.#journal.violations.length > 0) return;
    await this.#reckon();
  }

  rejected(error: unknown): void {
    this.#journal.check("H", false, () => `unhandled rejection: ${(error as Error)?.stack ?? String(error)}`);
  }

  outcome(): Outcome {
    const { violations, checks, faults, hash, events } = this.#journal;
    const [first] = violations;
    return {
      seed: this.#plan.seed,
      hash,
      events,
      lasted: this.#truth.mono(),
      records: this.#witness.lives.size,
      violations: violations.map(({ invariant, message, id }) => ({ invariant, message, id })),
      history: first?.id == null ? [] : this.#journal.historyOf(first.id),
      checks,
      faults,
    };
  }

  #options(clock: number, generation: number): ProcessOptions {
    const { lease, pollInterval, concurrency, cap, retention, graceful, finalCancel, clocks, seed } = this.#plan;
    return {
      network: this.#network,
      truth: this.#truth,
      clockError: clocks[clock] as ProcessOptions["clockError"],
      seed: seed * 1_000 + clock * 50 + generation,
      worker: {
        leaseDuration: lease,
        pollInterval,
        maxConcurrency: concurrency,
        retention,
        gracefulShutdownTimeout: graceful,
        finalCancelTimeout: finalCancel,
        ...(cap !== null && { queueConcurrency: { narrow: cap } }),
      },
      excused: () => this.#truth.mono() - this.#storeClock.aheadAt < 3 * lease,
      vulnerable: () => !this.#healed,
    };
  }

  #startWorker(index: number, generation: number): SimProcess {
    const name = `worker${index + 1}${generation === 1 ? "" : `.${generation}`}`;
    const process = new SimProcess(name, this.#options(index, generation));
    this.#everybody.push(process);
    void process.start();
    return process;
  }

  #replace(machine: Machine): void {
    machine.generation += 1;
    machine.process = this.#startWorker(machine.index, machine.generation);
  }

  #scheduleWork(): void {
    const { tasks, faultsUntil } = this.#plan;
    const [producer] = this.#clients as [SimProcess];
    for (let task = 0; task < tasks; task += 1) {
      this.#truth.after(this.#chance.below(Math.floor(faultsUntil * 0.8)) + 10, () => {
        if (producer.state === "up") void this.#workload.enqueue(producer);
      });
    }
  }

  /** Each kind of event comes again and again, at random distances, until the faults end. */
  #scheduleEvents(): void {
    const strike: Readonly<Record<keyof EventRates, () => void>> = {
      crash: () => this.#crash(),
      pause: () => this.#machine().process.block(this.#span(2)),
      deploy: () => this.#deploy(),
      partition: () => this.#cut(this.#machine().process.name, this.#span(2)),
      outage: () => this.#cut("everybody", this.#span(1.5)),
      jump: () => this.#jump(),
      cancel: () => void (this.#clients[1]?.state === "up" && this.#workload.cancel(this.#clients[1])),
    };
    for (const [kind, mean] of Object.entries(this.#plan.events) as [keyof EventRates, number][]) {
      if (mean === Number.POSITIVE_INFINITY) continue;
      const again = (): void => {
        const wait = -Math.log(1 - this.#chance.below(1_000) / 1_000) * mean;
        this.#truth.after(wait, () => {
          if (this.#healed) return;
          strike[kind]();
          again();
        });
      };
      again();
    }
  }

  #isStuck(id: string): boolean {
    const { stuckUntil } = this.#plan;
    if (stuckUntil === null || this.#truth.mono() >= stuckUntil) return false;
    if (this.#stuck === null) this.#journal.fault("stuck record");
    this.#stuck ??= id;
    return this.#stuck === id;
  }

  /** A length of time up to so many leases. */
  #span(leases: number): number {
    return this.#chance.below(Math.round(this.#plan.lease * leases)) + 1;
  }

  #machine(): Machine {
    return this.#machines[this.#chance.below(this.#machines.length)] as Machine;
  }

  #crash(): void {
    const machine = this.#machine();
    machine.process.crash();
  }

  #deploy(): void {
    const machine = this.#machine();
    if (machine.process.state !== "up") return;
    this.#journal.fault("deploy");
    const old = machine.process;
    void old.stop();
    this.#replace(machine);
  }

  #cut(name: string, ms: number): void {
    this.#journal.fault(name === "everybody" ? "outage" : "partition");
    this.#journal.note(name, `cannot reach the store for ${ms} ms`);
    const cut = { how: this.#chance.often(0.5) ? ("refused" as const) : ("silent" as const) };
    this.#cuts.set(name, cut);
    const began = this.#truth.mono();
    this.#truth.after(ms, () => {
      if (this.#cuts.get(name) !== cut) return;
      this.#checkReadiness(name, began);
      this.#cuts.delete(name);
    });
  }

  /** At the end of an outage: a worker that had room all the time, and found no store, must say so. */
  #checkReadiness(name: string, began: number): void {
    const { pollInterval } = this.#plan;
    // The longest rest between two looks, and the two intervals within which an answer is awaited.
    if (this.#truth.mono() - began < 15 * pollInterval) return;
    for (const { process } of this.#machines) {
      if (name !== "everybody" && name !== process.name) continue;
      if (process.state !== "up" || process.lastChange >= began || process.clock.paused) continue;
      const { ready, running, claimed } = process.worker?.status() ?? { ready: false, running: 0, claimed: 0 };
      if (running + claimed >= this.#plan.concurrency) continue;
      this.#journal.check("I20", !ready, () => `${process.name} is ready cut off since ${began}`);
    }
  }

  #jump(): void {
    const size = this.#chance.pick([0.6, 2, 100]) * this.#plan.lease;
    const by = Math.round(this.#plan.jumpsAhead && this.#chance.often(0.5) ? size : -size);
    this.#journal.fault("store clock jump");
    this.#journal.note("store", `clock jumps by ${by} ms`);
    this.#storeClock.jump(by);
  }

  /** The faults end: every machine has a running process again, and one more task of each kind comes in. */
  #heal(): void {
    this.#healed = true;
    this.#cuts.clear();
    this.#journal.note("world", "faults end");
    for (const machine of this.#machines) {
      machine.process.clock.resume();
      if (machine.process.state === "dead") this.#replace(machine);
    }
    this.#canary(2);
  }

  /** Tasks that must run although everything before them went wrong. */
  #canary(count: number): void {
    const [producer] = this.#clients as [SimProcess];
    if (producer.state === "up") for (let one = 0; one < count; one += 1) void this.#workload.enqueue(producer, true);
    else this.#truth.after(100, () => this.#canary(count));
    this.#canaries = producer.state === "up";
  }

  #isOver(): boolean {
    const now = this.#truth.mono();
    if (now > this.#plan.patience) return true;
    if (!this.#canaries || this.#workload.open > 0) return false;
    if (this.#machines.some(({ process }) => process.worker?.status().ready !== true)) return false;
    for (const { record } of this.#witness.lives.values()) if (!isTerminal(record)) return false;
    return true;
  }

  /** Everything is quiet: what must hold now, and after all have stopped. */
  async #reckon(): Promise<void> {
    const journal = this.#journal;
    const patience = `${Math.round(this.#plan.patience - this.#plan.faultsUntil)} ms after the faults ended`;
    for (const [id, { record }] of this.#witness.lives) {
      journal.check("liveness", isTerminal(record), () => `still ${record.state} ${patience}`, id);
    }
    journal.check("liveness", this.#workload.open === 0, () => `${this.#workload.open} calls still open ${patience}`);
    for (const { process } of this.#machines) {
      const ready = process.worker?.status().ready === true;
      journal.check("I17", ready, () => `${process.name} is ${process.state}, not ready, ${patience}`);
    }
    this.#checkLapses();
    if (journal.violations.length > 0) return;
    const everybody = [...this.#machines.map(({ process }) => process), ...this.#clients];
    await this.#truth.runUntil(Promise.all(everybody.map((process) => process.stop())));
    // Calls that were under way have their own deadlines.
    await this.#truth.advance(CALL_TIMEOUT + 1_000);
    for (const process of this.#everybody) process.checkTimers();
    await this.#checkStore();
    this.#checkLives();
  }

  /** After the faults, lost records are taken back within a lease (the reaper may hold that long) and a few looks. */
  #checkLapses(): void {
    const { lease, faultsUntil } = this.#plan;
    const bound = faultsUntil + 2 * lease + 4 * reapInterval(lease) + 12_000;
    if (this.#storeClock.aheadAt > 0 || this.#plan.events.jump !== Number.POSITIVE_INFINITY) return;
    for (const { id, late } of this.#witness.lapses) {
      if (id === this.#stuck) continue;
      this.#journal.check("I8", late < bound, () => `taken back ${Math.round(late)} ms after its lease was over`, id);
    }
  }

  async #checkStore(): Promise<void> {
    const stored = new Map((await allRecords(this.#store)).map((record) => [record.id, record]));
    for (const [id, { record, present }] of this.#witness.lives) {
      const found = stored.get(id);
      this.#journal.check("I1", !present || found !== undefined, () => "acknowledged, but not in the store", id);
      const same = found === undefined || (found.version === record.version && found.state === record.state);
      this.#journal.check("I6", same, () => `stored v${found?.version}, not v${record.version}`, id);
    }
    this.#witness.schedules.compare(await this.#store.schedules({ by: "all", after: null, limit: 1_000 }));
    for (const id of this.#workload.acknowledged) {
      this.#journal.check("I1", this.#witness.lives.has(id), () => "acknowledged, but unknown", id);
    }
  }

  #checkLives(): void {
    for (const [id, { record, starts, effects, returns }] of this.#witness.lives) {
      const most = 1 + returns;
      this.#journal.check("S", starts <= most, () => `${starts} starts, but ${most} are explained`, id);
      this.#journal.check("S", effects <= most, () => `${effects} effects, but ${most} are explained`, id);
      const done = record.state !== "completed" || effects >= 1;
      this.#journal.check("S", done, () => "completed without an effect", id);
      this.#journal.check("I11", record.key === null, () => `ended, but still holds ${record.key}`, id);
    }
  }
}
