/** How a store takes leave of a pool of its own. */
import type { Cancel, Clock } from "../../contracts/clock.ts";
import type { Millis } from "../../model/record.ts";

/** How long a closing store waits for its connections to take leave. */
const FAREWELL: Millis = 5_000;

/** Closes the pool. Its idle connections keep no process alive, not even for their own end: a timer does. */
export async function ended(pool: { end(): Promise<void> }, clock: Clock): Promise<void> {
  let cancel: Cancel = () => {};
  const late = new Promise<void>((resolve) => {
    cancel = clock.after(FAREWELL, resolve);
  });
  await Promise.race([pool.end(), late]);
  cancel();
}
