/**
 * The worker: claims records for its free slots, runs them, reports how they ended, keeps their leases meanwhile, and
 * stops in steps. Claiming and reporting overlap; a store outage makes it wait, never die.
 */
import type { Cancel } from "../contracts/clock.ts";
import type { Hint } from "../contracts/signals.ts";
import { SiderealError } from "../model/errors.ts";
import type { JsonText, Millis, TaskRecord } from "../model/record.ts";
import { Attempt, type AttemptHost } from "./attempt.ts";
import { CancelWatch } from "./cancels.ts";
import { Claims, EXECUTIONS } from "./claims.ts";
import { LeaseKeeper } from "./lease.ts";
import { LookAhead } from "./look-ahead.ts";
import { Loop } from "./loop.ts";
import { Pace } from "./pace.ts";
import type { Parts } from "./parts.ts";
import { PauseWatch } from "./pauses.ts";
import { Presence } from "./presence.ts";
import { describeWorker, type WorkerPlace } from "./presence-note.ts";
import { Rest } from "./rest.ts";
import { Scheduler } from "./scheduler.ts";
import { Slots } from "./slots.ts";
import { upkeepLoops } from "./upkeep.ts";
import { Vitals, type WorkerHealth } from "./vitals.ts";

/** How a stop went: `escalated` means that running tasks had to be aborted. */
export type StopOutcome = "clean" | "escalated";

export interface WorkerStatus {
  readonly id: string;
  readonly state: "new" | "running" | "stopping" | "stopped";
  /** Whether a claim was answered, later ones are within two poll intervals, and renewals too: false means that the worker cannot reach its store. */
  readonly ready: boolean;
  readonly running: number;
  /** Claimed, waiting for a slot. */
  readonly claimed: number;
  /** Handlers that ignore their signal: `name (id)`. */
  readonly stuck: readonly string[];
}

/** Records claimed ahead are given back when the eldest has waited for so long. */
const PATIENCE: Millis = 500;
const CANCEL_CHECK: Millis = 1_000;
/** Work between two turns of the event loop, in records, a look counting as eight: a store that answers within the turn must not starve timers and sockets. */
const TURN = 256;
const LOOK = 8;

