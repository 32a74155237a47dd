// W8: what importing costs. `node startup.mjs FILE` prints the milliseconds and, in a second import, the modules loaded.
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";

const [, , file, what] = process.argv;
let modules = 0;
if (what === "modules") {
  registerHooks({
    load(url, context, next) {
      modules += 1;
      return next(url, context);
    },
  });
}
const start = performance.now();
await import(pathToFileURL(file).href);
process.stdout.write(`@@${JSON.stringify({ value: what === "modules" ? modules : performance.now() - start })}\n`);
process.exit(0);
