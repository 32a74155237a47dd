/** What a server store is made of. */
import type { Clock } from "../../contracts/clock.ts";

export interface Settings<Connections> {
  /** Makes the connections once the store opens. @param timers - Timers and the monotonic clock. */
  readonly connect: (timers: Clock) => Promise<Connections>;
  /** The store's time, for tests; undefined: the server's clock. */
  readonly clock: Clock | undefined;
  /** Timers and the monotonic clock. */
  readonly timers: Clock;
}
