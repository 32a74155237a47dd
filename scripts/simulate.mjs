// `npm run simulate -- [--seeds N] [--from K] [--seed S [--trace]]`: the deterministic simulation of test/simulation.
import { join } from "node:path";
import { compileTests } from "./compile-tests.mjs";
import { root, run } from "./process.mjs";

const { ok, output } = await compileTests();
if (!ok) process.stdout.write(`${output}Type errors above; running what was emitted.\n`);
const main = join(root, "build/test/simulation/main.js");
const { code } = await run(process.execPath, ["--enable-source-maps", main, ...process.argv.slice(2)]);
process.exitCode = code;