export class CoreWorker {
  readonly id: string;
  readonly #parts: Parts;
  readonly #slots: Slots;
  readonly #pace: Pace;
  readonly #rest: Rest;
  readonly #ahead: LookAhead;
  readonly #claims: Claims;
  readonly #leases: LeaseKeeper;
  readonly #cancels: CancelWatch;
  readonly #pauses: PauseWatch;
  readonly #presence: Presence;
  readonly #vitals: Vitals;
  readonly #scheduler: Scheduler;
  readonly #loops: readonly Loop[];
  readonly #host: AttemptHost = {
    isSure: (id) => this.#leases.isSure(id),
    stuck: (attempt) => this.#stuck(attempt),
    persist: () => !this.#gaveUp,
  };
  #state: WorkerStatus["state"] = "new";
  /** Store time. */
  #startedAt: Millis = 0;
  #stopping: Promise<StopOutcome> | null = null;
  #forced = false;
  #force: (() => void) | null = null;
  #claiming: Promise<void> = Promise.resolve();
  /** Whether the claim loop waits for a slot rather than for the store. */
  #wantsRoom = false;
  #unsubscribe: Cancel = () => {};
  #gaveUp = false;

  /** @param place - Where the worker runs, for the list of workers. */
  constructor(parts: Parts, id: string, place: WorkerPlace | null = null) {
    const { worker, executionBackend } = parts.settings;
    if (executionBackend === "immediate") {
      throw new SiderealError("WORKER_INVALID", "executionBackend is immediate: nothing is left to claim");
    }
    this.id = id;
    this.#parts = parts;
    this.#slots = new Slots(worker.maxConcurrency, worker.queueConcurrency);
    this.#pace = new Pace(worker.maxConcurrency, worker.batchSize);
    this.#rest = new Rest(parts.runtime, worker.pollInterval);
    this.#ahead = new LookAhead(parts, this.#rest);
    this.#claims = new Claims(parts, id);
    this.#cancels = new CancelWatch(parts, id, this.#slots);
    const heed = { paused: () => this.#giveBackPaused(), resumed: () => this.#rest.wake() };
    this.#pauses = new PauseWatch(parts, id, heed);
    this.#presence = new Presence(parts, id, () => this.#description(place));
    this.#leases = new LeaseKeeper(parts.calls, parts.runtime, {
      lease: worker.staleAfter,
      every: worker.heartbeatInterval,
    });
    this.#vitals = new Vitals(parts, this.#claims, this.#leases, this.#slots);
    this.#scheduler = new Scheduler(parts);
    this.#loops = [
      ...upkeepLoops(parts, this.#scheduler),
      new Loop(parts.runtime, { name: "cancel check", every: CANCEL_CHECK, pass: () => this.#cancels.look() }),
      new Loop(parts.runtime, { name: "patience", every: PATIENCE, pass: async () => this.#giveBackIdle() }),
    ];
  }

  /** Initialises schedules and begins to claim. @throws WORKER_STARTED, SCHEDULE_INVALID, INPUT_INVALID, … */
  async start(): Promise<this> {
    if (this.#state !== "new") throw new SiderealError("WORKER_STARTED", `Worker ${this.id} is ${this.#state}`);
    this.#state = "running";
    await this.#scheduler.initialize().catch((error: unknown) => {
      this.#state = "stopped";
      throw error;
    });
    if (this.#stopping === null) this.#begin();
    return this;
  }

  #begin(): void {
    this.#startedAt = this.#parts.storeTime.now();
    this.#unsubscribe = this.#parts.backend.signals?.subscribe((hint) => this.#hear(hint)) ?? this.#unsubscribe;
    this.#leases.start();
    for (const loop of this.#loops) loop.start();
    this.#pauses.start();
    this.#vitals.start();
    this.#presence.start();
    this.#claiming = this.#claimLoop();
  }

  /**
   * Stops: no further claims, what was claimed but not begun goes back; running attempts get `gracefulShutdownTimeout`,
   * then are aborted and get `finalCancelTimeout`; what still runs is handed back and named. Calling it again returns
   * the same outcome; with `force`, then or at first, it aborts at once.
   */
  async stop(options: { readonly force?: boolean } = {}): Promise<StopOutcome> {
    if (options.force) {
      this.#forced = true;
      this.#force?.();
    }
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  status(): WorkerStatus {
    return {
      id: this.id,
      state: this.#state,
      ready: this.#state === "running" && this.#vitals.ready,
      running: this.#slots.running.length,
      claimed: this.#slots.waiting.length,
      stuck: this.#slots.stuck.map(({ attempt }) => `${attempt.taskName} (${attempt.id})`),
    };
  }

  health(): WorkerHealth {
    return this.#vitals.health({ id: this.id, state: this.#state, full: this.#wantsRoom });
  }

  #description(place: WorkerPlace | null): JsonText {
    const { worker } = this.#parts.settings;
    return describeWorker({
      ...{ place, state: this.#state === "running" ? "running" : "stopping", ready: this.status().ready },
      ...{ startedAt: this.#startedAt, queues: worker.queues, concurrency: this.#slots.capacity },
      ...{ full: this.#slots.full, tasks: this.#parts.registry.names(), executions: EXECUTIONS },
      ...{ running: this.#slots.running, claimed: this.#slots.waiting.length },
      isStuck: (attempt) => this.#slots.isStuck(attempt),
    });
  }

  async #claimLoop(): Promise<void> {
    const { clock } = this.#parts.runtime;
    await this.#learnPauses();
    let sinceTurn = 0;
    while (this.#state === "running") {
      if (sinceTurn > TURN) {
        sinceTurn = 0;
        await new Promise<void>((resolve) => clock.soon(resolve));
        continue;
      }
      const room = this.#room();
      if (room === 0) {
        this.#wantsRoom = true;
        await this.#rest.for(Number.POSITIVE_INFINITY);
        continue;
      }
      if (this.#wantsRoom) this.#vitals.expectClaims();
      this.#wantsRoom = false;
      const found = await this.#claim(room);
      sinceTurn += LOOK + Math.max(0, found);
      if (found >= room) continue;
      const rest = this.#rest.next();
      if (found >= 0) void this.#ahead.look(rest, () => this.#state === "running");
      await this.#rest.for(rest);
    }
  }

  /** Nothing is claimed before it is known what is paused. */
  async #learnPauses(): Promise<void> {
    await this.#pauses.look();
    while (this.#state === "running" && !this.#pauses.known) {
      this.#rest.looked(false);
      await this.#rest.for(this.#rest.next());
      await this.#pauses.look();
    }
  }

  /** @returns how many were claimed; -1 when the store could not be asked */
  async #claim(room: number): Promise<number> {
    try {
      const asked = this.#claims.claim(room, this.#pauses.limits(this.#slots.queueLimits()));
      let later = false;
      // What waits begins once the request is on its way: the store looks for more while handlers run.
      this.#parts.runtime.clock.soon(() => {
        later = true;
        this.#fill();
      });
      const { records, sent, granted } = await asked;
      this.#pace.answered(later);
      if (this.#vitals.failing) this.#parts.runtime.logger.info("the store answers again", { worker: this.id });
      const listed = this.#vitals.answered && !this.#vitals.failing;
      this.#vitals.claimed();
      this.#rest.looked(records.length > 0);
      records.forEach((record, at) => {
        this.#take(record, sent, granted[at] ?? 0);
      });
      if (this.#pauses.any) this.#giveBackPaused();
      if (records.length < room || this.#room() === 0) this.#fill();
      if (!listed) void this.#presence.beat();
      return records.length;
    } catch (error) {
      if (!this.#vitals.failing)
        this.#parts.runtime.logger.error("the store cannot be asked for work; trying again", {
          worker: this.id,
          error,
        });
      this.#vitals.failing = true;
      this.#rest.looked(false);
      return -1;
    }
  }

  /** How many records to ask for now. */
  #room(): number {
    return this.#pace.room(this.#slots);
  }

  #take(record: TaskRecord, sent: Millis, granted: Millis): void {
    const attempt = new Attempt(this.#parts, record, this.#host);
    this.#slots.wait(attempt);
    this.#leases.add(attempt, sent, granted);
  }

  /** Begins what has a slot, at this monotonic time. */
  #fill(now: Millis = this.#parts.runtime.clock.mono()): void {
    if (this.#state !== "running") return;
    for (let attempt = this.#slots.begin(); attempt !== undefined; attempt = this.#slots.begin())
      this.#run(attempt, now);
  }

  #run(attempt: Attempt, now: Millis): void {
    void attempt.run().then(() => this.#ended(attempt, now));
  }

  #ended(attempt: Attempt, begun: Millis): void {
    const now = this.#parts.runtime.clock.mono();
    this.#pace.took(now - begun);
    this.#vitals.ended(attempt.taskName, now - begun);
    const unblocks = this.#slots.isFull(attempt.queue);
    this.#slots.end(attempt);
    this.#fill(now);
    if (unblocks) this.#rest.wake();
    this.#wakeForRoom();
    this.#awaitReport(attempt);
  }

  #awaitReport(attempt: Attempt): void {
    void attempt.reported().then(() => this.#settled(attempt));
  }

  #settled(attempt: Attempt): void {
    this.#slots.reported();
    this.#leases.remove(attempt);
    this.#wakeForRoom();
  }

  /** A slot became free: that matters only to a loop that waits for room. */
  #wakeForRoom(): void {
    if (this.#wantsRoom && this.#room() > 0) this.#rest.wake();
  }

  /** Gives back what was claimed ahead and does not begin because its elders are slower than was thought. */
  #giveBackIdle(): void {
    const [eldest] = this.#slots.waiting;
    if (eldest === undefined || this.#parts.storeTime.now() - (eldest.record.startedAt ?? 0) < PATIENCE) return;
    this.#pace.stalled();
    this.#giveBackWaiting();
  }

  #giveBackPaused(): void {
    this.#giveBackWaiting((attempt) => this.#pauses.has(attempt.queue));
  }

  #giveBackWaiting(meant?: (attempt: Attempt) => boolean): void {
    for (const attempt of this.#slots.takeWaiting(meant)) {
      attempt.giveBack();
      this.#awaitReport(attempt);
    }
  }

  async #stop(): Promise<StopOutcome> {
    const { worker } = this.#parts.settings;
    this.#state = "stopping";
    this.#rest.wake();
    this.#giveBackWaiting();
    if (this.#slots.running.length > 0) void this.#presence.beat();
    // A claim under way may hang: neither the handlers' time nor a forced stop waits for it.
    const claimed = this.#claiming.then(() => this.#recoverClaim()).then(() => this.#giveBackWaiting());
    const escalated = !(await this.#within(this.#slots.drained(), worker.gracefulShutdownTimeout, true));
    if (escalated) await this.#abortAll(worker.finalCancelTimeout);
    await this.#within(claimed, Math.max(worker.finalCancelTimeout, 1_000), false);
    const stored = await this.#within(this.#slots.settled(), Math.max(worker.finalCancelTimeout, 1_000), false);
    this.#gaveUp = true;
    if (!stored)
      this.#parts.runtime.logger.error("some outcomes could not be stored before the stop; their leases will lapse", {
        worker: this.id,
      });
    this.#unsubscribe();
    this.#rest.stop();
    this.#vitals.stop();
    const ended = [this.#leases, this.#pauses, ...this.#loops].map((part) => part.stop());
    await Promise.all([...ended, this.#within(this.#presence.stop(), 1_000, false)]);
    this.#state = "stopped";
    return escalated ? "escalated" : "clean";
  }

  /** A claim whose answer was lost may have given us records: ask once more, and give them back. */
  async #recoverClaim(): Promise<void> {
    if (!this.#claims.uncertain) return;
    try {
      const { records, sent, granted } = await this.#claims.recover();
      records.forEach((record, at) => {
        this.#take(record, sent, granted[at] ?? 0);
      });
    } catch (error) {
      this.#parts.runtime.logger.warn("a claim's outcome is unknown; its leases will lapse", {
        worker: this.id,
        error,
      });
    }
  }

  async #abortAll(wait: Millis): Promise<void> {
    for (const attempt of this.#slots.running) {
      attempt.abort(new SiderealError("SHUTDOWN", `Worker ${this.id} stops while task ${attempt.id} runs`));
    }
    if (await this.#within(this.#slots.drained(), wait, false)) return;
    for (const attempt of [...this.#slots.running]) {
      this.#parts.runtime.logger.error("a task ignores the shutdown and is abandoned", {
        task: attempt.taskName,
        id: attempt.id,
      });
      attempt.abandon();
      this.#slots.end(attempt);
      this.#awaitReport(attempt);
    }
  }

  /** Waits for something, but at most so long, or until a stop is forced; true if it came. */
  async #within(awaited: Promise<void>, wait: Millis, forcible: boolean): Promise<boolean> {
    let cancel: Cancel = () => {};
    const over = new Promise<false>((resolve) => {
      cancel = this.#parts.runtime.clock.after(wait, () => resolve(false));
      if (!forcible) return;
      this.#force = () => resolve(false);
      if (this.#forced) resolve(false);
    });
    const came = await Promise.race([awaited.then(() => true as const), over]);
    cancel();
    return came;
  }

  #stuck(attempt: Attempt): void {
    const { clock, logger } = this.#parts.runtime;
    this.#slots.markStuck(attempt, clock.wall());
    logger.error("a task ignores its signal and is stuck", {
      task: attempt.taskName,
      id: attempt.id,
      asked: attempt.aborted?.code,
    });
  }

  #hear(hint: Hint): void {
    if (hint.about === "work") this.#rest.wake();
    else if (hint.about === "any") this.#rest.nudge();
    if (hint.about === "cancel" || hint.about === "any") void this.#cancels.look();
  }
}
