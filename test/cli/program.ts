/** The built program `sidereal`, spawned in folders of its own, as an operator would; and the store it works on. */
import assert from "node:assert/strict";
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after } from "node:test";
import { sqlite } from "../../src/backends/sqlite/index.ts";
import { QueueService } from "../../src/index.ts";
import { root } from "../architecture/source.ts";

export const bin: string = join(root, "dist/cli/bin.js");
assert.ok(existsSync(bin), "dist/ is missing: npm run build");

const folders: string[] = [];
const started = new Set<ChildProcess>();

after(() => {
  for (const child of started) child.kill("SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A project's folder with these files, where `sidereal`, `fastify` and `commander` are installed. */
export function project(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "sidereal-cli-"));
  folders.push(folder);
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules/sidereal"), "junction");
  for (const name of ["fastify", "commander"]) {
    symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name), "junction");
  }
  for (const [name, text] of Object.entries({ "package.json": '{ "type": "module" }', ...files })) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Options {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly ipc?: boolean;
  /** Another user's id, for those who may not write. */
  readonly uid?: number;
  /** What to run instead of `node bin`: a program and its first arguments. */
  readonly command?: readonly string[];
}

/** One running command. */
export class Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = "";
  stderr = "";
  readonly #waiting = new Set<() => void>();

  constructor(args: readonly string[], { cwd, env, ipc = false, uid, command = [process.execPath, bin] }: Options) {
    const [file = "", ...first] = command;
    const clean = { ...process.env, NODE_OPTIONS: "", NO_COLOR: "1", SIDEREAL_APP: "", ...env };
    const stdio: SpawnOptions["stdio"] = ["ignore", "pipe", "pipe", ...(ipc ? (["ipc"] as const) : [])];
    this.child = spawn(file, [...first, ...args], { cwd, env: clean, stdio, ...(uid && { uid, gid: uid }) });
    started.add(this.child);
    this.child.stdout?.on("data", (chunk) => this.#wrote("stdout", chunk));
    this.child.stderr?.on("data", (chunk) => this.#wrote("stderr", chunk));
    this.ended = this.#end();
  }

  /** Resolves once the stream holds this; rejects when the command ends without it. */
  said(pattern: RegExp, stream: "stdout" | "stderr" = "stderr"): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        if (pattern.test(this[stream])) resolve();
        else if (started.has(this.child)) return;
        else reject(new Error(`ended without ${pattern}:\n${this[stream]}`));
        this.#waiting.delete(check);
      };
      this.#waiting.add(check);
      check();
    });
  }

  /** The next message that comes through the channel. */
  message(): Promise<unknown> {
    return new Promise((resolve) => {
      this.child.once("message", resolve);
    });
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Not the event `close`, which never comes after a `disconnect` of ours. */
  async #end(): Promise<Ended> {
    const { stdout, stderr } = this.child;
    const [[code, signal]] = await Promise.all([
      once(this.child, "exit") as Promise<[number | null, NodeJS.Signals | null]>,
      ...[stdout, stderr].map((stream) => stream && once(stream, "close")),
    ]);
    started.delete(this.child);
    for (const check of this.#waiting) check();
    return { code, signal, stdout: this.stdout, stderr: this.stderr };
  }

  #wrote(stream: "stdout" | "stderr", chunk: Buffer): void {
    this[stream] += chunk;
    for (const check of this.#waiting) check();
  }
}

/** Runs a command to its end. */
export function sidereal(args: readonly string[], options: Options): Promise<Ended> {
  return new Running(args, options).ended;
}

/** Does something on the folder's store, as another process beside the command. */
export async function onStore<T>(
  folder: string,
  action: (service: QueueService<never>) => Promise<T>,
  file = "queue.db",
): Promise<T> {
  const service = new QueueService({ queueBackend: sqlite(join(folder, file)) }) as QueueService<never>;
  await service.open();
  try {
    return await action(service);
  } finally {
    await service.close();
  }
}

/** An application of one file whose tasks tell on stderr when they begin. */
export const WORK = `
import { defineQueues, task } from "sidereal";
import { sqlite } from "sidereal/sqlite";

const told = () => process.stderr.write("task began\\n");
export const brief = task("brief", async (input) => input);
export const patient = task("patient", (_, ctx) => new Promise((_, reject) => {
  told();
  ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason));
}));
export const ending = task("ending", async (input) => {
  told();
  await new Promise((resolve) => setTimeout(resolve, input));
});
export const deaf = task("deaf", () => {
  told();
  return new Promise((resolve) => setTimeout(resolve, 600_000));
});
export const stray = task("stray", (_, ctx) => new Promise((_, reject) => {
  setTimeout(() => { throw new Error("stray throw"); });
  ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason));
}));
export default defineQueues({
  queueBackend: sqlite("queue.db"),
  worker: { gracefulShutdownTimeout: "60s", finalCancelTimeout: "60s" },
});
`;
