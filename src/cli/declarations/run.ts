/** How `sidereal run` is called. */
import type { Command } from "commander";
import { collect, type Ways } from "./ways.ts";

export function declareRun(parent: Command, { source, perform }: Ways): void {
  parent
    .command("run")
    .description("run a worker until a signal stops it")
    .option("--queue <name>", "claim from this queue only; may be repeated", collect)
    .option("--max-concurrency <n>", "tasks at once, 1 to 10000")
    .option("--drain-timeout <seconds>", 'how long a stop waits for running tasks; also "30s", "2m"')
    .addHelpText("after", RUN_HELP)
    .action((flags) => perform(async () => (await import("../commands/run.ts")).run(flags, source())));
}

const RUN_HELP = `
Signals: the first SIGTERM or SIGINT stops claiming and waits for running tasks,
the second aborts them, the third leaves at once.
Exit codes: 0 clean drain, 1 the worker could not start or threw, 2 the drain
passed its limit and tasks were aborted, 64 usage, 128 + n third signal.`;
