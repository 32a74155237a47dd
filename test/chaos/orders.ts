/** What the supervisor tells a process it starts, and what they say to each other meanwhile. */

import type { LoadOptions } from "./load.ts";
import type { PlantedBug } from "./planted.ts";

/** Handed to a process in its environment. */
export interface Orders {
  readonly who: string;
  readonly store: string;
  /** Where the store is: a file, later an address. */
  readonly place: string;
  readonly ledgers: string;
  readonly lease: number;
  readonly concurrency: number;
  /** Most records that wait in the queue before the producer pauses. */
  readonly backlog: number;
  readonly load: LoadOptions;
  readonly planted: PlantedBug | null;
  /** A place where this process kills itself, the how manieth time it gets there; null: nowhere. */
  readonly fate: Fate | null;
}

export interface Fate {
  readonly point: Failpoint;
  /** 1: the first time. */
  readonly time: number;
}

/**
 * A place where a process kills itself when it gets there next, after it was armed: `before` the call is handed to the
 * store, `after` the store has committed and before anybody read the answer, `ack:after` once `enqueue` has
 * answered.
 */
export type Failpoint =
  | "claim:after"
  | "finish:before"
  | "finish:after"
  | "lapse:before"
  | "lapse:after"
  | "insert:before"
  | "insert:after"
  | "hold:after"
  | "ack:after";

/** To the process. */
export interface Arm {
  readonly arm: Failpoint;
}

/** To the process: its user's own code takes every connection of the pool for so long, ms. */
export interface Hog {
  readonly hog: number;
}

/** From the process. */
export type Report = { readonly ready: true } | { readonly done: true };

const NAME = "SIDEREAL_CHAOS_ORDERS";

export function toEnvironment(orders: Orders): Record<string, string> {
  return { [NAME]: JSON.stringify(orders) };
}

/** @throws when the process was not started by the harness */
export function fromEnvironment(): Orders {
  const text = process.env[NAME];
  if (text === undefined) throw new Error(`${NAME} is not set: this process is started by the chaos harness only`);
  return JSON.parse(text) as Orders;
}
