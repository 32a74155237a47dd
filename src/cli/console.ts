/** The terminal: data on stdout, everything else on stderr, and a way out that loses neither. */
import { printable } from "../host/logger.ts";

for (const stream of [process.stdout, process.stderr]) {
  // Whoever read us may be gone (`| head`, a parent that died): no reason to die of it.
  stream.on("error", () => {});
}

/** Writes data to stdout as it is. */
export function out(text: string): void {
  process.stdout.write(text);
}

/** Writes a message to stderr; several lines where it has line breaks, all safe for a terminal, without passwords. */
export function say(message: string): void {
  process.stderr.write(`${safe(message)}\n`);
}

/** Leaves the process once everything written has gone out; handles that an application left open do not matter. */
export async function leave(code: number): Promise<never> {
  for (const stream of [process.stdout, process.stderr]) {
    await new Promise<void>((resolve) => {
      stream.write("", () => resolve());
    });
  }
  return process.exit(code);
}

/** The text with control characters escaped, line breaks kept, and passwords in addresses hidden. */
export function safe(text: string): string {
  return text
    .split(/\r?\n/u)
    .map((line) => printable(line).replaceAll(/(\/\/)[^\s/@]+@/gu, "$1***@"))
    .join("\n");
}
