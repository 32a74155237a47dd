/**
 * The way in and out of a store: it opens once however often that is asked for, under one namespace; takes calls while it is
 * open; and closes when those under way have ended.
 */
import type { StoreSetting } from "../../contracts/queue-backend.ts";
import { SiderealError } from "../../model/errors.ts";
import { checkNamespace } from "../../model/names.ts";

/** What lies behind the door. */
export interface Premises<Held> {
  /** As people call the store: `The MySQL store`. */
  readonly name: string;
  /** What a second store would be of: `database`. */
  readonly place: string;
  /** Makes what the store holds while it is open. */
  open(namespace: string, warn: StoreSetting["warn"]): Promise<Held>;
  /** It is open. */
  opened?(): void;
  /** Gives back what the store held; no call is under way any more. */
  close(held: Held): Promise<void>;
  /** What to throw for something that was thrown. @param doing - In the infinitive: `claim`, `open the store`. */
  error(error: unknown, doing: string): unknown;
}

export class Doorway<Held> {
  readonly #premises: Premises<Held>;
  readonly #calls = new Set<Promise<void>>();
  #namespace = "sidereal";
  #held: Held | undefined;
  #opening: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(premises: Premises<Held>) {
    this.#premises = premises;
  }

  /** @throws CONFIG_CONFLICT if it is open under another namespace, CONFIG_INVALID for one that is not allowed, STORE_… errors */
  async open(setting?: StoreSetting): Promise<void> {
    await this.#closing;
    this.#call(setting?.namespace ?? "sidereal");
    this.#opening ??= this.#open(setting?.warn).finally(() => {
      this.#opening = undefined;
    });
    await this.#opening;
  }

  async close(): Promise<void> {
    this.#closing ??= this.#close().finally(() => {
      this.#closing = undefined;
    });
    await this.#closing;
  }

  /** Whether calls are taken. */
  get isOpen(): boolean {
    return this.#held !== undefined && this.#closing === undefined;
  }

  /** What the store holds, for a call that begins. @throws STORE_CLOSED */
  enter(): Held {
    if (this.#held !== undefined && this.#closing === undefined) return this.#held;
    throw this.closed();
  }

  /** What the store holds, also for a call that is under way while it closes. @throws STORE_CLOSED */
  get held(): Held {
    if (this.#held !== undefined) return this.#held;
    throw this.closed();
  }

  /** Runs a call, which `close` waits for. @throws STORE_CLOSED, and what the premises make of what the action throws */
  async run<T>(doing: string, action: (held: Held) => Promise<T>): Promise<T> {
    const call = action(this.enter());
    // What waits for it, not the call itself: the set's outgrown tables would keep its answer from the young collector.
    const done = (): void => void this.#calls.delete(ended);
    const ended: Promise<void> = call.then(done, done);
    this.#calls.add(ended);
    try {
      return await call;
    } catch (error) {
      throw this.#premises.error(error, doing);
    }
  }

  /** The namespace that is wanted, or else that of the store. @throws CONFIG_INVALID */
  namespaceOf(setting: StoreSetting | undefined): string {
    return checkNamespace(setting?.namespace ?? this.#namespace);
  }

  /** What to throw where the store is not open. */
  closed(): SiderealError {
    return new SiderealError("STORE_CLOSED", `${this.#premises.name} was used while it was not open`);
  }

  async #open(warn: StoreSetting["warn"]): Promise<void> {
    if (this.#held !== undefined) return;
    try {
      this.#held = await this.#premises.open(this.#namespace, warn);
    } catch (error) {
      throw this.#premises.error(error, "open the store");
    }
    this.#premises.opened?.();
  }

  async #close(): Promise<void> {
    await this.#opening?.catch(() => undefined);
    if (this.#held === undefined) return;
    await Promise.allSettled(this.#calls);
    try {
      await this.#premises.close(this.#held);
    } catch (error) {
      throw this.#premises.error(error, "close the store");
    } finally {
      this.#held = undefined;
    }
  }

  /** Takes the namespace; one open store has one. */
  #call(namespace: string): void {
    if (namespace === this.#namespace) return;
    if (this.#held !== undefined || this.#opening !== undefined) {
      const { name, place } = this.#premises;
      throw new SiderealError(
        "CONFIG_CONFLICT",
        `${name} is open under the namespace ${this.#namespace}, and cannot be opened under ${namespace} too; make a second store of the same ${place}`,
      );
    }
    this.#namespace = checkNamespace(namespace);
  }
}
