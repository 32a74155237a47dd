// Runs one operation in a fresh process and answers what it measured.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { bench, out } from "./paths.mjs";

const PATIENCE = 600_000;

/** Runs a script of lib/ under the pinned Node; its last line that starts with "@@" is the answer. */
export function ask(node, script, args, { profile = false, dist } = {}) {
  const flags = ["--no-warnings", "--expose-gc", ...(profile ? ["--cpu-prof", `--cpu-prof-dir=${out}`] : [])];
  const env = { ...process.env, NODE_ENV: "production", ...(dist ? { SIDEREAL_BENCH_DIST: dist } : {}) };
  const child = spawn(node, [...flags, join(bench, "lib", script), ...args], {
    cwd: bench,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  return new Promise((resolve, reject) => {
    let [said, complained] = ["", ""];
    child.stdout.on("data", (data) => (said += data));
    child.stderr.on("data", (data) => (complained += data));
    const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(timer);
      const line = said.split("\n").find((one) => one.startsWith("@@"));
      if (line !== undefined) resolve(JSON.parse(line.slice(2)));
      else reject(new Error(`${args[0]} ${args[1]} ended with ${code}: ${complained.slice(-2_000)}`));
    });
  });
}
