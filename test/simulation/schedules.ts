/**
 * The simulation of schedules: eight schedulers with the real loop, on clocks that are wrong, over a network that loses,
 * delays and repeats calls; killed, replaced and stopped at random, sometimes all at once. A witness at the store's door
 * sees that no instant ticks twice; at the end none may be missing.
 */
import { memory } from "../../src/backends/memory/index.ts";
import type { Logger } from "../../src/contracts/clock.ts";
import type { QueueBackend } from "../../src/contracts/queue-backend.ts";
import { Loop } from "../../src/core/loop.ts";
import type { NewSchedule } from "../../src/core/schedule-types.ts";
import { Scheduler } from "../../src/core/scheduler.ts";
import { task } from "../../src/core/task.ts";
import { cancelled, completed } from "../../src/model/lifecycle.ts";
import type { TaskRecord } from "../../src/model/record.ts";
import { QueueService } from "../../src/sidereal.ts";
import { Chance } from "../../src/testing/backend-contract/chance.ts";
import { type Fault, faulty } from "../../src/testing/faulty.ts";
import { intercepted } from "../../src/testing/intercept.ts";
import { allRecords } from "../../src/testing/records.ts";
import { seededRandom } from "../../src/testing/seeded-random.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { ProcessClock } from "./clocks.ts";
import { Journal } from "./journal.ts";
import { type Expected, ScheduleWitness } from "./schedules-witness.ts";
import type { Outcome } from "./simulate.ts";

export interface ScheduleSimulation {
  /** Virtual milliseconds of faults; default ten minutes. */
  readonly span?: number;
  readonly print?: ((line: string) => void) | null;
}

const SCHEDULERS = 8;
/** After the faults: so long until everything must have been made up for. */
const QUIET = 30_000;
const LIMIT = 300;
const END = 200_000;

const ticking = task("sim.scheduled", async () => null);
const SILENT: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const EVERYTHING = { all: { max: 1_000, within: "1d" } } as const;

type Kind = Omit<NewSchedule<void>, "task" | "cron" | "interval" | "endAt"> & {
  readonly every: number;
  readonly cron?: string;
  readonly ends?: true;
};

const KINDS: Readonly<Record<string, Kind>> = {
  every: { every: 1_000, overlap: "allow", misfire: EVERYTHING },
  jittered: { every: 2_000, overlap: "allow", misfire: EVERYTHING, jitter: "5s" },
  cron: { every: 3_000, cron: "*/3 * * * * *", overlap: "allow", misfire: EVERYTHING },
  limited: { every: 700, overlap: "allow", misfire: EVERYTHING, limit: LIMIT },
  ending: { every: 1_500, overlap: "allow", misfire: EVERYTHING, ends: true },
  skip: { every: 1_000, overlap: "skip" },
  turns: { every: 4_000, overlap: "skip", misfire: { all: { max: 20, within: "1h" } } },
  queued: { every: 1_000, overlap: "queue-one", misfire: "skip" },
  cancelling: { every: 5_000, overlap: "cancel-running" },
  operated: { every: 1_000, overlap: "allow", misfire: "skip" },
};
/** Those that may not lose an instant. */
const COMPLETE = ["every", "jittered", "cron", "ending"];

/** Everything that a seed decides follows from it; the same seed gives the same hash. */
export async function simulateSchedules(seed: number, options: ScheduleSimulation = {}): Promise<Outcome> {
  const world = new World(seed, options);
  const onRejection = (error: unknown): void => world.journal.check("H", false, () => `unhandled: ${String(error)}`);
  process.on("unhandledRejection", onRejection);
  try {
    await world.run();
  } finally {
    process.off("unhandledRejection", onRejection);
  }
  return world.outcome();
}

/** One scheduler process. */
interface Machine {
  readonly name: string;
  readonly clock: ProcessClock;
  readonly up: Promise<void>;
}

class World {
  readonly #seed: number;
  readonly #span: number;
  readonly #truth = new VirtualClock();
  readonly #chance: Chance;
  readonly #store: QueueBackend = memory({ clock: this.#truth });
  readonly #expected = new Map<string, Expected>();
  readonly journal: Journal;
  readonly #witness: ScheduleWitness;
  readonly #machines: (Machine | null)[] = Array.from({ length: SCHEDULERS }, () => null);
  #isBad = false;
  #born = 0;
  #tokens = 0;
  #records = 0;

