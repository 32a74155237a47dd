/** Preloaded into a process: every module that it resolves is written to stderr. */
import { register } from "node:module";

const hooks = `
import { writeSync } from "node:fs";
export async function resolve(specifier, context, next) {
  const found = await next(specifier, context);
  writeSync(2, found.url + "\\n");
  return found;
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
