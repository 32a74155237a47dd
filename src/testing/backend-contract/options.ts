/** What a store's author hands to the contract suite: how to make the store, and what it claims to be able to do. */
import type { Clock } from "../../contracts/clock.ts";
import type { QueueBackend } from "../../contracts/queue-backend.ts";

/** What differs between stores; each value is asserted, and what a store cannot do is skipped with that as the reason. */
export interface Capabilities {
  /** It has `signals`. */
  readonly signals: boolean;
  /** Several connections see the same records, and a new one finds what a closed one left. */
  readonly shared: boolean;
  /** It has `within` and `transaction`, and so has the bench the latter. */
  readonly transactions: boolean;
  /** The clock that `make` is given drives the store's clock. Without it time passes for real, and the walk is skipped. */
  readonly clock: boolean;
}

/** One empty store, and what goes with it; made afresh for every test. */
export interface Bench<Tx = never> {
  /** Not open yet. */
  readonly backend: QueueBackend<Tx>;
  /** Another connection to the same records, not open yet; needed if `shared`. */
  another?(): Promise<QueueBackend<Tx>>;
  /** Runs the body in a transaction of the caller's own: committed when it resolves, rolled back when it rejects. */
  transaction?<T>(body: (tx: Tx) => Promise<T>): Promise<T>;
  /** Removes the store; every connection has been closed before. */
  dispose(): Promise<void>;
}

/** Options of `exerciseBackend`. */
export interface ContractOptions<Tx = never> {
  /** Heads the report. */
  readonly name: string;
  readonly capabilities: Capabilities;
  /** Makes an empty store on this clock; a store with a clock of its own ignores the argument. */
  make(clock: Clock): Promise<Bench<Tx>>;
  /** How many random walks in lockstep with the memory store, from seed 1; or the very seeds. Default 100. */
  readonly walkSeeds?: number | readonly number[];
  /** Steps of one walk. Default 150. */
  readonly walkSteps?: number;
  /** How long, in real milliseconds, a hint may take to arrive. Default 10,000. */
  readonly patience?: number;
  /** Tests that are left out, by their name; the value says why and is shown. A name that no test has is an error. */
  readonly skip?: Readonly<Record<string, string>>;
}
