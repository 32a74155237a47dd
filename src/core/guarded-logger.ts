/** A logger that cannot do harm: what a user's logger throws must not end a task, a loop or the process. */
import type { Logger } from "../contracts/clock.ts";

/** The same logger, whose failures are swallowed. */
export function guarded(logger: Logger): Logger {
  const quietly =
    (level: "debug" | "info" | "warn" | "error") =>
    (message: string, fields?: Readonly<Record<string, unknown>>): void => {
      try {
        logger[level](message, fields);
      } catch {
        // There is nowhere left to say so.
      }
    };
  return { debug: quietly("debug"), info: quietly("info"), warn: quietly("warn"), error: quietly("error") };
}
