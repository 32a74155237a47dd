/** A queue for one test: in memory, on a clock that stands still, with seeded randomness and a log to look at. */
import { memory } from "../backends/memory/index.ts";
import type { Logger, Random } from "../contracts/clock.ts";
import type { QueueBackend } from "../contracts/queue-backend.ts";
import type { QueueConfig, WorkerConfig } from "../core/config.ts";
import { QueueService, Worker } from "../sidereal.ts";
import { type DrainOptions, type DrainReport, drain } from "./drain.ts";
import { seededRandom } from "./seeded-random.ts";
import { VirtualClock } from "./virtual-clock.ts";

/** One line that the package wrote about itself. */
export interface CollectedLog {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface TestQueueOptions extends Omit<QueueConfig, "queueBackend" | "executionBackend" | "logger"> {
  /** Run each task inside its own `enqueue`, which then returns a finished handle; default false. */
  readonly inline?: boolean;
  /** Seed of ids, jitter and whatever else is drawn; default 1. */
  readonly seed?: number;
  /** The wall clock at first; default 2030-01-01T00:00:00Z. */
  readonly startAt?: Date | number;
  /** The store, given the virtual clock; default a memory store. */
  readonly backend?: (clock: VirtualClock) => QueueBackend;
  readonly worker?: WorkerConfig;
}

/** A queue service whose time, randomness and log belong to the test. */
export class TestQueue extends QueueService {
  readonly clock: VirtualClock;
  readonly random: Random;
  /** Everything logged so far, of all levels. */
  readonly logs: readonly CollectedLog[];
  readonly #workers: Worker[] = [];

  constructor(options: TestQueueOptions = {}) {
    const { inline = false, seed = 1, startAt, backend = (clock) => memory({ clock }), ...config } = options;
    const clock = new VirtualClock(startAt === undefined ? {} : { startAt });
    const random = seededRandom(seed);
    const logs: CollectedLog[] = [];
    super(
      { ...config, queueBackend: backend(clock), executionBackend: inline ? "immediate" : "local" },
      { clock, random, logger: collecting(logs) },
    );
    this.clock = clock;
    this.random = random;
    this.logs = logs;
  }

  /** A started worker of this queue. It works while the test awaits something; its polls and renewals need `clock.advance`. */
  async worker(): Promise<Worker> {
    const worker = await new Worker(this).start();
    this.#workers.push(worker);
    return worker;
  }

  /** As the function `drain`. */
  drain(options?: DrainOptions): Promise<DrainReport> {
    return drain(this, options);
  }

  /** Aborts what the queue's workers still run, and closes the store. */
  override async close(): Promise<void> {
    const stopping = Promise.all(this.#workers.map((worker) => worker.stop({ force: true })));
    await this.clock.runUntil(stopping);
    await super.close();
  }
}

/** A queue for one test, opened. Close it, or declare it with `await using`. @throws CONFIG_INVALID, … */
export async function createTestQueue(options: TestQueueOptions = {}): Promise<TestQueue> {
  return new TestQueue(options).open();
}

function collecting(logs: CollectedLog[]): Logger {
  const write =
    (level: CollectedLog["level"]) =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
      logs.push({ level, message, fields });
    };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}
