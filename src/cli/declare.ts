/** The commands as a parser sees them: names, flags, help. What they do is imported only when one of them runs. */
import type { Command } from "commander";
import { declareDoctor } from "./declarations/doctor.ts";
import { declareExplain } from "./declarations/explain.ts";
import { declareMaintenance } from "./declarations/maintenance.ts";
import { declareMigrate } from "./declarations/migrate.ts";
import { declareQueues } from "./declarations/queues.ts";
import { declareRecords } from "./declarations/records.ts";
import { declareRun } from "./declarations/run.ts";
import { declareSchedulerHealth } from "./declarations/scheduler-health.ts";
import { declareSchedules } from "./declarations/schedules.ts";
import { declareStatus } from "./declarations/status.ts";
import { declareTasks } from "./declarations/tasks.ts";
import type { Ways } from "./declarations/ways.ts";
import { declareWorkers } from "./declarations/workers.ts";
import type { Source } from "./load.ts";

/** How a command reaches the world around it. */
export interface Surface {
  /** The value that holds the queues, where no file is to be looked for. */
  readonly given?: unknown;
  readonly out: (text: string) => void;
  /** Called with the exit code when a command has ended. */
  readonly done: (code: number) => void;
}

/** Each adds a command, or a group of them (`records list`), to its parent; help lists them in this order. */
const DECLARATIONS: readonly ((parent: Command, ways: Ways) => void)[] = [
  declareRun,
  declareStatus,
  declareMigrate,
  declareTasks,
  declareRecords,
  declareSchedules,
  declareQueues,
  declareWorkers,
  declareExplain,
  declareMaintenance,
  declareSchedulerHealth,
  declareDoctor,
];

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
  const perform = async (action: () => Promise<number>): Promise<void> => {
    try {
      surface.done(await action());
    } catch (error) {
      const { report } = await import("./faults.ts");
      surface.done(report(error));
    }
  };
  for (const declare of DECLARATIONS) declare(parent, { source, perform, out: surface.out });
  explainMistakes(parent, []);
}

/** After a mistake says what there is, beside the parser's own suggestion. */
function explainMistakes(command: Command, shared: readonly string[]): void {
  const options = [...command.options.map(({ flags }) => flags), ...shared];
  const names = command.commands.map((sub) => sub.name()).join(", ");
  const commands = names === "" ? "" : `Commands: ${names}. `;
  command.showHelpAfterError(`${commands}Options: ${options.join(", ")}.`);
  for (const sub of command.commands) explainMistakes(sub, options);
}
