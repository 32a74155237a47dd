/** How `sidereal explain` is called. */
import type { Command } from "commander";
import type { Ways } from "./ways.ts";

export function declareExplain(parent: Command, { source, perform, out }: Ways): void {
  parent
    .command("explain <id>")
    .description("say why a task does not run, where it runs, or how it ended, and what to do")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExit codes: 0, 1 no such record, or the store could not be read, 64 usage.")
    .action((id, flags) =>
      perform(async () => (await import("../commands/explain.ts")).explain(id, flags, source(), out)),
    );
}
