/** Keeps a worker process alive beside the server: starts it, starts it again with back-off when it dies, drains it at the end. */
import { type Cancel, type Millis, SiderealError, type StopOutcome, type WorkerHealth } from "../index.ts";
import {
  type Command,
  describeExit,
  HEALTH_WAIT,
  type Patience,
  type Surroundings,
  WorkerProcess,
} from "./worker-process.ts";

export interface ChildWorkerOptions extends Surroundings {
  readonly command: Command;
  /** How long one start may take until the worker claims. */
  readonly startDeadline: Millis;
  readonly patience: Patience;
}

export interface ChildWorkerStatus {
  /** `child` and the process id; `child` alone while there is no process. */
  readonly id: string;
  readonly state: "new" | "starting" | "running" | "restarting" | "stopping" | "stopped";
  /** Whether a process lives that has said it claims. */
  readonly ready: boolean;
  readonly pid: number | null;
  /** How many processes had to be started because one before them died. */
  readonly restarts: number;
}

/** How a worker process is. */
export interface ChildWorkerHealth extends ChildWorkerStatus {
  /** Whether it runs, answers, and its worker is healthy. */
  readonly healthy: boolean;
  /** Why it is not healthy, one sentence each; empty where it is. */
  readonly reasons: readonly string[];
  /** What it said itself; null where it said nothing. */
  readonly worker: WorkerHealth | null;
}

const FIRST_PAUSE: Millis = 1_000;
const LONGEST_PAUSE: Millis = 30_000;
/** A process that lived so long was healthy: the next pause is short again. */
const HEALTHY: Millis = 60_000;

export class ChildWorker {
  readonly #options: ChildWorkerOptions;
  #state: ChildWorkerStatus["state"] = "new";
  #process: WorkerProcess | null = null;
  #pause: Millis = FIRST_PAUSE;
  #restarts = 0;
  #cancelRestart: Cancel = () => {};
  #stopping: Promise<StopOutcome> | null = null;

  constructor(options: ChildWorkerOptions) {
    this.#options = options;
  }

  get id(): string {
    return this.#process?.pid == null ? "child" : `child-${this.#process.pid}`;
  }

  /** Starts the process and resolves when it claims. @throws WORKER_FAILED, WORKER_STARTED */
  async start(): Promise<this> {
    if (this.#state !== "new") throw new SiderealError("WORKER_STARTED", `The worker process is ${this.#state}`);
    this.#state = "starting";
    try {
      await this.#launch();
    } catch (error) {
      if (this.#stopping === null) this.#state = "stopped";
      throw error;
    }
    return this;
  }

  /**
   * Lets the process drain and ends it when it does not; `force` aborts what it runs at once. Calling it again gives the
   * same outcome.
   * @returns `escalated` when attempts had to be aborted or the process had to be ended
   */
  async stop(options: { readonly force?: boolean } = {}): Promise<StopOutcome> {
    const { force = false } = options;
    const isFirst = this.#stopping === null;
    this.#stopping ??= this.#stop(force);
    if (!isFirst && force && this.#state === "stopping") await this.#process?.stop(this.#options.patience, true);
    return this.#stopping;
  }

  status(): ChildWorkerStatus {
    const isLive = this.#state === "running" || this.#state === "stopping";
    return {
      id: this.id,
      state: this.#state,
      ready: this.#state === "running" && this.#process?.isReady === true,
      pid: isLive || this.#state === "starting" ? (this.#process?.pid ?? null) : null,
      restarts: this.#restarts,
    };
  }

  /** How the process is, as it says itself within two seconds. Never rejects. */
  async health(): Promise<ChildWorkerHealth> {
    const worker = this.#state === "running" ? ((await this.#process?.health()) ?? null) : null;
    const status = this.status();
    if (worker !== null) return { ...status, healthy: worker.healthy, reasons: worker.reasons, worker };
    const reason = status.state === "running" ? `did not say within ${HEALTH_WAIT} ms how it is` : `is ${status.state}`;
    return { ...status, healthy: false, reasons: [`the worker process ${reason}`], worker };
  }

  async #launch(): Promise<void> {
    const { command, startDeadline, clock, logger } = this.#options;
    const process = new WorkerProcess(command, startDeadline, this.#options);
    this.#process = process;
    void process.gone.then(() => {
      this.#process = null;
    });
    await process.ready;
    if (this.#stopping !== null) return;
    this.#state = "running";
    logger.info("the worker process is ready", { worker: process.pid });
    const begun = clock.mono();
    void process.gone.then((exit) => {
      if (this.#stopping !== null) return;
      if (clock.mono() - begun >= HEALTHY) this.#pause = FIRST_PAUSE;
      logger.error("the worker process died and will be started again", {
        worker: process.pid,
        exit: describeExit(exit),
        inMs: this.#pause,
      });
      this.#restartLater();
    });
  }

  #restartLater(): void {
    this.#state = "restarting";
    this.#cancelRestart = this.#options.clock.after(this.#pause, () => void this.#restart());
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
  }

  async #restart(): Promise<void> {
    this.#restarts += 1;
    try {
      await this.#launch();
    } catch (error) {
      if (this.#stopping !== null) return;
      this.#options.logger.error("the worker process could not be started again", { error, inMs: this.#pause });
      this.#restartLater();
    }
  }

  async #stop(force: boolean): Promise<StopOutcome> {
    const process = this.#process;
    const hadWork = process?.isReady === true;
    this.#state = "stopping";
    this.#cancelRestart();
    const exit = await process?.stop(this.#options.patience, force);
    this.#state = "stopped";
    return hadWork && exit?.code !== 0 ? "escalated" : "clean";
  }
}
