/** What the moving parts may ask of the outside world; real adapters live in `host/`, virtual ones in `testing/`. */
import type { Millis } from "../model/record.ts";

/** Cancels what it was returned for; calling it twice is harmless. */
export type Cancel = () => void;

/** Time as one process sees it. Decisions about records use the store's clock instead. */
export interface Clock {
  /** Wall clock; for log lines, and for stores that run on the host's clock. */
  wall(): Millis;
  /** Monotonic milliseconds, with fractions. */
  mono(): Millis;
  /** Calls back once after at least `delay` ms; delays beyond 2^31 ms are honoured; a real timer keeps the process alive until it fired or was cancelled. */
  after(delay: Millis, callback: () => void): Cancel;
  /** Calls back at the end of the current turn of the event loop. */
  soon(callback: () => void): void;
}

/** Source of randomness. */
export interface Random {
  /** Fills the array with random bytes fit for tokens. */
  fill(bytes: Uint8Array): void;
  /** A number in [0, 1). */
  next(): number;
}

/** Where the package writes about itself. */
export interface Logger {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** The injected outside world. */
export interface Runtime {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}
