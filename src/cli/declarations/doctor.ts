/** How `sidereal doctor` is called. */
import type { Command } from "commander";
import type { Ways } from "./ways.ts";

export function declareDoctor(parent: Command, { source, perform, out }: Ways): void {
  parent
    .command("doctor")
    .description("look at the runtime, the application, its settings, the store and the workers; changes nothing")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExit codes: 0 all is well, or there are warnings only; 1 there is a problem; 64 usage.")
    .action((flags) => perform(async () => (await import("../commands/doctor.ts")).doctor(flags, source(), out)));
}
