// Walking and copying files for the scripts: what tsc leaves behind because it is no TypeScript.
import { cp, mkdir, readdir } from "node:fs/promises";
import { dirname, join, relative } from "node:path";

const skipped = new Set(["node_modules", "out", "runtimes"]);

/**
 * Every file below a folder, sorted, as absolute paths; a folder that is not there has none.
 * @param {string} folder
 * @returns {Promise<string[]>}
 */
export async function listFiles(folder) {
  /** @type {import("node:fs").Dirent[]} */
  let entries;
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === "ENOENT") return [];
    throw error;
  }
  const found = [];
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!skipped.has(entry.name)) found.push(...(await listFiles(path)));
    } else if (entry.isFile()) found.push(path);
  }
  return found.sort();
}

/**
 * Copies every file that is not TypeScript (SQL migrations, scripts, fixtures) from one tree into another.
 * @param {string} from
 * @param {string} to
 */
export async function copyAssets(from, to) {
  for (const file of await listFiles(from)) {
    if (/\.[cm]?tsx?$/.test(file) || file.endsWith(".tsbuildinfo")) continue;
    const target = join(to, relative(from, file));
    await mkdir(dirname(target), { recursive: true });
    await cp(file, target);
  }
}
