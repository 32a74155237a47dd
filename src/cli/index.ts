/** `sidereal/cli`: the same commands in a program of your own. */
import type { Command } from "commander";
import { out } from "./console.ts";
import { declareCommands } from "./declare.ts";
import { EXIT } from "./exits.ts";

export interface QueuesCommandOptions {
  /**
   * What holds the queues: a function that makes the web application or the configuration (it is called in command-line
   * mode, so that no server and no worker starts), or a `defineQueues(...)` configuration. Default: the file is looked
   * for as `sidereal` does.
   */
  readonly app?: (() => unknown) | object;
  /** Name of the group; default `"queues"`. */
  readonly name?: string;
  /** Called with the exit code when a command has ended; default: it becomes `process.exitCode`. */
  readonly exit?: (code: number) => void;
}

/**
 * Adds `run`, `status` and `migrate` as a group to a commander program. Adding it a second time changes nothing.
 * Usage errors below the group end the process with 64, as in `sidereal`.
 * @returns the group
 */
export function addQueuesCommand(program: Command, options: QueuesCommandOptions = {}): Command {
  const { name = "queues", app } = options;
  const before = program.commands.find((command) => command.name() === name);
  if (before !== undefined) return before;
  const group = program.command(name).description("background tasks: run workers and look at their queues");
  group.exitOverride((error) => process.exit(error.exitCode === 0 ? EXIT.done : EXIT.usage));
  const exit =
    options.exit ??
    ((code: number) => {
      process.exitCode = code;
    });
  declareCommands(group, { given: app, out, done: exit });
  return group;
}
