/** The store that a configuration names, as far as a command looks at it before it opens it. */
import type { QueueBackend, QueueConfig } from "../index.ts";

/** Its name, whether other processes see it, and its schema where it has one. */
export type Store = Pick<QueueBackend, "name" | "shared" | "schema">;

const MEMORY: Store = { name: "memory", shared: false };

export function storeOf({ queueBackend = "memory" }: QueueConfig<unknown>): Store {
  return queueBackend === "memory" ? MEMORY : queueBackend;
}
