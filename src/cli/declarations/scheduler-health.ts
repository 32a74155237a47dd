/** How `sidereal scheduler-health` is called. */
import type { Command } from "commander";
import type { Ways } from "./ways.ts";

export function declareSchedulerHealth(parent: Command, { source, perform, out }: Ways): void {
  parent
    .command("scheduler-health")
    .description("tell whether the canary task has completed lately; for probes and alarms")
    .option("--minutes <n>", "how many minutes ago at most; default 5")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nExit codes: 0 healthy, 1 the store could not be read, 3 the canary task is not registered,\n4 it has not completed lately, 64 usage.",
    )
    .action((flags) =>
      perform(async () => (await import("../commands/scheduler-health.ts")).schedulerHealth(flags, source(), out)),
    );
}
