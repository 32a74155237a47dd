// W8: how long a command of this Node takes from start to end. `node command.mjs ARGUMENT...`
import { spawnSync } from "node:child_process";

const start = performance.now();
const { status, stderr } = spawnSync(process.execPath, process.argv.slice(2), { encoding: "utf8" });
const value = performance.now() - start;
if (status === 0) process.stdout.write(`@@${JSON.stringify({ value })}\n`);
else process.stderr.write(stderr);
process.exit(status ?? 1);
