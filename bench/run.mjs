// `npm run bench`: Sidereal beside its peers, in one run on one machine. See README.md.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { built, prepared, versions } from "./lib/install.mjs";
import { machineClass } from "./lib/machine.mjs";
import { readOptions, USAGE } from "./lib/options.mjs";

const note = (text) => process.stderr.write(`${text}\n`);

/** Everything from here on runs under the pinned Node, like what it measures. */
function again(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: "inherit",
    env: { ...process.env, SIDEREAL_BENCH_NODE: node },
  });
  child.on("exit", (code) => {
    process.exitCode = code ?? 1;
  });
}

async function measure(node, options) {
  const { Rounds } = await import("./lib/rounds.mjs");
  const { jsonLines, markdown, rows } = await import("./lib/report.mjs");
  const rounds = new Rounds({ node, options, note });
  await rounds.run();
  const table = rows(rounds.values, options.store);
  if (options.json) {
    process.stdout.write(`${jsonLines(table, options.store)}\n`);
    return;
  }
  const head = {
    store: options.store,
    about: rounds.about,
    versions: await versions(),
    node: process.versions.node,
    machine: machineClass(),
    adapters: rounds.adapters,
    options,
    date: new Date().toISOString().slice(0, 10),
    disturbed: rounds.disturbed,
  };
  process.stdout.write(`${markdown(table, head)}\n`);
}

try {
  const options = readOptions(process.argv.slice(2));
  const node = process.env.SIDEREAL_BENCH_NODE;
  if (options.help) process.stdout.write(USAGE);
  else if (node === undefined) {
    const installed = await prepared(note);
    if (options.dist === undefined) await built(note);
    again(installed);
  } else await measure(node, options);
} catch (error) {
  note(`bench: ${error.message}`);
  process.exitCode = 1;
}
