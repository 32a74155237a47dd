/** Fastify's logger takes its fields first and calls an error `err`; ours takes the message first. */
import type { FastifyBaseLogger } from "fastify";
import type { Logger } from "../index.ts";

/** A logger that writes to the application's own. */
export function fastifyLogger(log: FastifyBaseLogger): Logger {
  const write =
    (level: keyof Logger) =>
    (message: string, { error, ...fields }: Readonly<Record<string, unknown>> = {}): void => {
      log[level]({ ...fields, ...(error !== undefined && { err: error }) }, message);
    };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}