  constructor(seed: number, { span = 600_000, print = null }: ScheduleSimulation) {
    this.#seed = seed;
    this.#span = span;
    this.#chance = new Chance(seed);
    this.journal = new Journal(() => this.#truth.mono(), print);
    this.#witness = new ScheduleWitness(this.journal, this.#expected);
  }

  async run(): Promise<void> {
    await this.#store.open();
    const operator = await this.#operator();
    for (let at = 0; at < SCHEDULERS; at += 1) this.#start(at);
    this.#isBad = true;
    this.#trouble();
    this.#operate(operator);
    this.#execute();
    await this.#truth.advance(this.#span);
    this.#isBad = false;
    for (const [at, machine] of this.#machines.entries()) {
      machine?.clock.resume();
      if (machine === null) this.#start(at);
    }
    await this.#truth.runUntil(operator.schedules.resume("operated"));
    await this.#truth.advance(QUIET);
    await this.#judge(operator);
  }

  outcome(): Outcome {
    const { violations, checks, faults, hash, events } = this.journal;
    const id = violations[0]?.id ?? null;
    return {
      seed: this.#seed,
      hash,
      events,
      lasted: this.#span + QUIET,
      records: this.#records,
      violations,
      history: id === null ? [] : this.journal.historyOf(id),
      checks,
      faults,
    };
  }

  /** A service whose calls are watched and never fail; it makes the schedules. */
  async #operator(): Promise<QueueService> {
    const service = new QueueService(
      { queueBackend: this.#door("operator") },
      { clock: this.#truth, random: seededRandom(this.#seed), logger: SILENT },
    );
    await this.#truth.runUntil(service.open());
    for (const [name, { every, cron, ends, ...kind }] of Object.entries(KINDS)) {
      const now = this.#truth.wall();
      const jitter = kind.jitter === undefined ? 0 : 5_000;
      // A cron's instants are on a grid through 0; an interval's begin one interval after its making.
      const first = cron === undefined ? now + every : (Math.floor(now / every) + 1) * every;
      this.#expected.set(name, { every, first, jitter, overlap: kind.overlap ?? "skip" });
      const timing = cron === undefined ? { interval: every } : { cron };
      const end = ends ? { endAt: now + END } : {};
      await service.schedules.create(name, { ...kind, ...timing, ...end, task: ticking });
    }
    return service;
  }

  #door(name: string): QueueBackend {
    return intercepted(
      this.#store,
      async (call, send) => {
        const answer = await send();
        this.#witness.saw(name, call, answer, this.#truth.wall());
        return answer;
      },
      { keepOpen: true },
    );
  }

  #start(at: number): void {
    this.#born += 1;
    const name = `s${at}.${this.#born}`;
    const clock = new ProcessClock(this.#truth, {
      skew: (this.#chance.below(7_200) - 3_600) * 1_000,
      wallDrift: (this.#chance.below(21) - 10) / 100,
      monoDrift: (this.#chance.below(21) - 10) / 100,
    });
    const service = new QueueService(
      { queueBackend: this.#wire(name, clock) },
      { clock, random: seededRandom(this.#seed * 1_000 + this.#born), logger: SILENT },
    );
    const scheduler = new Scheduler(service.parts);
    const loop = new Loop(service.parts.runtime, {
      name: "scheduler",
      every: 1_000,
      rest: () => scheduler.rest(),
      pass: () => scheduler.pass(),
    });
    const up = async (): Promise<void> => {
      for (let isOpen = false; !isOpen; ) {
        isOpen = await service.open().then(
          () => true,
          () => false,
        );
        if (!isOpen) await new Promise<void>((resolve) => clock.after(250, resolve));
      }
      loop.start();
    };
    this.journal.note(name, "starts");
    this.#machines[at] = { name, clock, up: up() };
  }

  /** The store as one process sees it: answers come late, or never, and not to the dead. */
  #wire(name: string, clock: ProcessClock): QueueBackend {
    const wire = faulty(this.#door(name), { clock: this.#truth, onCall: () => this.#fate(), keepOpen: true });
    return intercepted(
      wire,
      (_call, send) =>
        new Promise((resolve, reject) => {
          if (clock.dead) return;
          send().then(
            (answer) => clock.run(() => resolve(answer)),
            (error: unknown) => clock.run(() => reject(error)),
          );
        }),
      { keepOpen: true },
    );
  }

  #fate(): Fault | null {
    const chance = this.#chance;
    if (!this.#isBad || chance.often(0.7)) return null;
    const fault: { -readonly [K in keyof Fault]: Fault[K] } = {};
    const late = (): number => chance.below(chance.often(0.1) ? 4_000 : 200);
    if (chance.often(0.2)) fault.lose = chance.often(0.5) ? "request" : "reply";
    if (fault.lose !== undefined && chance.often(0.1)) fault.hang = true;
    if (chance.often(0.5)) fault.delayRequest = late();
    if (chance.often(0.5)) fault.delayReply = late();
    if (chance.often(0.2)) fault.duplicate = late();
    for (const kind of Object.keys(fault)) this.journal.fault(kind === "lose" ? `${fault.lose} lost` : kind);
    return fault;
  }

  /** Every few seconds something happens to a scheduler, or to all of them. */
  #trouble(): void {
    const chance = this.#chance;
    this.#truth.after(500 + chance.below(8_000), () => {
      if (!this.#isBad) return;
      const all = chance.often(0.04);
      const hit = all ? this.#machines.keys() : [chance.below(SCHEDULERS)];
      const away = chance.below(all ? 60_000 : 20_000);
      if (all) this.journal.fault("blackout");
      for (const at of hit) {
        if (all || chance.often(0.5)) this.#kill(at, away);
        else this.#block(at, away);
      }
      this.#trouble();
    });
  }

  #kill(at: number, away: number): void {
    const machine = this.#machines[at];
    if (!machine) return;
    this.journal.note(machine.name, "is killed");
    this.journal.fault("kill");
    machine.clock.kill();
    this.#machines[at] = null;
    this.#truth.after(away, () => {
      if (this.#machines[at] === null) this.#start(at);
    });
  }

  #block(at: number, away: number): void {
    const machine = this.#machines[at];
    if (!machine || machine.clock.paused) return;
    this.journal.note(machine.name, `stands still for ${away} ms`);
    this.journal.fault("pause");
    machine.clock.pause();
    this.#truth.after(away, () => machine.clock.resume());
  }

