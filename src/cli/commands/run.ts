/** `sidereal run`: a worker of its own, until a signal or the parent stops it. */
import {
  type Duration,
  defineQueues,
  type QueueConfig,
  QueueService,
  registeredTasks,
  SiderealError,
  Worker,
  type WorkerHealth,
} from "../../index.ts";
import { say } from "../console.ts";
import { EXIT } from "../exits.ts";
import { detailOf, Fault, report, summary, uncaught, usage } from "../faults.ts";
import { Ladder, type Step } from "../ladder.ts";
import { closed, type Loaded, loadQueues, type Source } from "../load.ts";
import { listenToParent, type Stage, type Tell } from "../parent.ts";
import { storeOf } from "../store.ts";

export interface RunFlags {
  readonly queue?: readonly string[];
  readonly maxConcurrency?: string;
  readonly drainTimeout?: string;
}

type WorkerOverrides = NonNullable<QueueConfig["worker"]>;

/** Runs a worker to its end. @returns 0 after a clean drain, 1 when the worker threw, 2 when tasks were aborted */
export async function run(flags: RunFlags, source: Source): Promise<number> {
  const session = new Session();
  const ladder = new Ladder(
    (step, why) => session.climbed(step, why),
    (code, why) => {
      say(`sidereal: ${why}: leaving at once; other workers take over what still ran when its lease ends`);
      process.exit(code);
    },
  );
  ladder.listen();
  const tell = listenToParent(ladder, () => session.health());
  const crash = (error: unknown): void => session.crash(error, ladder);
  process.on("uncaughtException", crash);
  try {
    return await session.live(flags, source, ladder, tell);
  } catch (error) {
    await tell({ type: "failed", stage: session.stage, message: summary(error) });
    throw error;
  } finally {
    process.off("uncaughtException", crash);
    ladder.ignore();
  }
}

/** One run of a worker, from the loading of the application to its end. */
class Session {
  stage: Stage = "load_app";
  #worker: Worker | null = null;
  #crashed = false;

  async live(flags: RunFlags, source: Source, ladder: Ladder, tell: Tell): Promise<number> {
    const overrides = overridesOf(flags);
    // An application that hangs while it loads must not keep a stop from being heard.
    const loaded = await Promise.race([loadQueues(source), ladder.reached(1)]);
    if (loaded === undefined) return this.#crashed ? EXIT.failed : EXIT.done;
    try {
      return await this.#work(loaded, overrides, ladder, tell);
    } finally {
      await closed(loaded);
    }
  }

  /** How the worker is; null while there is none yet. */
  health(): WorkerHealth | null {
    return this.#worker?.health() ?? null;
  }

