/** The exit codes that every command shares; a signal's own number is added to 128. */
export const EXIT = {
  done: 0,
  failed: 1,
  /** The drain passed its limit, or was cut short, and running tasks were aborted. */
  escalated: 2,
  /** `scheduler-health`: the application registers no canary task. */
  unregistered: 3,
  /** `scheduler-health`: the canary has not completed lately. */
  stale: 4,
  /** The command was called the wrong way: it never looks like a worker's 1 or 2. */
  usage: 64,
} as const;
