/**
 * What the process is for: a command line that loads an application says so first, so that the application's plugin
 * starts no server, opens no store and runs no worker of its own.
 */

const COMMAND_LINE = Symbol.for("sidereal.command-line");
const shared = globalThis as { [COMMAND_LINE]?: boolean };

/** Declares that this process loads applications only to look at them; for every copy of this module in the process. */
export function markCommandLine(): void {
  shared[COMMAND_LINE] = true;
}

/** Whether {@link markCommandLine} was called in this process, by whichever copy of this module. */
export function isCommandLine(): boolean {
  return shared[COMMAND_LINE] === true;
}
