/** What the package may ask of the operating system: another process with a channel to it. The real one is in `host/`. */

export interface Command {
  /** The program. */
  readonly file: string;
  readonly args: readonly string[];
  /** The whole environment; nothing is inherited besides. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** How a process ended: with a code, by a signal, or never begun (`error`). */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
  readonly error?: Error;
}

/** Hears of one process; every callback comes in a later turn than the call that started it. */
export interface ProcessListener {
  /** It sent this through the channel; anything at all. */
  message(message: unknown): void;
  /** It wrote this line to its stderr, cut at 8,192 characters. */
  line(text: string): void;
  /** It ended. Called once, after the last line and message. */
  exit(exit: Exit): void;
}

export interface ChildProcess {
  /** Undefined when it could not be started. */
  readonly pid: number | undefined;
  /** Sends through the channel; does nothing when the other end is gone. */
  send(message: Readonly<Record<string, unknown>>): void;
  /** Signals the process and, where the system has process groups, all that it started; harmless after its end. */
  kill(signal: "SIGTERM" | "SIGKILL"): void;
}

export interface Spawner {
  /** Starts a process of a group of its own, so that a terminal's Ctrl+C does not reach it; it shares our stdout. */
  spawn(command: Command, listener: ProcessListener): ChildProcess;
}
