/** The composition root: joins the core with the default store and the process' real clock, randomness and modules. */

import { memory } from "./backends/memory/index.ts";
import type { Runtime } from "./contracts/clock.ts";
import type { QueueBackend } from "./contracts/queue-backend.ts";
import { type QueueConfig, resolveConfig, type Settings } from "./core/config.ts";
import { type DiscoverOptions, discover, loadTaskModules } from "./core/modules.ts";
import { registry } from "./core/registry.ts";
import { CoreService } from "./core/service.ts";
import type { WorkerHealth } from "./core/vitals.ts";
import { CoreWorker, type StopOutcome } from "./core/worker.ts";
import { systemClock } from "./host/clock.ts";
import { stderrLogger } from "./host/logger.ts";
import { importModule } from "./host/modules.ts";
import { processPlace, workerName } from "./host/process.ts";
import { systemRandom } from "./host/random.ts";
import { hasCode, SiderealError } from "./model/errors.ts";

/** Replaces parts of the outside world; for tests. */
export type RuntimeOverrides = Partial<Runtime>;

/** The producer and operator API over one store. Open it before use; close it when done. */
export class QueueService<Tx = never> extends CoreService<Tx> {
  /** @throws CONFIG_INVALID, CONFIG_CONFLICT, DURATION_INVALID, NAME_INVALID */
  constructor(config: QueueConfig<Tx> = {}, overrides: RuntimeOverrides = {}) {
    const settings = resolveConfig(config);
    const { clock = systemClock, random = systemRandom, logger = config.logger ?? stderrLogger() } = overrides;
    const { queueBackend = "memory" } = config;
    const backend = (queueBackend === "memory" ? memory({ clock }) : queueBackend) as QueueBackend<Tx>;
    super({ settings, backend, runtime: { clock, random, logger }, registry, before: () => this.loadTasks() });
  }

  /** Imports the modules that the setting `taskModules` names; `open` does it first. @throws TASK_MODULE_…, TASK_DUPLICATE */
  async loadTasks(): Promise<void> {
    await loadTaskModules(this.settings.taskModules, process.cwd(), importModule);
  }

  /** The configuration with defaults filled in; durations in milliseconds. */
  get settings(): Settings {
    return this.parts.settings;
  }
}

/** Claims and runs tasks. Give it a configuration, and it has a service of its own; or a service, which it shares. */
export class Worker {
  readonly service: QueueService<unknown>;
  readonly #owns: boolean;
  readonly #core: CoreWorker;

  /** @throws CONFIG_INVALID, WORKER_INVALID (the `immediate` execution backend leaves nothing to claim), … */
  constructor(
    from: QueueService<never> | QueueService<unknown> | QueueConfig<unknown> = {},
    overrides: RuntimeOverrides = {},
  ) {
    this.#owns = !(from instanceof CoreService);
    this.service = (from instanceof CoreService ? from : new QueueService(from, overrides)) as QueueService<unknown>;
    this.#core = new CoreWorker(this.service.parts, workerName(this.service.parts.ids.token()), processPlace());
  }

  /** Worker id: host, process and a random part. */
  get id(): string {
    return this.#core.id;
  }

  /** Opens the service where the worker has its own, initialises schedules, and begins to claim. @throws STORE_…, SCHEDULE_INVALID, NOT_OPEN, WORKER_STARTED */
  async start(): Promise<this> {
    const { state } = this.status();
    if (state !== "new") throw new SiderealError("WORKER_STARTED", `Worker ${this.id} is ${state}`);
    if (this.#owns) await this.service.open();
    else if (!this.service.isOpen)
      throw new SiderealError("NOT_OPEN", "The worker's queue service has not been opened");
    try {
      await this.#core.start();
    } catch (error) {
      if (this.#owns && !hasCode(error, "WORKER_STARTED")) await this.service.close();
      throw error;
    }
    return this;
  }

  /**
   * Stops claiming, lets running attempts end within `gracefulShutdownTimeout`, aborts the rest; `force` aborts at once.
   * @returns `escalated` when attempts had to be aborted
   */
  async stop(options: { readonly force?: boolean } = {}): Promise<StopOutcome> {
    const outcome = await this.#core.stop(options);
    if (this.#owns) await this.service.close();
    return outcome;
  }

  /** What the worker is doing, and whether it can reach its store. */
  status(): ReturnType<CoreWorker["status"]> {
    return this.#core.status();
  }

  /** How the worker is, for a health check: whether a claim was answered lately, event-loop blocks, stuck handlers. */
  health(): WorkerHealth {
    return this.#core.health();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/**
 * Imports every module below `root` whose path below the root has a folder named `subfolder`; TypeScript and
 * JavaScript, without declaration and test files.
 * @returns the sorted names of all registered tasks
 * @throws TASK_MODULE_MISSING when `root` does not exist or is a file; TASK_MODULE_FAILED; TASK_DUPLICATE
 */
export function discoverTasks(root: string, options: DiscoverOptions = {}): Promise<readonly string[]> {
  return discover(root, options, importModule);
}

/** The names of all tasks that this process has registered so far, sorted. */
export function registeredTasks(): readonly string[] {
  return registry.names();
}
