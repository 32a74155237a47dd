/** Finding and importing the modules that define tasks. */
import { stat } from "node:fs/promises";
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import { glob } from "tinyglobby";
import { SiderealError } from "../model/errors.ts";
import { registry } from "./registry.ts";

/** Imports one file; `fresh` reads it again although it was imported before. */
export type ImportModule = (file: string, fresh: boolean) => Promise<unknown>;

const EXTENSIONS = "{ts,mts,js,mjs,cjs}";
const SKIPPED = ["**/node_modules/**", "**/*.d.ts", "**/*.d.mts", "**/*.d.cts", "**/*.{test,spec}.*"];

/**
 * Imports modules by path or glob, relative to `root`, in sorted order; each once per process.
 * @returns the files imported
 * @throws TASK_MODULE_MISSING where a path or glob matches no file, TASK_MODULE_FAILED, TASK_DUPLICATE
 */
export async function loadTaskModules(
  patterns: readonly string[],
  root: string,
  importModule: ImportModule,
): Promise<readonly string[]> {
  const files = new Set<string>();
  for (const pattern of patterns) {
    const found = await glob(pattern.replaceAll("\\", "/"), {
      cwd: root,
      absolute: true,
      ignore: SKIPPED,
      onlyFiles: true,
    });
    if (found.length === 0) {
      throw new SiderealError(
        "TASK_MODULE_MISSING",
        `taskModules: nothing matches ${JSON.stringify(pattern)} in ${root}`,
      );
    }
    for (const file of found) files.add(resolve(file));
  }
  const sorted = [...files].sort();
  for (const file of sorted) await importTasks(file, importModule, false);
  return sorted;
}

export interface DiscoverOptions {
  /** Name of the folders whose modules are imported; default `"jobs"`. */
  readonly subfolder?: string;
  /** Import modules again that were imported before; default false. */
  readonly forceReload?: boolean;
}

/**
 * Imports every module below `root` that lies in a folder named `subfolder`, at any depth below the root; declaration
 * and test files are skipped.
 * @returns the sorted names of all registered tasks
 * @throws TASK_MODULE_MISSING when `root` does not exist or is a file, TASK_MODULE_FAILED, TASK_DUPLICATE, OPTION_INVALID
 */
export async function discover(
  root: string,
  options: DiscoverOptions,
  importModule: ImportModule,
): Promise<readonly string[]> {
  const { subfolder = "jobs", forceReload = false } = options;
  if (typeof subfolder !== "string" || subfolder === "" || /[\\/]/u.test(subfolder)) {
    throw new SiderealError(
      "OPTION_INVALID",
      `discoverTasks: subfolder is ${JSON.stringify(subfolder)}, not the name of a folder`,
    );
  }
  const folder = isAbsolute(root) ? root : resolve(root);
  const found = await stat(folder).catch(() => null);
  if (!found?.isDirectory()) {
    const why = found === null ? "does not exist" : "is a file, not a folder";
    throw new SiderealError("TASK_MODULE_MISSING", `discoverTasks: ${root} ${why}`);
  }
  const files = await glob(`**/*.${EXTENSIONS}`, { cwd: folder, ignore: SKIPPED, onlyFiles: true });
  for (const file of files.sort()) {
    const path = join(folder, file);
    const folders = relative(folder, path).split(sep).slice(0, -1);
    if (folders.includes(subfolder)) await importTasks(path, importModule, forceReload);
  }
  return registry.names();
}

async function importTasks(file: string, importModule: ImportModule, fresh: boolean): Promise<void> {
  try {
    if (fresh) await registry.reloading(() => importModule(file, true));
    else await importModule(file, false);
  } catch (error) {
    if (error instanceof SiderealError && error.code === "TASK_DUPLICATE") throw error;
    throw new SiderealError("TASK_MODULE_FAILED", `${file} could not be imported: ${firstLine(error)}`, {
      cause: error,
    });
  }
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.split("\n", 1)[0] ?? "";
}
