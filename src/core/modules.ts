/** Finding and importing the modules that define tasks. */
import { stat } from "node:fs/promises";
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import { quoted } from "../model/duration.ts";
import { SiderealError } from "../model/errors.ts";
import { describeFailure } from "./failure.ts";
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
    const found = await matching(pattern, root);
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

/** A path is that file, whatever its name; anything else is a glob of modules. */
async function matching(pattern: string, root: string): Promise<readonly string[]> {
  const file = resolve(root, pattern);
  if ((await stat(file).catch(() => null))?.isFile()) return [file];
  const found = await globbed(pattern.replaceAll("\\", "/"), { cwd: root, absolute: true });
  return found.filter((path) => /\.[cm]?[jt]s$/u.test(path));
}

/** Loaded on first use: a process that names no modules need not pay for it. */
async function globbed(pattern: string, options: { cwd: string; absolute?: boolean }): Promise<string[]> {
  const { glob } = await import("tinyglobby");
  return glob(pattern, { ...options, ignore: SKIPPED, onlyFiles: true });
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
  if (typeof root !== "string" || root === "")
    throw new SiderealError("OPTION_INVALID", `discoverTasks: root is ${quoted(root)}, not the path of a folder`);
  if (typeof subfolder !== "string" || subfolder === "" || /[\\/]/u.test(subfolder)) {
    throw new SiderealError(
      "OPTION_INVALID",
      `discoverTasks: subfolder is ${quoted(subfolder)}, not the name of a folder`,
    );
  }
  const folder = isAbsolute(root) ? root : resolve(root);
  const found = await stat(folder).catch(() => null);
  if (!found?.isDirectory()) {
    const why = found === null ? "does not exist" : "is a file, not a folder";
    throw new SiderealError("TASK_MODULE_MISSING", `discoverTasks: ${root} ${why}`);
  }
  const files = await globbed(`**/*.${EXTENSIONS}`, { cwd: folder });
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
    // By its code alone: a module that was loaded another way may have met another copy of the class.
    if ((error as { readonly code?: unknown } | null)?.code === "TASK_DUPLICATE") throw error;
    throw new SiderealError("TASK_MODULE_FAILED", `${file} could not be imported: ${firstLine(error)}`, {
      cause: error,
    });
  }
}

function firstLine(error: unknown): string {
  const { name, message } = describeFailure(error, 0, 0);
  return `${name}: ${message}`.split("\n", 1)[0] ?? "";
}