  climbed(step: Step, why: string): void {
    if (this.#worker === null) say(`sidereal: ${why}: stopping before the worker has started`);
    else if (step === 2) say(`sidereal: ${why}: aborting the tasks that still run`);
    else {
      const { running } = this.#worker.status();
      const { gracefulShutdownTimeout } = this.#worker.service.settings.worker;
      const limit = `up to ${gracefulShutdownTimeout / 1_000} s`;
      say(`sidereal: ${why}: claiming no more; ${running} running, waiting ${limit} (a second signal aborts them)`);
    }
  }

  /** Something outside any attempt threw: what runs is handed back, and the worker ends. */
  crash(error: unknown, ladder: Ladder): void {
    report(uncaught(error));
    if (this.#crashed) process.exit(EXIT.failed);
    this.#crashed = true;
    ladder.climb(2, "an uncaught error");
  }

  async #work({ config, lend }: Loaded, overrides: WorkerOverrides, ladder: Ladder, tell: Tell): Promise<number> {
    this.stage = "check_config";
    const service = new QueueService(overridden(config, overrides));
    const worker = new Worker(service);
    lend(service);
    this.stage = "open_service";
    await service.open();
    let code: number;
    try {
      await mustBeWritable(config, worker.id);
      this.stage = "start_worker";
      await worker.start();
      this.#worker = worker;
      if (ladder.step === 0) {
        announce(worker, config);
        await tell({ type: "ready", pid: process.pid });
      }
      code = await this.#untilStopped(worker, ladder);
    } catch (error) {
      await service.close().catch(() => {});
      throw error;
    }
    await service.close();
    return code;
  }

  async #untilStopped(worker: Worker, ladder: Ladder): Promise<number> {
    await ladder.reached(1);
    const stopping = worker.stop({ force: ladder.step === 2 });
    // It ends the same stop sooner; what goes wrong is told once, by the first call.
    void ladder.reached(2).then(() => worker.stop({ force: true }).catch(() => {}));
    const outcome = await stopping;
    if (this.#crashed) return EXIT.failed;
    say(`sidereal worker stopped id=${worker.id} outcome=${outcome}`);
    return outcome === "clean" ? EXIT.done : EXIT.escalated;
  }
}

/** A worker on a store that takes no writes would claim nothing for ever. Gives back what nobody holds, to find out. */
async function mustBeWritable(config: QueueConfig<unknown>, holder: string): Promise<void> {
  try {
    await storeOf(config).release?.("command-line.probe", holder);
  } catch (error) {
    // What may pass is the worker's business: it waits for its store.
    if (!(error instanceof SiderealError && error.retryable)) throw error;
  }
}

/** The line that says the worker claims; its words and their order are stable. */
function announce(worker: Worker, config: QueueConfig<unknown>): void {
  const { maxConcurrency, queues } = worker.service.settings.worker;
  const tasks = registeredTasks().length;
  const parts = [
    `id=${worker.id}`,
    `store=${storeOf(config).name}`,
    `queues=${queues.length === 0 ? "*" : queues.join(",")}`,
    `concurrency=${maxConcurrency}`,
    `tasks=${tasks}`,
  ];
  say(`sidereal worker started ${parts.join(" ")}`);
  if (tasks > 0) return;
  say("warning: NO TASK IS REGISTERED, so this worker will never claim anything");
  say("  fix    import the modules that define tasks from the application, or list them in taskModules");
}

/** The application's configuration with the flags in it, checked again as a whole. */
function overridden(config: QueueConfig<unknown>, overrides: WorkerOverrides): QueueConfig<unknown> {
  defineQueues(config);
  const store = storeOf(config);
  if (!store.shared) {
    throw refused(
      `a separate worker cannot reach the ${store.name} store: it lives inside one process`,
      "This worker would look at an empty queue for ever.",
      "Configure a store that processes share, such as sqlite(path), or let the application run its worker (inAppWorker).",
    );
  }
  if (config.executionBackend === "immediate") {
    throw refused(
      "executionBackend is immediate: tasks run inside the enqueue call, which leaves a worker nothing to claim",
      "This worker would wait for ever.",
      'Set executionBackend to "local".',
    );
  }
  const next = { ...config, worker: { ...config.worker, ...overrides } };
  if (Object.keys(overrides).length > 0) checkedFlags(() => defineQueues(next), "the flags do not fit the application");
  return next;
}

function refused(what: string, why: string, fix: string): Fault {
  return new Fault({ exit: EXIT.failed, what, why: [why], fix, code: "WORKER_INVALID" });
}

function overridesOf(flags: RunFlags): WorkerOverrides {
  const queues = flags.queue ?? [];
  checkedFlags(() => defineQueues({ worker: { queues } }), "--queue");
  return {
    ...(queues.length > 0 && { queues }),
    ...(flags.maxConcurrency !== undefined && { maxConcurrency: concurrencyOf(flags.maxConcurrency) }),
    ...(flags.drainTimeout !== undefined && { gracefulShutdownTimeout: drainTimeoutOf(flags.drainTimeout) }),
  };
}

function concurrencyOf(text: string): number {
  const value = /^\d{1,5}$/u.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= 10_000) return value;
  throw usage(`--max-concurrency is ${JSON.stringify(text)}`, "Give a whole number from 1 to 10000.");
}

/** Seconds where the text is a bare number, else a duration with its unit. */
function drainTimeoutOf(text: string): Duration {
  const timeout = (/^\d{1,9}(?:\.\d{1,6})?$/u.test(text) ? `${text}s` : text) as Duration;
  try {
    defineQueues({ worker: { gracefulShutdownTimeout: timeout } });
    return timeout;
  } catch {
    throw usage(
      `--drain-timeout is ${JSON.stringify(text)}`,
      'Give seconds (30, 0.5), or a duration ("30s", "2m"), at most 100 years.',
    );
  }
}

function checkedFlags(check: () => unknown, what: string): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof SiderealError)) throw error;
    throw usage(`${what}: ${detailOf(error)}`, error.advice, { code: error.code });
  }
}
