/** What package.json exports, read as sources: `./dist/backends/sqlite/index.js` is `backends/sqlite/index.ts`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./source.ts";

/** The source below `src` behind each export, by subpath; the manifest itself is left out. */
export function exportSources(): Map<string, string> {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    exports: Record<string, string | { default: string }>;
  };
  const sources = new Map<string, string>();
  for (const [subpath, target] of Object.entries(exports)) {
    if (typeof target === "string") continue;
    sources.set(subpath, target.default.replace(/^\.\/dist\//, "").replace(/\.js$/, ".ts"));
  }
  return sources;
}
