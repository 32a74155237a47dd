/** The registered tasks: a map by name, shared by every copy of this module in one process. */
import { SiderealError } from "../model/errors.ts";
import type { Task } from "./vocabulary.ts";

/** Tasks by name. Names never reach `import()`, a path or a shell. */
export class TaskRegistry {
  readonly #tasks = new Map<string, Task>();
  #names: readonly string[] | null = null;
  #reloading = 0;

  /** @throws TASK_DUPLICATE naming both places, unless the same place defines it again (a reloaded module). */
  add(task: Task): void {
    const before = this.#tasks.get(task.name);
    if (before !== undefined && before.definedAt !== task.definedAt && !this.#isReload(before, task)) {
      throw new SiderealError(
        "TASK_DUPLICATE",
        `Task ${task.name} is defined at ${before.definedAt} and again at ${task.definedAt}`,
      );
    }
    this.#tasks.set(task.name, task);
    this.#names = null;
  }

  get(name: string): Task | undefined {
    return this.#tasks.get(name);
  }

  /** The names, sorted. */
  names(): readonly string[] {
    this.#names ??= [...this.#tasks.keys()].sort();
    return this.#names;
  }

  /** Forgets a task; for tests that define tasks on the fly. */
  remove(name: string): boolean {
    this.#names = null;
    return this.#tasks.delete(name);
  }

  /** While `load` runs, a file may define its own tasks again at other lines. */
  async reloading<T>(load: () => Promise<T>): Promise<T> {
    this.#reloading += 1;
    try {
      return await load();
    } finally {
      this.#reloading -= 1;
    }
  }

  #isReload(before: Task, after: Task): boolean {
    return this.#reloading > 0 && fileOf(before) === fileOf(after);
  }
}

const fileOf = (task: Task): string => task.definedAt.replace(/:\d+$/u, "");

const SHARED = Symbol.for("sidereal.registry.v1");
const shared = globalThis as { [SHARED]?: TaskRegistry };

/** The process' registry: an application that is loaded through another module loader still meets it. */
export const registry: TaskRegistry = shared[SHARED] ?? new TaskRegistry();
shared[SHARED] = registry;
