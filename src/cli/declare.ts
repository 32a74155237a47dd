/** The commands as a parser sees them: names, flags, help. What they do is imported only when one of them runs. */
import type { Command } from "commander";
import type { Source } from "./load.ts";

/** How a command reaches the world around it. */
export interface Surface {
  /** The value that holds the queues, where no file is to be looked for. */
  readonly given?: unknown;
  readonly out: (text: string) => void;
  /** Called with the exit code when a command has ended. */
  readonly done: (code: number) => void;
}

/** Adds the options that all commands share, and the commands, to a program or a group. */
export function declareCommands(parent: Command, surface: Surface): void {
  parent
    .option("--app <file[:export]>", "the application; default: SIDEREAL_APP, package.json, app.*, server.*, queues.*")
    .option("--service <key>", "which of the application's queue services, by its key")
    .configureHelp({ showGlobalOptions: true });
  const source = (): Source => ({
    app: parent.opts()["app"],
    service: parent.opts()["service"],
    given: surface.given,
    cwd: process.cwd(),
    env: process.env,
  });
  /** Runs a command's action; whatever it throws is told on one screen. */
  const perform = async (action: () => Promise<number>): Promise<void> => {
    try {
      surface.done(await action());
    } catch (error) {
      const { report } = await import("./faults.ts");
      surface.done(report(error));
    }
  };

  parent
    .command("run")
    .description("run a worker until a signal stops it")
    .option("--queue <name>", "claim from this queue only; may be repeated", collect)
    .option("--max-concurrency <n>", "tasks at once, 1 to 10000")
    .option("--drain-timeout <seconds>", 'how long a stop waits for running tasks; also "30s", "2m"')
    .addHelpText("after", RUN_HELP)
    .action((flags) => perform(async () => (await import("./commands/run.ts")).run(flags, source())));
  parent
    .command("status")
    .description("print how many tasks are pending, running, completed, …")
    .option("--queue <name>", "count this queue only")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExit codes: 0, 1 the store could not be read, 64 usage.")
    .action((flags) =>
      perform(async () => (await import("./commands/status.ts")).status(flags, source(), surface.out)),
    );
  parent
    .command("migrate")
    .description("create the store's schema, or bring it up to date")
    .option("--dry-run", "print the SQL and change nothing")
    .addHelpText("after", "\nExit codes: 0, 1 the store could not be migrated, 64 usage.")
    .action((flags) =>
      perform(async () => (await import("./commands/migrate.ts")).migrate(flags, source(), surface.out)),
    );
  explainMistakes(parent);
}

const RUN_HELP = `
Signals: the first SIGTERM or SIGINT stops claiming and waits for running tasks,
the second aborts them, the third leaves at once.
Exit codes: 0 clean drain, 1 the worker could not start or threw, 2 the drain
passed its limit and tasks were aborted, 64 usage, 128 + n third signal.`;

const collect = (value: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), value];

/** After a mistake says what there is, beside the parser's own suggestion. */
function explainMistakes(parent: Command): void {
  const shared = parent.options.map(({ flags }) => flags);
  const names = parent.commands.map((command) => command.name()).join(", ");
  parent.showHelpAfterError(`Commands: ${names}. Options: ${shared.join(", ")}.`);
  for (const command of parent.commands) {
    const own = command.options.map(({ flags }) => flags);
    command.showHelpAfterError(`Options: ${[...own, ...shared].join(", ")}.`);
  }
}
