/**
 * Draining: a real worker runs everything that is due, and the call returns when nothing is left. It waits for writes
 * of the store, never for time; on a virtual clock it moves time itself where only time can help.
 */

import type { Change } from "../contracts/queue-backend.ts";
import type { Hint, Signals } from "../contracts/signals.ts";
import { PAUSES, pausedQueue } from "../core/pauses.ts";
import type { CoreService } from "../core/service.ts";
import { systemClock } from "../host/clock.ts";
import { type Duration, parseDuration } from "../model/duration.ts";
import { SiderealError } from "../model/errors.ts";
import type { Millis, TaskRecord } from "../model/record.ts";
import { QueueService, Worker } from "../sidereal.ts";
import { intercepted, type StoreCall } from "./intercept.ts";
import { allRecords, described } from "./records.ts";
import { VirtualClock } from "./virtual-clock.ts";

export interface DrainOptions {
  /** Also run what is scheduled for later, retries included, moving a virtual clock there or waiting; default false. */
  readonly withScheduled?: boolean;
  /** Most attempts; default 1,000. A task that enqueues or snoozes itself for ever ends here. */
  readonly limit?: number;
  /** Most real time; default 10 s. */
  readonly timeout?: Duration;
}

/** Any queue service, whatever transactions it joins. */
export type Drained = Pick<CoreService<never>, "parts" | "isOpen">;

/** How the attempts of a drain ended. */
export interface DrainReport {
  /** Attempts begun. */
  attempts: number;
  completed: number;
  failed: number;
  cancelled: number;
  /** Failed attempts whose record waits for another. */
  retried: number;
  /** Snoozed or handed back. */
  released: number;
}

interface Left {
  readonly due: readonly TaskRecord[];
  readonly running: readonly TaskRecord[];
  readonly scheduled: readonly TaskRecord[];
  readonly unservable: readonly TaskRecord[];
}

/**
 * Runs everything that is due until nothing is left; what lies in a paused queue is left alone.
 * @param service - Any open queue service; its own workers may run meanwhile.
 * @throws ASSERTION_FAILED when `limit` or `timeout` is reached, or when something is due that no task here can run; the
 * message lists what is left. NOT_OPEN.
 */
export async function drain(service: Drained, options: DrainOptions = {}): Promise<DrainReport> {
  if (!service.isOpen) throw new SiderealError("NOT_OPEN", "drain: the queue service has not been opened");
  return new Drain(service, options).run();
}

class Drain {
  readonly #service: Drained;
  readonly #withScheduled: boolean;
  readonly #limit: number;
  readonly #timeout: Millis;
  readonly #listeners = new Set<(hint: Hint) => void>();
  readonly #report: DrainReport = { attempts: 0, completed: 0, failed: 0, cancelled: 0, retried: 0, released: 0 };
  #written = 0;
  #underWay = 0;
  #wake: (() => void) | null = null;
  #late = false;

  constructor(service: Drained, options: DrainOptions) {
    this.#service = service;
    this.#withScheduled = options.withScheduled ?? false;
    this.#limit = options.limit ?? 1_000;
    this.#timeout = parseDuration(options.timeout ?? "10s", "drain: timeout");
  }

  async run(): Promise<DrainReport> {
    const cancel = systemClock.after(this.#timeout, () => {
      this.#late = true;
      this.#wake?.();
    });
    try {
      while (await this.#round());
      return this.#report;
    } finally {
      cancel();
    }
  }

  /** Everything that is due now, with a worker of its own; then on to what comes next. @returns whether to go on */
  async #round(): Promise<boolean> {
    let left = await this.#look();
    if (left.due.length + left.running.length > 0) {
      const worker = await this.#worker();
      try {
        left = await this.#work(worker, left);
      } finally {
        await this.#moving(worker.stop({ force: true }));
      }
    }
    const [next] = [...left.scheduled].sort((a, b) => a.readyAt - b.readyAt);
    if (!this.#withScheduled || next === undefined) return false;
    await this.#passUntil(next.readyAt);
    return true;
  }

