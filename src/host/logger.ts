/** The default logger: warnings and errors, one line each, on stderr. */
import type { Logger } from "../contracts/clock.ts";

type Level = "debug" | "info" | "warn" | "error";
const LEVELS: readonly Level[] = ["debug", "info", "warn", "error"];

/** A logger that writes lines of `level` and above to stderr, safe for terminals. */
export function stderrLogger(level: Level = "warn"): Logger {
  const from = LEVELS.indexOf(level);
  const write =
    (own: Level) =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
      if (LEVELS.indexOf(own) < from) return;
      const rest = Object.entries(fields).map(([name, value]) => ` ${name}=${printable(shown(value))}`);
      process.stderr.write(`sidereal ${own}: ${printable(message)}${rest.join("")}\n`);
    };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}

function shown(value: unknown): string {
  if (typeof value === "string" && /^[\w.:/@-]+$/u.test(value)) return value;
  try {
    if (value instanceof Error) return JSON.stringify(`${value.name}: ${value.message}`);
    return JSON.stringify(value) ?? String(value);
  } catch {
    return `"a ${typeof value} that cannot be shown"`;
  }
}

/** Escapes control characters, so that names and messages cannot steer a terminal or forge a line. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
