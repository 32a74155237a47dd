/** One simulated process: a clock, a queue service and perhaps a worker; it can be stopped, paused, killed, replaced. */
import type { Logger } from "../../src/contracts/clock.ts";
import type { WorkerConfig } from "../../src/core/config.ts";
import type { TaskContext } from "../../src/core/vocabulary.ts";
import { QueueService, Worker } from "../../src/sidereal.ts";
import { seededRandom } from "../../src/testing/seeded-random.ts";
import type { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { type ClockError, ProcessClock } from "./clocks.ts";
import { connect, type Network, type UnderWay } from "./network.ts";
import { type Run, runsIn } from "./tasks.ts";

export interface ProcessOptions {
  readonly network: Network;
  readonly truth: VirtualClock;
  readonly clockError: ClockError;
  readonly seed: number;
  readonly worker: WorkerConfig | null;
  /** Whether a store clock that was set forward excuses a lease that ended early, at this true time. */
  readonly excused: () => boolean;
  /** Whether the process may be struck now. */
  readonly vulnerable: () => boolean;
}

const SILENT: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export class SimProcess {
  readonly name: string;
  readonly clock: ProcessClock;
  readonly service: QueueService;
  readonly #options: ProcessOptions;
  readonly #underWay: UnderWay = new Map();
  /** Handlers that run, and how many of them have made their effect. */
  readonly #running = new Map<object, { readonly id: string; effect: boolean }>();
  worker: Worker | null = null;
  state: "starting" | "up" | "stopping" | "stopped" | "dead" = "starting";
  #stopped: Promise<void> | null = null;
  /** True time at which it last came up, woke, had a claim answered, or began or ended a handler. */
  lastChange = 0;
  /** Whether any pause hit it. */
  wasPaused = false;

  constructor(name: string, options: ProcessOptions) {
    this.name = name;
    this.#options = options;
    this.clock = new ProcessClock(options.truth, options.clockError);
    const queueBackend = connect(options.network, name, this.clock, this.#underWay, () => {
      this.lastChange = options.truth.mono();
    });
    const worker = options.worker ?? {};
    this.service = new QueueService(
      { queueBackend, worker },
      { clock: this.clock, random: seededRandom(options.seed), logger: SILENT },
    );
    runsIn(this.service, this);
  }

  /** Starts, trying again while the store cannot be reached, as a supervisor would. */
  async start(): Promise<void> {
    for (;;) {
      try {
        await this.service.open();
        break;
      } catch {
        await this.sleep(250);
        if (this.state !== "starting") return;
      }
    }
    if (this.state !== "starting") return this.service.close();
    if (this.#options.worker !== null) this.worker = await new Worker(this.service).start();
    this.state = "up";
    this.lastChange = this.clock.truth.mono();
    this.#note("is up");
  }

  /** Stops as SIGTERM does. */
  stop(): Promise<void> {
    if (this.state === "dead") return Promise.resolve();
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.state = "stopping";
    this.#note("stops");
    const { journal } = this.#options.network;
    const began = this.clock.mono();
    await this.worker?.stop();
    await this.service.close();
    const took = this.clock.mono() - began;
    const { gracefulShutdownTimeout: graceful, finalCancelTimeout: final } = this.service.parts.settings.worker;
    const bound = graceful + 4 * Math.max(final, 1_000) + 40_000;
    journal.check("I16", this.wasPaused || took <= bound, () => `${this.name} took ${took} ms to stop, not ${bound}`);
    this.state = "stopped";
    this.#note("has stopped");
  }

  /** A while after the stop: nothing of the core may still wait for a time. */
  checkTimers(): void {
    const { armed } = this.clock;
    const over = this.state !== "stopped" || armed <= this.#running.size;
    this.#options.network.journal.check("H", over, () => `${this.name} has left ${armed} timers behind`);
  }

  /** Ends as SIGKILL does. */
  crash(): void {
    if (this.state === "dead" || this.state === "stopped" || !this.#options.vulnerable()) return;
    const { journal } = this.#options.network;
    for (const [method, count] of this.#underWay) if (count > 0) journal.fault(`crash during ${method}`);
    const runs = [...this.#running.values()];
    if (runs.some(({ effect }) => effect)) journal.fault("crash after the effect");
    if (runs.some(({ effect }) => !effect)) journal.fault("crash in a handler");
    if (runs.length === 0) journal.fault("crash while idle");
    this.state = "dead";
    this.clock.kill();
    this.#note("is killed");
  }

  /** Stands still for a while, as after SIGSTOP. */
  block(ms: number): void {
    if (this.clock.paused || this.clock.dead || !this.#options.vulnerable()) return;
    this.wasPaused = true;
    this.#options.network.journal.fault("pause");
    this.#note(`stands still for ${Math.round(ms)} ms`);
    this.clock.pause();
    this.#options.truth.after(ms, () => {
      if (!this.clock.dead) this.#note("goes on");
      this.lastChange = this.clock.truth.mono();
      this.clock.resume();
    });
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.clock.after(ms, resolve));
  }

  /** A handler has begun. */
  begin(ctx: TaskContext): Run {
    const { journal, witness } = this.#options.network;
    const life = witness.lives.get(ctx.id);
    const { fence, id, queue } = ctx;
    const own = { id, queue, effect: false };
    this.#running.set(own, own);
    this.lastChange = this.clock.truth.mono();
    if (life !== undefined) {
      life.starts += 1;
      journal.check("I3", !life.fences.includes(fence), () => `two handlers began with fence ${fence}`, id);
      life.fences.push(fence);
    }
    this.#checkSlots(queue);
    journal.note(this.name, `begins attempt ${ctx.attempt} fence ${fence}`, [id]);
    void this.#watchLease(ctx, () => this.#running.has(own));
    return {
      take: (ms, deaf) => this.#take(ctx, ms, deaf),
      effect: () => {
        own.effect = true;
        if (life !== undefined) life.effects += 1;
        journal.note(this.name, "effect", [id]);
      },
      end: () => {
        this.#running.delete(own);
        this.lastChange = this.clock.truth.mono();
      },
    };
  }

  #checkSlots(queue: string): void {
    const { journal } = this.#options.network;
    const { maxConcurrency, queueConcurrency } = this.service.parts.settings.worker;
    const all = [...this.#running.keys()] as { readonly queue: string }[];
    const here = all.filter((run) => run.queue === queue).length;
    const cap = queueConcurrency[queue] ?? maxConcurrency;
    journal.check("I9", all.length <= maxConcurrency, () => `${this.name} runs ${all.length} of ${maxConcurrency}`);
    journal.check("I9", here <= cap, () => `${this.name} runs ${here} of ${cap} in ${queue}`);
  }

  /** Looks at the very moment at which a running handler's lease ends in the store. */
  async #watchLease(ctx: TaskContext, runs: () => boolean): Promise<void> {
    const { witness, store } = this.#options.network;
    const { truth } = this.clock;
    while (runs() && !this.clock.dead) {
      const { leaseUntil, startedAt } = witness.lives.get(ctx.id)?.record ?? { leaseUntil: null, startedAt: null };
      if (leaseUntil === null || startedAt !== ctx.fence) return;
      const left = leaseUntil - (await store.now());
      if (left < 0) {
        if (!this.clock.paused) await this.#checkLease(ctx);
        return;
      }
      await new Promise<void>((resolve) => truth.after(left + 1, resolve));
    }
  }

  /** Time passes in a handler; at each step it looks whether its lease is what it is told. */
  async #take(ctx: TaskContext, ms: number, deaf: boolean): Promise<void> {
    const step = Math.max(ms / 8, 1);
    for (let taken = 0; taken < ms; taken += step) {
      await this.sleep(Math.min(step, ms - taken));
      await this.#checkLease(ctx);
      if (!deaf && ctx.signal.aborted) throw ctx.signal.reason;
    }
  }

  async #checkLease(ctx: TaskContext): Promise<void> {
    const { journal, witness, store } = this.#options.network;
    const record = witness.lives.get(ctx.id)?.record;
    if (record === undefined || this.#options.excused()) return;
    // The store is asked directly: what it says takes no time.
    const now = await store.now();
    const mine = record.state === "running" && record.startedAt === ctx.fence;
    const held = mine && (record.leaseUntil ?? 0) >= now;
    const { id } = ctx;
    let sure = true;
    try {
      ctx.assertLease();
    } catch {
      sure = false;
    }
    const ended = record.startedAt === ctx.fence && !mine;
    journal.check("lease", held || ended || !sure, () => `${this.name} is sure of a lease that is over`, id);
    const awake = this.clock.truth.mono() - this.clock.resumedAt > 1;
    journal.check(
      "watchdog",
      held || ended || !awake || ctx.signal.aborted,
      () => `${this.name}: the lease is over and the handler was not told`,
      id,
    );
  }

  #note(what: string): void {
    this.#options.network.journal.note(this.name, what);
  }
}
