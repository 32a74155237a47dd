/** Makes a copy of the compiled memory store with a bug in it, and loads it. */
import assert from "node:assert/strict";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { memory } from "../../../src/backends/memory/index.ts";
import type { PlantedBug } from "./bug.ts";

const compiled = fileURLToPath(new URL("../../../src/", import.meta.url));

/** The text with each edit made; each must fit at exactly one place, or the bug is not the one that was meant. */
export function edited(text: string, edits: PlantedBug["edits"]): string {
  return edits.reduce((result, [from, to]) => {
    assert.equal(result.split(from).length - 1, 1, `${JSON.stringify(from)} occurs exactly once in the compiled store`);
    return result.replace(from, () => to);
  }, text);
}

/** Loads the memory store from a fresh copy below the folder, with the edits made in one of its files. */
export async function loadMutant(folder: string, file: string, edits: PlantedBug["edits"]): Promise<typeof memory> {
  const root = join(folder, "src");
  await mkdir(root, { recursive: true });
  await writeFile(join(folder, "package.json"), '{"type":"module"}');
  for (const part of ["model", "host", "contracts", "backends/memory"]) {
    await cp(join(compiled, part), join(root, part), { recursive: true });
  }
  const path = join(root, file);
  await writeFile(path, edited(await readFile(path, "utf8"), edits));
  const { memory: mutant } = await import(pathToFileURL(join(root, "backends/memory/index.js")).href);
  return mutant;
}
