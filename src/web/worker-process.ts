/** One life of a worker process: started, ready or failed, asked to stop, ended. It is never used twice. */
import type { systemSpawner } from "../host/spawn.ts";
import { type Cancel, type Clock, type Logger, type Millis, SiderealError, type WorkerHealth } from "../index.ts";
import { readLine, withoutSecrets } from "./lines.ts";

/** Starts processes; `contracts/spawn.ts` says how. */
export type Spawner = typeof systemSpawner;
export type Command = Parameters<Spawner["spawn"]>[0];
type Exit = Parameters<Parameters<Spawner["spawn"]>[1]["exit"]>[0];

/** What a worker process needs of the outside. */
export interface Surroundings {
  readonly spawner: Spawner;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How long each step of a stop may take. */
export interface Patience {
  /** The whole of the worker's own drain. */
  readonly drain: Millis;
  /** What is left of it once it is forced. */
  readonly forced: Millis;
}

/** What it says of its start. */
type News = "ready" | "failed";

interface Failure {
  readonly stage: string;
  readonly message: string;
}

const SHOWN_LINES = 8;
const LONGEST_SHOWN = 400;
const SIGNAL_WAIT: Millis = 5_000;
const LAST_WORDS_WAIT: Millis = 1_000;
/** How long it may take to say how it is. */
export const HEALTH_WAIT: Millis = 2_000;

export class WorkerProcess {
  readonly pid: number | null;
  /** Resolves when it claims. @throws WORKER_FAILED when it cannot start, or not within the deadline */
  readonly ready: Promise<void>;
  /** Resolves, always, when the process is gone. */
  readonly gone: Promise<Exit>;
  readonly #command: Command;
  readonly #child: ReturnType<Spawner["spawn"]>;
  readonly #surroundings: Surroundings;
  readonly #lines: string[] = [];
  #isReady = false;
  #failure: Failure | null = null;
  #late: Millis | null = null;
  #asking: Promise<WorkerHealth | null> | null = null;
  #answer: (health: WorkerHealth) => void = () => {};

  constructor(command: Command, deadline: Millis, surroundings: Surroundings) {
    this.#command = command;
    this.#surroundings = surroundings;
    let exited: (exit: Exit) => void = () => {};
    let say: (news: News) => void = () => {};
    this.gone = new Promise((resolve) => {
      exited = resolve;
    });
    const said = new Promise<News>((resolve) => {
      say = resolve;
    });
    this.#child = surroundings.spawner.spawn(command, {
      message: (message) => this.#hear(message, say),
      line: (line) => this.#log(line),
      exit: exited,
    });
    this.pid = this.#child.pid ?? null;
    this.ready = this.#begin(said, deadline);
  }

  /** Whether it claims, as far as it has said. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Asks it how it is; null when it does not say so in time. Calls at once share one question. */
  health(): Promise<WorkerHealth | null> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #ask(): Promise<WorkerHealth | null> {
    let cancel: Cancel = () => {};
    const answer = new Promise<WorkerHealth | null>((resolve) => {
      this.#answer = resolve;
      cancel = this.#surroundings.clock.after(HEALTH_WAIT, () => resolve(null));
      void this.gone.then(() => resolve(null));
    });
    this.#child.send({ type: "health" });
    const health = await answer;
    cancel();
    return health;
  }

  /**
   * Asks it to drain, then signals it, then kills it; resolves when it is gone. One that is not ready has nothing to
   * drain and is signalled at once. A second call, with `force`, shortens the first.
   */
  async stop(patience: Patience, force: boolean): Promise<Exit> {
    if (this.#isReady) {
      this.#child.send({ type: "stop", ...(force && { force: true }) });
      if (await this.#goneWithin(force ? patience.forced : patience.drain)) return this.gone;
    }
    return this.#end();
  }

  async #end(): Promise<Exit> {
    this.#child.kill("SIGTERM");
    if (!(await this.#goneWithin(SIGNAL_WAIT))) this.#child.kill("SIGKILL");
    return this.gone;
  }

  async #begin(said: Promise<News>, deadline: Millis): Promise<void> {
    let cancel: Cancel = () => {};
    const late = new Promise<"late">((resolve) => {
      cancel = this.#surroundings.clock.after(deadline, () => resolve("late"));
    });
    const first = await Promise.race([said, this.gone, late]);
    cancel();
    if (first === "ready") return;
    if (first === "late") this.#late = deadline;
    // There is nothing to drain yet, and the framework's own deadline is near.
    if (first === "late" || !(await this.#goneWithin(LAST_WORDS_WAIT))) this.#child.kill("SIGKILL");
    throw this.#startError(await this.gone);
  }

  /** Anything may come through the channel, for example from a tool that watches files. */
  #hear(message: unknown, say: (news: News) => void): void {
    if (typeof message !== "object" || message === null) return;
    const { type, stage, message: text, health } = message as Readonly<Record<string, unknown>>;
    if (type === "health" && isHealth(health)) this.#answer(health);
    if (type !== "ready" && type !== "failed") return;
    if (type === "ready") this.#isReady = true;
    else this.#failure ??= { stage: shown(stage), message: withoutSecrets(shown(text)) };
    say(type);
  }

  #log(line: string): void {
    const { level, text } = readLine(line);
    this.#surroundings.logger[level](text, { worker: this.pid });
    this.#lines.push(shown(text));
    if (this.#lines.length > SHOWN_LINES) this.#lines.shift();
  }

  #startError(exit: Exit): SiderealError {
    const { args } = this.#command;
    const command = `sidereal ${args.slice(args.indexOf("run")).join(" ")}`;
    const last = this.#lines.map((line) => `\n  ${line}`).join("");
    const output = last === "" ? "" : `. The last it wrote:${last}\n(end of its output)`;
    const options = exit.error === undefined ? {} : { cause: exit.error };
    return new SiderealError("WORKER_FAILED", `The worker process (${command}) ${this.#why(exit)}${output}`, options);
  }

  #why(exit: Exit): string {
    if (exit.error !== undefined) return `could not be started: ${exit.error.message}`;
    if (this.#failure !== null) return `failed at the stage ${this.#failure.stage}: ${this.#failure.message}`;
    if (this.#late !== null) return `was not ready within ${this.#late} ms and was ended`;
    return `ended before it was ready (${describeExit(exit)})`;
  }

  async #goneWithin(wait: Millis): Promise<boolean> {
    let cancel: Cancel = () => {};
    const over = new Promise<false>((resolve) => {
      cancel = this.#surroundings.clock.after(wait, () => resolve(false));
    });
    const came = await Promise.race([this.gone.then(() => true as const), over]);
    cancel();
    return came;
  }
}

function isHealth(value: unknown): value is WorkerHealth {
  const { healthy, reasons } = (value ?? {}) as Partial<WorkerHealth>;
  return typeof healthy === "boolean" && Array.isArray(reasons) && reasons.every((one) => typeof one === "string");
}

/** For a log line: `exit code 1`, `signal SIGKILL`. */
export function describeExit({ code, signal }: Exit): string {
  return signal === null ? `exit code ${code ?? "unknown"}` : `signal ${signal}`;
}

function shown(value: unknown): string {
  const text = typeof value === "string" ? value : "unknown";
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text;
}
