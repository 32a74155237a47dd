/** One start/stop discipline for everything that repeats: a pass, a jittered pause, another pass, until stopped. */
import type { Cancel, Runtime } from "../contracts/clock.ts";
import type { Millis } from "../model/record.ts";

export interface LoopOptions {
  /** For log lines. */
  readonly name: string;
  /** Pause between two passes, spread over ±20 %. */
  readonly every: Millis;
  /** Asked for each pause instead of `every`, where the length of the next one depends; taken as it is. */
  readonly rest?: () => Millis;
  /** One pass; it may end early by looking at nothing but its own bounds. An error is logged, and the loop goes on. */
  readonly pass: () => Promise<unknown>;
}

export class Loop {
  readonly #runtime: Runtime;
  readonly #options: LoopOptions;
  #cancel: Cancel | null = null;
  #pass: Promise<void> | null = null;
  #stopped = true;

  constructor(runtime: Runtime, options: LoopOptions) {
    this.#runtime = runtime;
    this.#options = options;
  }

  /** Begins with a pause; starting twice is harmless. */
  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#rest();
  }

  /** Ends after the pass under way; stopping twice, or before the start, is harmless. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel?.();
    await this.#pass;
  }

  #rest(): void {
    const { clock, random } = this.#runtime;
    const wait = this.#options.rest?.() ?? this.#options.every * (0.8 + random.next() * 0.4);
    this.#cancel = clock.after(wait, () => {
      this.#pass = this.#run();
    });
  }

  async #run(): Promise<void> {
    try {
      await this.#options.pass();
    } catch (error) {
      this.#runtime.logger.warn(`${this.#options.name} failed and will be tried again`, { error });
    }
    if (!this.#stopped) this.#rest();
  }
}
