/**
 * Presence: a running worker holds a leased reservation under its id, renews it every few seconds with a description of
 * itself, and gives it back when it stops. Nothing but what people see depends on it.
 */
import type { JsonText, Millis } from "../model/record.ts";
import { Loop } from "./loop.ts";
import type { Parts } from "./parts.ts";

/** The holds' names begin so; the worker's id follows. */
export const PRESENCES = "worker:";
export const HEARTBEAT: Millis = 5_000;
/** How long a worker that died without a stop is listed after its last heartbeat. */
export const PRESENCE_LEASE: Millis = 60_000;

export class Presence {
  readonly #parts: Parts;
  readonly #workerId: string;
  readonly #describe: () => JsonText;
  readonly #loop: Loop;
  #beating: Promise<void> | null = null;
  #failing = false;
  #over = false;

  constructor(parts: Parts, workerId: string, describe: () => JsonText) {
    this.#parts = parts;
    this.#workerId = workerId;
    this.#describe = describe;
    this.#loop = new Loop(parts.runtime, { name: "presence", every: HEARTBEAT, pass: () => this.beat() });
  }

  start(): void {
    this.#loop.start();
  }

  /** Tells of the worker as it is now; one such write at a time. Never rejects: a failure disturbs nobody. */
  beat(): Promise<void> {
    if (this.#over) return Promise.resolve();
    this.#beating ??= this.#beat().finally(() => {
      this.#beating = null;
    });
    return this.#beating;
  }

  async #beat(): Promise<void> {
    const { calls, runtime } = this.#parts;
    try {
      await calls.hold(PRESENCES + this.#workerId, this.#workerId, { lease: PRESENCE_LEASE, note: this.#describe() });
      this.#failing = false;
    } catch (error) {
      if (!this.#failing)
        runtime.logger.warn("the worker cannot be listed: its heartbeat was not stored", {
          worker: this.#workerId,
          error,
        });
      this.#failing = true;
    }
  }

  /** Ends the heartbeats and takes the worker off the list. Never rejects; a store that is away forgets it by itself. */
  async stop(): Promise<void> {
    this.#over = true;
    await this.#loop.stop();
    await this.#beating;
    await this.#parts.calls.release(PRESENCES + this.#workerId, this.#workerId).catch(() => {});
  }
}
