/** How `sidereal workers` is called. */
import type { Command } from "commander";
import type { Ways } from "./ways.ts";

export function declareWorkers(parent: Command, { source, perform, out }: Ways): void {
  parent
    .command("workers")
    .description("print who works on this store, and what runs")
    .option("--json", "print one JSON array")
    .addHelpText("after", "\nExit codes: 0, 1 the store could not be read, 64 usage.")
    .action((flags) => perform(async () => (await import("../commands/workers.ts")).workers(flags, source(), out)));
}
