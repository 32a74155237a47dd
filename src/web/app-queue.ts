/**
 * A queue inside a web application, whatever the framework: the service, its worker in this process or beside it, and
 * the order in which they start and stop. The bridges to the frameworks call it from their own hooks.
 */
import { systemClock } from "../host/clock.ts";
import { systemSpawner } from "../host/spawn.ts";
import {
  type Logger,
  type Millis,
  type QueueConfig,
  QueueService,
  type ServiceHealth,
  SiderealError,
  Worker,
  type WorkerHealth,
} from "../index.ts";
import { ChildWorker, type ChildWorkerHealth } from "./child-worker.ts";
import { workerCommand } from "./worker-command.ts";

/** A worker that an application owns: in its process, or in one beside it. Both have `id`, `status()` and `stop()`. */
export type QueueWorker = Worker | ChildWorker;

/** What a health check answers: `healthy` and `reasons`, and what is known besides. */
export type QueueHealth = WorkerHealth | ChildWorkerHealth | ServiceHealth;

type Settings = QueueService["settings"];

const START_DEADLINE: Millis = 30_000;
/** Above the worker's own limits, for the way there and back. */
const MARGIN: Millis = 1_000;

export interface AppQueueOptions {
  readonly logger: Logger;
  /** The framework gives a start no more than this; 0 or undefined: it does not mind. */
  readonly frameworkDeadline?: Millis | undefined;
  /** For a command line that only looks at the application there is no worker, whatever the configuration says. */
  readonly role: "server" | "command-line";
}

export class AppQueue {
  readonly service: QueueService<unknown>;
  /** Null where the configuration wants none in or beside this process. */
  readonly worker: QueueWorker | null;
  readonly #logger: Logger;
  #closing: Promise<void> | null = null;

  /** Opens nothing. @throws CONFIG_INVALID, CONFIG_CONFLICT, DURATION_INVALID, NAME_INVALID */
  constructor(config: QueueConfig<unknown>, options: AppQueueOptions) {
    this.#logger = options.logger;
    this.service = new QueueService(config, { logger: options.logger });
    refuseConflicts(this.service.settings, config.queueBackend);
    this.worker = options.role === "server" ? this.#makeWorker(options) : null;
  }

  /** Imports the task modules and opens the store; nothing stays open when it fails. */
  async open(): Promise<void> {
    await this.service.open();
  }

  /** Brings the schedules into the store and starts the worker; closes everything when that fails. @throws WORKER_FAILED, SCHEDULE_INVALID, … */
  async startWorker(): Promise<void> {
    try {
      // A worker of this very process does it itself.
      if (!(this.worker instanceof Worker)) await this.service.initializeSchedules();
      await this.worker?.start();
    } catch (error) {
      await this.close().catch((reason: unknown) => {
        this.#logger.error("the queue could not be closed after its worker failed to start", { error: reason });
      });
      throw error;
    }
  }

  /** How the worker is; where there is none, whether the store answers. Never rejects. */
  async health(): Promise<QueueHealth> {
    return this.worker === null ? this.service.health() : this.worker.health();
  }

  /**
   * Stops claiming, drains, hands the rest back, then closes the store; a step that fails does not keep the others from
   * being done.
   * @throws what the steps threw, after the last of them
   */
  async close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const errors: unknown[] = [];
    const step = async (name: string, work: () => Promise<unknown>): Promise<void> => {
      try {
        await work();
      } catch (error) {
        errors.push(error);
        this.#logger.error(`closing the queue: ${name} failed`, { error });
      }
    };
    if (this.worker !== null && this.worker.status().state !== "new") {
      const { worker } = this;
      await step("stopping the worker", () => worker.stop());
    }
    await step("closing the service", () => this.service.close());
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, "The queue could not be closed cleanly");
  }

  #makeWorker({ frameworkDeadline = 0 }: AppQueueOptions): QueueWorker | null {
    const { inAppWorker, queueServiceKey, worker } = this.service.settings;
    if (inAppWorker === false) return null;
    if (inAppWorker === true) return new Worker(this.service);
    const { gracefulShutdownTimeout, finalCancelTimeout } = worker;
    return new ChildWorker({
      command: workerCommand(queueServiceKey),
      spawner: systemSpawner,
      clock: systemClock,
      logger: this.#logger,
      startDeadline: frameworkDeadline > 0 ? Math.min(START_DEADLINE, frameworkDeadline * 0.9) : START_DEADLINE,
      patience: {
        drain: gracefulShutdownTimeout + finalCancelTimeout + MARGIN,
        forced: finalCancelTimeout + MARGIN,
      },
    });
  }
}

/** @throws CONFIG_CONFLICT for a worker that could never find anything to do */
function refuseConflicts(
  { executionBackend, inAppWorker, queueServiceKey, queueWorkerKey }: Settings,
  store: QueueConfig<unknown>["queueBackend"] = "memory",
): void {
  if (executionBackend === "immediate" && inAppWorker !== false) {
    throw new SiderealError(
      "CONFIG_CONFLICT",
      `executionBackend is "immediate", which runs every task inside enqueue, so inAppWorker (${inAppWorker}) would find nothing to claim; set inAppWorker: false`,
    );
  }
  if (inAppWorker === "child-process" && (store === "memory" || !store.shared)) {
    const name = store === "memory" ? store : store.name;
    throw new SiderealError(
      "CONFIG_CONFLICT",
      `inAppWorker is "child-process", but the ${name} store lives in this process alone and a worker in another would never see a task; use a store that processes share, such as sqlite(path), or inAppWorker: true`,
    );
  }
  if (queueServiceKey === queueWorkerKey) {
    throw new SiderealError("CONFIG_CONFLICT", `queueServiceKey and queueWorkerKey are both ${queueServiceKey}`);
  }
}
