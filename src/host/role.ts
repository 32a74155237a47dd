/**
 * What the process is for: a command line that loads an application says so first, so that the application's plugin
 * starts no server, opens no store and runs no worker of its own.
 */

const COMMAND_LINE = Symbol.for("sidereal.command-line");
const APPLICATIONS = Symbol.for("sidereal.applications");
const shared = globalThis as { [COMMAND_LINE]?: boolean; [APPLICATIONS]?: Set<object> };

/** Declares that this process loads applications only to look at them; for every copy of this module in the process. */
export function markCommandLine(): void {
  shared[COMMAND_LINE] = true;
  shared[APPLICATIONS] = new Set();
}

/** Whether {@link markCommandLine} was called in this process, by whichever copy of this module. */
export function isCommandLine(): boolean {
  return shared[COMMAND_LINE] === true;
}

/** Tells a command line of a web application with queues, so that its module need not export it. */
export function announceApplication(app: object): void {
  const applications = shared[APPLICATIONS] ?? new Set();
  shared[APPLICATIONS] = applications.add(app);
}

/** The web applications that were announced in this process. */
export function announcedApplications(): readonly object[] {
  return [...(shared[APPLICATIONS] ?? [])];
}
