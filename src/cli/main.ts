/** Reads the arguments of `sidereal` and runs the command; loads nothing but the parser until one is chosen. */
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { declareCommands } from "./declare.ts";
import { EXIT } from "./exits.ts";

/**
 * Runs the program with the arguments after its name.
 * @param out - Takes what belongs on stdout.
 * @returns the exit code
 */
export async function main(argv: readonly string[], out: (text: string) => void): Promise<number> {
  let exit: number = EXIT.done;
  const program = new Command("sidereal")
    .description("Background tasks: run workers and look at their queues.")
    .version(version(), "-V, --version")
    .exitOverride();
  declareCommands(program, {
    out,
    done: (code) => {
      exit = code;
    },
  });
  try {
    await program.parseAsync([...argv], { from: "user" });
    return exit;
  } catch (error) {
    const { code, exitCode } = error as { code?: unknown; exitCode?: unknown };
    if (typeof code !== "string" || !code.startsWith("commander.")) throw error;
    return exitCode === 0 ? EXIT.done : EXIT.usage;
  }
}

function version(): string {
  return JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version;
}
