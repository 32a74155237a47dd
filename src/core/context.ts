/** The context of the attempt that code runs in, found without being passed. */
import { AsyncLocalStorage } from "node:async_hooks";
import type { TaskContext } from "./vocabulary.ts";

const storage = new AsyncLocalStorage<TaskContext>();

/** The context of the attempt that this code runs in; undefined outside one. */
export function currentTaskContext(): TaskContext | undefined {
  return storage.getStore();
}

/** Runs a function as part of an attempt. */
export function inContext<T>(context: TaskContext, run: () => T): T {
  return storage.run(context, run);
}
