/** The store that a configuration names, as far as a command looks at it before it opens it. */
import type { QueueBackend, QueueConfig } from "../index.ts";

/** Its name, whether other processes see it, and, where it is a store of its own, its schema and its reservations. */
export type Store = Pick<QueueBackend, "name" | "shared" | "schema"> & Partial<Pick<QueueBackend, "release">>;

const MEMORY: Store = { name: "memory", shared: false };

export function storeOf({ queueBackend = "memory" }: QueueConfig<unknown>): Store {
  return queueBackend === "memory" ? MEMORY : queueBackend;
}
