/** Tasks that live for one test only: the registry belongs to the process, so a test that defines tasks tidies up. */
import { registry } from "../core/registry.ts";
import type { Task } from "../core/vocabulary.ts";

/** Forgets a task, so that its name may be defined again. @returns whether it was registered */
export function forgetTask(task: string | Task<never, unknown>): boolean {
  return registry.remove(typeof task === "string" ? task : task.name);
}

/** Runs a function, then forgets every task that was registered meanwhile. @returns what the function returned */
export async function withTasks<T>(run: () => T | Promise<T>): Promise<T> {
  const before = new Set(registry.names());
  try {
    return await run();
  } finally {
    for (const name of registry.names()) if (!before.has(name)) registry.remove(name);
  }
}
