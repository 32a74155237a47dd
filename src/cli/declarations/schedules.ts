/** How `sidereal schedules …` is called. */
import type { Command } from "commander";
import { refuseUnknown, type Ways } from "./ways.ts";

export function declareSchedules(parent: Command, ways: Ways): void {
  const schedules = parent.command("schedules").description("list schedules; pause, resume, run, preview, remove one");
  refuseUnknown(schedules);
  declareList(schedules, ways);
  declareChange(schedules, ways, "pause", "stop a schedule's ticks until it is resumed");
  declareChange(schedules, ways, "resume", "go on with the first instant after now");
  declareChange(schedules, ways, "run", "enqueue one run now, besides the series");
  declareChange(schedules, ways, "remove", "remove a schedule; one that code defines comes back at the next start");
  declarePreview(schedules, ways);
}

function declareList(schedules: Command, { source, perform, out }: Ways): void {
  schedules
    .command("list", { isDefault: true })
    .description("list every schedule with its next three runs and how the last one ended (the default)")
    .option("--json", "print one JSON array")
    .addHelpText("after", "\nExit codes: 0, 1 the store could not be read, 64 usage.")
    .action((flags) => perform(async () => (await import("../commands/schedules.ts")).list(flags, source(), out)));
}

function declareChange(
  schedules: Command,
  { source, perform, out }: Ways,
  verb: "pause" | "resume" | "run" | "remove",
  description: string,
): void {
  schedules
    .command(`${verb} <name>`)
    .description(description)
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExit codes: 0, 1 there is no such schedule, 64 usage.")
    .action((name, flags) =>
      perform(async () => (await import("../commands/schedules.ts")).change(verb, name, flags, source(), out)),
    );
}

function declarePreview(schedules: Command, { source, perform, out }: Ways): void {
  schedules
    .command("preview <name>")
    .description("print the next times of a schedule")
    .option("--count <n>", "so many, 1 to 1000; default 5")
    .option("--json", "print one JSON array")
    .addHelpText("after", "\nExit codes: 0, 1 there is no such schedule, 64 usage.")
    .action((name, flags) =>
      perform(async () => (await import("../commands/schedules.ts")).preview(name, flags, source(), out)),
    );
}
