/** The command line of a worker process: which program, which application file, which of this process' own settings. */
import { readFileSync, statSync } from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "./worker-process.ts";

/** The server's own process, as far as the worker process is made in its likeness. */
export interface ServerProcess {
  readonly execPath: string;
  readonly execArgv: readonly string[];
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  cwd(): string;
}

const PROGRAM = fileURLToPath(new URL("../cli/bin.js", import.meta.url));

/** `sidereal run` for one registration of the application that this process serves. */
export function workerCommand(serviceKey: string, server: ServerProcess = process): Command {
  const app = applicationFile(server);
  return {
    file: server.execPath,
    args: [
      ...nodeOptions(server.execArgv),
      PROGRAM,
      "run",
      ...(app === null ? [] : ["--app", app]),
      "--service",
      serviceKey,
    ],
    env: { ...server.env, SIDEREAL_CHILD: "1" },
  };
}

/**
 * The file to load: null leaves it to the command line's own search, which begins with `SIDEREAL_APP` and
 * `package.json#sidereal.app`. Where neither is set the server's main module is the better guess than a file's name,
 * unless a tool runs the server (its main module lies in `node_modules`).
 */
function applicationFile(server: ServerProcess): string | null {
  if (server.env["SIDEREAL_APP"] || namesApplication(join(server.cwd(), "package.json"))) return null;
  const main = server.argv[1];
  if (main === undefined || main.split(sep).includes("node_modules")) return null;
  return statSync(main, { throwIfNoEntry: false })?.isFile() ? main : null;
}

function namesApplication(manifest: string): boolean {
  try {
    const { sidereal } = JSON.parse(readFileSync(manifest, "utf8")) as { sidereal?: { app?: unknown } };
    return typeof sidereal?.app === "string";
  } catch {
    return false;
  }
}

const WITH_CODE = new Set(["-e", "--eval", "-p", "--print", "-pe"]);
const NOT_INHERITED = /^--(?:inspect|debug|watch|test|check|interactive|input-type|run|eval=|print=)|^-[ci]$/u;

/** Loaders, flags and memory limits hold for the worker too; debuggers, watchers and code to evaluate do not. */
function nodeOptions(execArgv: readonly string[]): string[] {
  const kept: string[] = [];
  for (let at = 0; at < execArgv.length; at += 1) {
    const option = execArgv[at] as string;
    if (WITH_CODE.has(option)) at += 1;
    else if (!NOT_INHERITED.test(option)) kept.push(option);
  }
  return kept;
}
