/** How `sidereal queues` and its commands are called; without one it lists. */
import type { Command } from "commander";
import { refuseUnknown, type Ways } from "./ways.ts";

const EXITS = "\nExit codes: 0, 1 the store could not be used, 64 usage.";

export function declareQueues(parent: Command, { source, perform, out }: Ways): void {
  const queues = parent.command("queues").description("list, pause and resume queues");
  refuseUnknown(queues);
  queues
    .command("list", { isDefault: true })
    .description("print each queue's counts, the age of its oldest waiting task, its workers, whether it is paused")
    .option("--json", "print one JSON array")
    .addHelpText("after", EXITS)
    .action((flags) => perform(async () => (await import("../commands/queues.ts")).listQueues(flags, source(), out)));
  queues
    .command("pause <name>")
    .description("keep every worker from claiming from a queue; what runs goes on")
    .option("--reason <text>", "why, for whoever looks at it later")
    .option("--json", "print one JSON object")
    .addHelpText("after", EXITS)
    .action((name, flags) =>
      perform(async () => (await import("../commands/queues.ts")).pauseQueue(name, flags, source(), out)),
    );
  queues
    .command("resume <name>")
    .description("let workers claim from a queue again")
    .option("--json", "print one JSON object")
    .addHelpText("after", EXITS)
    .action((name, flags) =>
      perform(async () => (await import("../commands/queues.ts")).resumeQueue(name, flags, source(), out)),
    );
}