  async #work(worker: Worker, first: Left): Promise<Left> {
    let left = first;
    while (left.due.length + left.running.length > 0) {
      if (this.#report.attempts > this.#limit) throw this.#gaveUp(`more than ${this.#limit} attempts`, left);
      const seen = this.#written;
      for (const listener of this.#listeners) listener({ about: "work" });
      await this.#change(worker, seen);
      if (this.#late) throw this.#gaveUp(`not done within ${this.#timeout} ms`, await this.#look());
      left = await this.#look();
    }
    return left;
  }

  /** Resolves when the store was written to since `seen`, or at the deadline. */
  async #change(worker: Worker, seen: number): Promise<void> {
    const { clock } = this.#service.parts.runtime;
    if (clock instanceof VirtualClock) {
      await clock.settle();
      // Nothing runs here, or a call to the store waits: only time can help (a delayed answer, a lease to run out).
      const waits = (): boolean => worker.status().running === 0 || this.#underWay > 0;
      await clock.runWhile(() => this.#written === seen && !this.#late && waits());
    }
    if (this.#written !== seen || this.#late) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = null;
  }

  async #passUntil(instant: Millis): Promise<void> {
    const { calls, runtime } = this.#service.parts;
    const wait = Math.max(0, instant - (await calls.now()));
    if (runtime.clock instanceof VirtualClock) return runtime.clock.advance(wait);
    if (this.#late) throw this.#gaveUp(`not done within ${this.#timeout} ms`, await this.#look());
    await new Promise<void>((resolve) => {
      const cancel = runtime.clock.after(wait, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
    this.#wake = null;
  }

  /** Waits, and lets virtual time pass if that is what it takes. */
  async #moving<T>(promise: Promise<T>): Promise<T> {
    const { clock } = this.#service.parts.runtime;
    return clock instanceof VirtualClock ? clock.runUntil(promise) : promise;
  }

  /** A worker like the service's own, over a door that counts what is written. */
  async #worker(): Promise<Worker> {
    const { backend, settings, runtime } = this.#service.parts;
    const own = backend.signals;
    const signals: Signals = {
      subscribe: (listener) => {
        this.#listeners.add(listener);
        const cancel = own?.subscribe(listener);
        return () => {
          this.#listeners.delete(listener);
          cancel?.();
        };
      },
    };
    const door = intercepted(backend, (call, send) => this.#observe(call, send), { signals, keepOpen: true });
    const { namespace, worker } = settings;
    const service = new QueueService({ queueBackend: door, namespace, worker, initializeSchedules: false }, runtime);
    return new Worker(await service.open()).start();
  }

  async #observe<T>(call: StoreCall, send: () => Promise<T>): Promise<T> {
    // A drain that is over its limit begins nothing further.
    if (call.method === "claim" && this.#report.attempts > this.#limit) return [] as T;
    this.#underWay += 1;
    const answer = await send().finally(() => {
      this.#underWay -= 1;
    });
    if (call.method === "apply") this.#count(call.args[0] as readonly Change[], answer as readonly boolean[]);
    const claimed = call.method === "claim" ? (answer as readonly unknown[]).length : 0;
    this.#report.attempts += claimed;
    if (call.method === "apply" || claimed > 0) {
      this.#written += 1;
      this.#wake?.();
    }
    return answer;
  }

  #count(changes: readonly Change[], applied: readonly boolean[]): void {
    for (const [index, { from, to }] of changes.entries()) {
      if (!applied[index] || to === null || from.state !== "running") continue;
      if (to.state === "completed" || to.state === "failed" || to.state === "cancelled") this.#report[to.state] += 1;
      else if (to.state === "pending" && to.attempt < from.attempt) this.#report.attempts -= 1;
      else if (to.state === "pending" && to.failures > from.failures) this.#report.retried += 1;
      else if (to.state === "pending") this.#report.released += 1;
    }
  }

  async #look(): Promise<Left> {
    const { calls, settings, registry } = this.#service.parts;
    const live = await allRecords(calls, { states: ["pending", "running", "dispatched"] });
    const now = await calls.now();
    const { queues } = settings.worker;
    const paused = new Set((await calls.held(PAUSES)).map(pausedQueue));
    const own = live.filter(({ queue }) => queues.length === 0 || queues.includes(queue));
    const pending = own.filter(({ state, queue }) => state === "pending" && !paused.has(queue));
    const due = pending.filter(({ readyAt }) => readyAt <= now);
    const left: Left = {
      due,
      running: own.filter(({ state }) => state !== "pending"),
      scheduled: pending.filter(({ readyAt }) => readyAt > now),
      unservable: due.filter(({ taskName, execution }) => !registry.get(taskName) || execution !== "local"),
    };
    if (left.unservable.length > 0) throw this.#gaveUp("something is due that no task here can run", left);
    return left;
  }

  #gaveUp(why: string, { due, running, scheduled }: Left): SiderealError {
    const still = [...running, ...due, ...scheduled];
    const lines = still.slice(0, 10).map((record) => `\n  ${described(record)}`);
    const sums = `${running.length} running, ${due.length} due, ${scheduled.length} scheduled`;
    const more = still.length > 10 ? `\n  … and ${still.length - 10} more` : "";
    return new SiderealError("ASSERTION_FAILED", `drain: ${why}. Left are ${sums}:${lines.join("")}${more}`);
  }
}
