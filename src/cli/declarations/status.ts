/** How `sidereal status` is called. */
import type { Command } from "commander";
import type { Ways } from "./ways.ts";

export function declareStatus(parent: Command, { source, perform, out }: Ways): void {
  parent
    .command("status")
    .description("print how many tasks are pending, running, completed, …")
    .option("--queue <name>", "count this queue only")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExit codes: 0, 1 the store could not be read, 64 usage.")
    .action((flags) => perform(async () => (await import("../commands/status.ts")).status(flags, source(), out)));
}
