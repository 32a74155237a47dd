/** Starts real processes: an IPC channel, a process group of their own, stderr as lines. */
import { type ChildProcess as NodeProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import type { ChildProcess, Command, Exit, ProcessListener, Spawner } from "../contracts/spawn.ts";

const LONGEST_LINE = 8_192;
/** How long the last lines may take after the end; a grandchild may hold the pipe open for ever. */
const LAST_LINES_WAIT = 200;
const hasGroups = process.platform !== "win32";

export const systemSpawner: Spawner = { spawn: start };

function start(command: Command, listener: ProcessListener): ChildProcess {
  const child = spawn(command.file, [...command.args], {
    env: { ...command.env },
    stdio: ["ignore", "inherit", "pipe", "ipc"],
    detached: hasGroups,
    windowsHide: true,
  });
  let over = false;
  const end = (exit: Exit): void => {
    if (over) return;
    over = true;
    void linesEnd(child.stderr).then(() => listener.exit(exit));
  };
  child.on("error", (error) => {
    if (child.pid === undefined) end({ code: null, signal: null, error });
  });
  child.on("exit", (code, signal) => end({ code, signal }));
  child.on("message", (message) => listener.message(message));
  readLines(child.stderr, (line) => listener.line(line));
  return {
    pid: child.pid,
    send: (message) => {
      if (child.connected) child.send(message, () => {});
    },
    kill: (signal) => {
      if (!over) kill(child, signal);
    },
  };
}

function kill(child: NodeProcess, signal: "SIGTERM" | "SIGKILL"): void {
  if (child.pid === undefined) return;
  try {
    if (hasGroups) process.kill(-child.pid, signal);
    else child.kill(signal);
  } catch (error) {
    // It ended a moment ago.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Resolves when nothing more is to be read, or will not be waited for. */
async function linesEnd(stream: Readable | null): Promise<void> {
  if (stream === null || stream.readableEnded) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, LAST_LINES_WAIT);
    stream.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
  });
  stream.destroy();
}

function readLines(stream: Readable | null, report: (line: string) => void): void {
  let rest = "";
  const flush = (text: string): void => {
    const line = text.replace(/\r$/u, "");
    if (line !== "") report(line);
  };
  stream?.setEncoding("utf8");
  stream?.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = (lines.pop() ?? "").slice(0, LONGEST_LINE);
    for (const line of lines) flush(line.slice(0, LONGEST_LINE));
  });
  stream?.on("end", () => flush(rest));
  stream?.on("error", () => {});
}
