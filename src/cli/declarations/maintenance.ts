/** How `sidereal maintenance` is called. */
import type { Command } from "commander";
import { collect, type Ways } from "./ways.ts";

export function declareMaintenance(parent: Command, { source, perform, out }: Ways): void {
  parent
    .command("maintenance")
    .description("one bounded run of upkeep, safe to repeat: lost tasks taken back, old records removed")
    .option("--phase <name>", "run this phase only (stale, terminal); may be repeated", collect)
    .option("--max-duration <seconds>", 'begin no further page after so long; also "90s", "5m"; default 60')
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nExit codes: 0 completed, or another run is under way; 1 a phase failed; 2 time was up before all was done;\n64 usage.",
    )
    .action((flags) =>
      perform(async () => (await import("../commands/maintenance.ts")).maintenance(flags, source(), out)),
    );
}
