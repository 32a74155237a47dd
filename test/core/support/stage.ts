/** One store, memory by default, under a virtual clock, with services and workers on it; every task is taken back after the test. */
import { after, type TestContext } from "node:test";
import { memory } from "../../../src/backends/memory/index.ts";
import type { Logger } from "../../../src/contracts/clock.ts";
import type { QueueBackend } from "../../../src/contracts/queue-backend.ts";
import type { QueueConfig, WorkerConfig } from "../../../src/core/config.ts";
import { registry } from "../../../src/core/registry.ts";
import { task } from "../../../src/core/task.ts";
import type { Task, TaskHandler, TaskOptions } from "../../../src/core/vocabulary.ts";
import type { TaskRecord } from "../../../src/model/record.ts";
import { QueueService, Worker } from "../../../src/sidereal.ts";
import { type FaultPlan, faulty } from "../../../src/testing/faulty.ts";
import { seededRandom } from "../../../src/testing/seeded-random.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

/** A line that the package wrote about itself. */
export interface LogEntry {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export class Stage {
  readonly clock: VirtualClock = new VirtualClock();
  readonly store: QueueBackend;
  readonly logs: LogEntry[] = [];
  readonly #closing: (() => Promise<unknown>)[] = [];
  readonly #tasks: string[] = [];
  #seed = 1;
  #named = 0;

  constructor(t: TestContext, store: (clock: VirtualClock) => QueueBackend = (clock) => memory({ clock })) {
    this.store = store(this.clock);
    t.after(() => this.#close());
  }

  get logger(): Logger {
    const write =
      (level: string) =>
      (message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
        this.logs.push({ level, message, fields });
      };
    return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  }

  /** An open service; its calls pass through `plan`'s faults. */
  async service(config: Omit<QueueConfig, "queueBackend"> = {}, plan: FaultPlan = {}): Promise<QueueService> {
    this.#seed += 1;
    const queueBackend = faulty(this.store, { clock: this.clock, keepOpen: true, ...plan });
    const { clock, logger } = this;
    const service = new QueueService({ ...config, queueBackend }, { clock, logger, random: seededRandom(this.#seed) });
    this.#closing.push(() => service.close());
    return this.clock.runUntil(service.open());
  }

  /** A started worker with a service of its own, so that nothing but the store joins it with others. */
  async worker(
    config: WorkerConfig = {},
    plan: FaultPlan = {},
    more: Omit<QueueConfig, "queueBackend" | "worker"> = {},
  ): Promise<Worker> {
    const worker = new Worker(await this.service({ ...more, worker: config }, plan));
    this.#closing.push(() => worker.stop({ force: true }));
    return worker.start();
  }

  /** Defines a task for this test alone. */
  task<Input = void, Output = unknown>(
    handler: TaskHandler<Input, Output>,
    options: TaskOptions<Input> = {},
  ): Task<Input, Awaited<Output>> {
    this.#named += 1;
    const name = `stage.${this.#named}`;
    this.#tasks.push(name);
    registry.remove(name);
    return task<Input, Output>(name, options as TaskOptions<Input> & { readonly input?: never }, handler);
  }

  async record(id: string): Promise<TaskRecord> {
    const [record] = await this.store.find({ by: "id", ids: [id] });
    if (record === undefined) throw new Error(`no record ${id}`);
    return record;
  }

  /** Lets time pass until something holds; fails after `most` virtual milliseconds. */
  async until(what: string, holds: () => boolean | Promise<boolean>, most = 600_000): Promise<void> {
    const end = this.clock.mono() + most;
    await this.clock.settle();
    while (!(await holds())) {
      if (this.clock.mono() >= end) throw new Error(`${what}: not within ${most} ms of virtual time`);
      if (!(await this.clock.step())) throw new Error(`${what}: nothing is left to wait for`);
    }
  }

  async ended(id: string, most?: number): Promise<TaskRecord> {
    await this.until(
      `task ${id} has ended`,
      async () => ["completed", "failed", "cancelled"].includes((await this.record(id)).state),
      most,
    );
    return this.record(id);
  }

  async #close(): Promise<void> {
    for (const close of this.#closing.reverse()) await this.clock.runUntil(close());
    await this.store.close();
    for (const name of this.#tasks) registry.remove(name);
  }
}

/** A promise with its ends in the hand. */
export function gate<T = void>(): { readonly promise: Promise<T>; readonly open: (value: T) => void } {
  let open: (value: T) => void = () => {};
  const promise = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}

/** Collects what escapes; the file fails if anything did. */
const escaped: unknown[] = [];
process.on("unhandledRejection", (error) => escaped.push(error));
after(() => {
  if (escaped.length > 0) throw new Error(`unhandled rejections: ${escaped.map(String).join("; ")}`);
});
