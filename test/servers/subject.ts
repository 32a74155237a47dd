/** What the failures of a server are tried on: a store with a worker at work, on a server of the test's own. */
import assert from "node:assert/strict";
import type { QueueBackend } from "../../src/contracts/queue-backend.ts";
import { QueueService, SiderealError, type Task, task, Worker } from "../../src/index.ts";

/** A store over something of the user's own, and how to let go of that. */
export interface Lent {
  readonly backend: QueueBackend<unknown>;
  end(): Promise<void>;
}

/** A pool of the user's with two connections, and a store that is lent it. */
export interface LentPool extends Lent {
  /** Takes a connection away; answers how to give it back. */
  take(): Promise<() => void>;
}

/** A kind of store, and how to look behind it. */
export interface Subject {
  readonly kind: "postgres" | "mysql";
  connect(address: string): QueueBackend<unknown>;
  /** Ends every session of the server but the one that asks. */
  endSessions(address: string): Promise<void>;
  /** Cancels what waits for the lock in every other session; answers how many there were. */
  cancelStatements(address: string): Promise<number>;
  /** Locks the tasks; answers how to unlock them. */
  lock(address: string): Promise<() => Promise<void>>;
  /** By the library's name. */
  readonly pools: Readonly<Record<string, (address: string) => LentPool>>;
  /** Stores whose statements the server ends after 400 ms, by whose wish that is. */
  readonly hasty: Readonly<Record<string, (address: string) => Promise<Lent>>>;
}

/** How long a worker may take to come back once the store is well, ms. */
export const RETURN = 10_000;

/** A worker with a task that counts its runs, and whoever waits for the next one. */
export class Bench {
  readonly service: QueueService<unknown>;
  /** Codes of the errors that enqueues have met. */
  readonly refusals: Set<string> = new Set();
  /** Every input that was acknowledged. */
  readonly acknowledged: Set<number> = new Set();
  /** Every input that was run. */
  readonly ran: Set<number> = new Set();
  /** What the worker said of the store. */
  readonly complaints: string[] = [];
  readonly #worker: Worker;
  readonly #tick: Task<number, null>;
  readonly #runs = new Map<number, () => void>();
  #next = 0;

  constructor(backend: QueueBackend<unknown>, name: string) {
    const quiet = (): void => {};
    const complain = (message: string, fields: { readonly error?: unknown } = {}): void => {
      this.complaints.push(`${message}: ${String(fields.error)}`);
    };
    this.service = new QueueService<unknown>({
      queueBackend: backend,
      logger: { debug: quiet, info: quiet, warn: complain, error: complain },
      worker: { pollInterval: 20, leaseDuration: 2_000, gracefulShutdownTimeout: "5s" },
    });
    this.#tick = task(`failure.${name.replaceAll(/\W/gu, "-")}`, { retries: 0 }, (n: number): null => {
      this.ran.add(n);
      this.#runs.get(n)?.();
      return null;
    });
    this.#worker = new Worker(this.service);
  }

  async open(): Promise<void> {
    await this.service.open();
    await this.#worker.start();
  }

  async close(): Promise<void> {
    await this.#worker.stop();
    await this.service.close();
  }

  /** Enqueues, again under the same key while the store is in trouble, and waits until the worker has run it. */
  async works(): Promise<void> {
    this.#next += 1;
    const n = this.#next;
    const ran = new Promise<void>((resolve) => this.#runs.set(n, resolve));
    await this.enqueued(n);
    await ran;
  }

  /** @returns its id */
  async enqueued(n: number): Promise<string> {
    for (;;) {
      try {
        const { id } = await this.service.enqueue(this.#tick, n, { key: `${this.#tick.name} ${n}` });
        this.acknowledged.add(n);
        return id;
      } catch (error) {
        assert.ok(error instanceof SiderealError && error.retryable, String(error));
        this.refusals.add(error.code);
      }
    }
  }

  /** Nothing that was acknowledged is missing among what was run. */
  lostNothing(): void {
    assert.deepEqual(
      [...this.acknowledged].filter((n) => !this.ran.has(n)),
      [],
    );
  }
}

/** Fails if the bench does not work again in time. */
export async function returns(bench: Bench, action: () => Promise<void> = () => bench.works()): Promise<void> {
  const began = performance.now();
  await action();
  const late = performance.now() - began;
  assert.ok(late < RETURN, `back after ${Math.round(late)} ms; ${bench.complaints.slice(-5).join("; ")}`);
}

/** Collects the rejections of this process that nobody handles. @returns fails if there were any, and ends it */
export function unhandled(): () => void {
  const reasons: unknown[] = [];
  const note = (reason: unknown): void => void reasons.push(reason);
  process.on("unhandledRejection", note);
  return () => {
    process.removeListener("unhandledRejection", note);
    assert.deepEqual(reasons, []);
  };
}
