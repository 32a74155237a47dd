// `npm run chaos -- --store sqlite [--smoke] [--minutes M] …`: compiles the harness of test/chaos and runs it.
import { join } from "node:path";
import { compileTests } from "./compile-tests.mjs";
import { root, run } from "./process.mjs";

const { ok, output } = await compileTests();
if (!ok) process.stdout.write(`${output}Type errors above; running what was emitted.\n`);
const harness = join(root, "build", "test", "chaos", "main.js");
const { code } = await run(process.execPath, ["--enable-source-maps", harness, ...process.argv.slice(2)], {
  cwd: root,
});
process.exitCode = code;
