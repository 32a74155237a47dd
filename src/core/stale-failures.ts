/** Telling a task that a record of it failed because its workers were lost: nobody else is left to notice. */
import type { Runtime } from "../contracts/clock.ts";
import type { Millis, TaskRecord } from "../model/record.ts";
import type { Settings } from "./config.ts";
import { describeFailure } from "./failure.ts";
import type { TaskRegistry } from "./registry.ts";
import { sanitized } from "./sanitize.ts";

/** How long a call may take before it is no longer waited for. */
export const STALE_CALL_LIMIT: Millis = 10_000;

export class StaleFailures {
  readonly #settings: Settings;
  readonly #runtime: Runtime;
  readonly #registry: TaskRegistry;
  readonly #calls = new Set<Promise<void>>();

  constructor(settings: Settings, runtime: Runtime, registry: TaskRegistry) {
    this.#settings = settings;
    this.#runtime = runtime;
    this.#registry = registry;
  }

  /** Calls the task's `onStaleFailure` and does not wait for it. Never throws. */
  tell(record: TaskRecord): void {
    const task = this.#registry.get(record.taskName);
    if (task === undefined) {
      this.#runtime.logger.warn(
        "a lost task was failed by a process that does not know it; its onStaleFailure is not called",
        { id: record.id, task: record.taskName },
      );
      return;
    }
    const { onStaleFailure } = task.options;
    if (onStaleFailure === undefined) return;
    const call = this.#call(record, onStaleFailure).finally(() => this.#calls.delete(call));
    this.#calls.add(call);
  }

  /** A write may have been ours or another's: at most one of us may call, so neither does. */
  doubt(record: TaskRecord): void {
    if (this.#registry.get(record.taskName)?.options.onStaleFailure === undefined) return;
    this.#runtime.logger.warn("whether this process failed a lost task is not known; onStaleFailure is not called", {
      id: record.id,
      task: record.taskName,
    });
  }

  /** Resolves when no call is waited for. Never rejects. */
  async idle(): Promise<void> {
    while (this.#calls.size > 0) await Promise.all(this.#calls);
  }

  async #call(record: TaskRecord, hook: (record: TaskRecord) => unknown): Promise<void> {
    const { clock, logger } = this.#runtime;
    const facts = { id: record.id, task: record.taskName, attempt: record.attempt };
    let cancel = (): void => {};
    const late = new Promise<void>((resolve) => {
      cancel = clock.after(STALE_CALL_LIMIT, () => {
        logger.warn(`onStaleFailure took longer than ${STALE_CALL_LIMIT} ms and is no longer waited for`, facts);
        resolve();
      });
    });
    const run = async (): Promise<void> => {
      try {
        await hook(record);
      } catch (thrown) {
        logger.error("onStaleFailure threw", { ...facts, error: this.#loggable(thrown, facts) });
      }
    };
    await Promise.race([run(), late]);
    cancel();
  }

  #loggable(thrown: unknown, facts: { readonly id: string; readonly task: string; readonly attempt: number }): unknown {
    const { sanitizeError } = this.#settings;
    if (sanitizeError === null) return thrown;
    const { clock, logger } = this.#runtime;
    return sanitized(sanitizeError, describeFailure(thrown, facts.attempt, clock.wall()), facts, logger);
  }
}
