/** The talk with a process that supervises this worker over an IPC channel; nothing where there is none. */
import type { WorkerHealth } from "../index.ts";
import { safe } from "./console.ts";
import type { Ladder } from "./ladder.ts";

/** What a supervised worker tells its parent. */
export type ChildMessage =
  | { readonly type: "ready"; readonly pid: number }
  | { readonly type: "failed"; readonly stage: Stage; readonly message: string }
  /** The answer to `{ type: "health" }`; null while there is no worker yet. */
  | { readonly type: "health"; readonly health: WorkerHealth | null };

/** How far a start came. */
export type Stage = "load_app" | "check_config" | "open_service" | "start_worker";

/** Sends a message, and resolves once it has left; a parent that is gone misses it. */
export type Tell = (message: ChildMessage) => Promise<void>;

/**
 * Begins to listen to the parent: `{ type: "stop", force? }` drains or aborts, `{ type: "health" }` is answered, its
 * death drains.
 * @returns how to tell it something
 */
export function listenToParent(ladder: Ladder, health: () => WorkerHealth | null): Tell {
  const supervised = process.env["SIDEREAL_CHILD"] === "1" && process.send !== undefined;
  // What the tasks spawn is not the supervisor's child.
  delete process.env["SIDEREAL_CHILD"];
  if (!supervised) return async () => {};
  const tell: Tell = (message) =>
    new Promise((resolve) => {
      if (!process.connected || process.send === undefined) return resolve();
      const safely = message.type === "failed" ? { ...message, message: safe(message.message) } : message;
      process.send(safely, () => resolve());
    });
  process.on("message", (message: { readonly type?: unknown; readonly force?: unknown } | null) => {
    if (message?.type === "health") void tell({ type: "health", health: health() });
    if (message?.type === "stop") ladder.climb(message.force === true ? 2 : 1, "the parent process");
  });
  process.on("disconnect", () => ladder.climb(1, "the parent process is gone"));
  if (!process.connected) ladder.climb(1, "the parent process is gone");
  return tell;
}
