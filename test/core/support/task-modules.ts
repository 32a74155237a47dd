/** `taskModules` from a root of the test's choice, with the process' own importer. */
import { loadTaskModules as load } from "../../../src/core/modules.ts";
import { importModule } from "../../../src/host/modules.ts";

export type Imported = readonly string[];

export function loadTaskModules(patterns: readonly string[], root: string): Promise<Imported> {
  return load(patterns, root, importModule);
}