  /** An operator pauses and resumes one schedule, and runs another out of turn. */
  #operate({ schedules }: QueueService): void {
    this.#truth.after(2_000 + this.#chance.below(20_000), () => {
      if (!this.#isBad) return;
      const act = this.#chance.pick(["pause", "resume", "runNow"] as const);
      void schedules[act](act === "runNow" ? "skip" : "operated");
      this.#operate({ schedules } as QueueService);
    });
  }

  /** Runs what is ready: each record for some time, straight at the store. */
  #execute(): void {
    const store = this.#door("executor");
    const pass = async (): Promise<void> => {
      this.#tokens += 1;
      const token = this.#tokens.toString(16).padStart(32, "0");
      const [tasks, executions] = [["sim.scheduled"], ["local"]];
      const some = { token, workerId: "executor", limit: 50, lease: 600_000, queues: null, queueLimits: {} };
      for (const record of await store.claim({ ...some, tasks, executions })) {
        const slow = this.#chance.often(0.1) ? 20_000 : 500;
        this.#truth.after(this.#chance.below(slow), () => void this.#finish(store, record));
      }
      this.#truth.after(100 + this.#chance.below(200), () => void pass());
    };
    void pass();
  }

  async #finish(store: QueueBackend, { id }: TaskRecord): Promise<void> {
    for (let done = false; !done; ) {
      const [record] = await store.find({ by: "id", ids: [id] });
      if (record?.state !== "running") return;
      const now = this.#truth.wall();
      const to =
        record.cancelRequestedAt === null
          ? completed(record, { now, result: null })
          : cancelled(record, { now, reason: null, by: "acknowledge" });
      [done = false] = await store.apply([{ from: record, to }]);
    }
  }

  async #judge({ schedules }: QueueService): Promise<void> {
    const { journal } = this;
    const now = this.#truth.wall();
    const records = await allRecords(this.#store);
    this.#records = records.length;
    for (const [name, { first, every }] of this.#expected) {
      const ticks = [...(this.#witness.ticks.get(name)?.keys() ?? [])].sort((a, b) => a - b);
      const stored = records.filter(
        ({ origin }) => origin?.kind === "schedule" && origin.schedule === name && origin.manual !== true,
      );
      const instants = new Set(stored.map(({ origin }) => (origin?.kind === "schedule" ? origin.scheduledFor : 0)));
      journal.check("I11", instants.size === stored.length, () => `${name} has two records of one instant`);
      journal.check(
        "stored",
        stored.length === ticks.length,
        () => `${name}: ${stored.length} of ${ticks.length} stored`,
      );
      const info = await schedules.get(name);
      journal.check("count", info?.count === ticks.length, () => `${name} counts ${info?.count} of ${ticks.length}`);
      const due: number[] = [];
      for (let at = first; at <= now - 2_000; at += every) due.push(at);
      if (COMPLETE.includes(name)) {
        const last = name === "ending" ? first - every + END : now;
        const missing = due.filter((at) => at <= last && !instants.has(at));
        journal.check("lost", missing.length === 0, () => `${name} lost ${missing.slice(0, 5).join(" ")}`);
      }
      if (name === "limited") {
        const counted = Math.min(LIMIT, due.length);
        journal.check("limit", ticks.length === counted, () => `${name} made ${ticks.length} of ${counted}`);
      }
      const isOver = name === "ending" || name === "limited" || name === "turns";
      const [newest = 0] = [ticks.at(-1)];
      journal.check(
        "liveness",
        isOver || now - newest <= 30_000,
        () => `${name} has not ticked for ${now - newest} ms`,
      );
    }
  }
}
