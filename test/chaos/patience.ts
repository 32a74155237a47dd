/** What the processes of a run do while the store is in trouble that may pass: they ask again. */
import { type QueueService, SiderealError } from "../../src/index.ts";

/** Between two tries, ms. */
const PAUSE = 100;

/** Does it until it does not fail for a reason that may pass. */
export async function patient<T>(action: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof SiderealError && error.retryable)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}

/** Opens the service, however long the store is away; so does whoever restarts a process that could not start. */
export async function opened(service: QueueService<unknown>): Promise<void> {
  await patient(() => service.open());
}
