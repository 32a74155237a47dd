/** How `sidereal tasks` is called. */
import type { Command } from "commander";
import type { Ways } from "./ways.ts";

export function declareTasks(parent: Command, { source, perform, out }: Ways): void {
  parent
    .command("tasks")
    .description("list the tasks that the application registers")
    .option("--json", "print one JSON array")
    .addHelpText("after", "\nExit codes: 0, 1 the application could not be loaded, 64 usage.")
    .action((flags) => perform(async () => (await import("../commands/tasks.ts")).tasks(flags, source(), out)));
}
