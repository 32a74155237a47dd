/** What went wrong, on one screen: what, where, why, how to fix it; never a driver's stack. */
import { SiderealError } from "../index.ts";
import { say } from "./console.ts";
import { EXIT } from "./exits.ts";

interface FaultParts {
  readonly exit: number;
  /** One line: what happened. */
  readonly what: string;
  readonly where?: string | undefined;
  readonly why?: readonly string[] | undefined;
  readonly fix?: string | undefined;
  readonly code?: string | undefined;
  readonly cause?: unknown;
}

/** An error made for the command line. */
export class Fault extends Error {
  readonly parts: FaultParts;

  constructor(parts: FaultParts) {
    super(parts.what, { cause: parts.cause });
    this.parts = parts;
  }
}

/** The command was called the wrong way. */
export function usage(what: string, fix: string, more: Partial<FaultParts> = {}): Fault {
  return new Fault({ exit: EXIT.usage, what, fix, ...more });
}

/** Writes the error to stderr; answers the exit code. With SIDEREAL_DEBUG=1 its stack and causes follow. */
export function report(error: unknown): number {
  say(screen(error));
  if (process.env["SIDEREAL_DEBUG"] === "1") say(stacks(error).join("\n"));
  return partsOf(error).exit;
}

/** The error as one screen of text. */
export function screen(error: unknown): string {
  const { what, where, why = [], fix, code } = partsOf(error);
  const lines = [`error: ${what}`];
  const line = (name: string, text: string): void => {
    lines.push(`  ${name.padEnd(5)}  ${text}`);
  };
  if (where !== undefined) line("where", where);
  for (const [index, text] of why.entries()) line(index === 0 ? "why" : "", text);
  if (fix !== undefined) line("fix", fix);
  if (code !== undefined) line("code", code);
  return lines.join("\n");
}

/** The error on one line, for a parent process. */
export function summary(error: unknown): string {
  const { what, why = [] } = partsOf(error);
  return [what, ...why.slice(0, 1)].join(": ").slice(0, 1_000);
}

/** An error's own words: its name and the first lines of its message, without the advice of its code. */
export function words(error: unknown, most = 6): string[] {
  if (error instanceof SiderealError) return [detailOf(error)];
  const text = error instanceof Error ? `${error.name}: ${error.message}` : `thrown: ${shown(error)}`;
  const lines = text
    .split(/\r?\n/u)
    .filter((line) => line.trim() !== "")
    .map((line) => (line.length > 300 ? `${line.slice(0, 299)}…` : line));
  return lines.length > most ? [...lines.slice(0, most), "…"] : lines;
}

/** An error's own words, and the place in the user's code that it came from. */
export function trace(error: unknown): string[] {
  const place = userFrame(error);
  return place === undefined ? words(error) : [...words(error), `at ${place}`];
}

/** What was thrown where nobody waited for it. */
export function uncaught(error: unknown): Fault {
  const fix = "Catch it where it is thrown; SIDEREAL_DEBUG=1 shows the whole stack.";
  return new Fault({ exit: EXIT.failed, what: "uncaught in this process", why: trace(error), fix, cause: error });
}

/** What a package's error says happened, without the general advice. */
export function detailOf(error: SiderealError): string {
  return error.message.endsWith(` ${error.advice}`) ? error.message.slice(0, -error.advice.length - 2) : error.message;
}

function partsOf(error: unknown): FaultParts {
  if (error instanceof Fault) return error.parts;
  if (error instanceof SiderealError) {
    return { exit: EXIT.failed, what: detailOf(error), fix: error.advice, code: error.code };
  }
  const [what = "unknown", ...why] = words(error);
  return { exit: EXIT.failed, what, why };
}

/** The first line of the stack that is neither Node's, nor a dependency's, nor ours. */
function userFrame(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const ours = new URL("..", import.meta.url).href;
  const frames = (error.stack ?? "").split("\n").filter((line) => /^\s+at .*(?:file:|\/|\\)/u.test(line));
  const own = frames.find((line) => !/node_modules|node:|<anonymous>/u.test(line) && !line.includes(ours));
  return own
    ?.replace(/^\s+at (?:.*\()?/u, "")
    .replace(/\)$/u, "")
    .replace(/^(?:async )?(?:file:\/\/)?/u, "");
}

function shown(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

function stacks(error: unknown): string[] {
  const lines: string[] = [];
  for (let at = error; at !== undefined && lines.length < 8; at = (at as { cause?: unknown } | null)?.cause) {
    lines.push(at instanceof Error ? (at.stack ?? at.message) : shown(at));
  }
  return lines;
}
