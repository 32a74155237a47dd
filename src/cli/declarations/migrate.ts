/** How `sidereal migrate` is called. */
import type { Command } from "commander";
import type { Ways } from "./ways.ts";

export function declareMigrate(parent: Command, { source, perform, out }: Ways): void {
  parent
    .command("migrate")
    .description("create the store's schema, or bring it up to date")
    .option("--dry-run", "print the SQL and change nothing")
    .addHelpText("after", "\nExit codes: 0, 1 the store could not be migrated, 64 usage.")
    .action((flags) => perform(async () => (await import("../commands/migrate.ts")).migrate(flags, source(), out)));
}
