/** What the tests of the web bridges share: a folder for files, a store that notes its calls, a log that can be read, waits. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import Fastify, { type FastifyInstance } from "fastify";
import type { QueueBackend } from "../../src/index.ts";

/** An empty folder that goes when the file's tests are over. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "sidereal-web-"));
  after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** The store itself, which notes in `calls` when it is opened, claimed from and closed; `overrides` replace methods. */
export function noted<Tx>(
  backend: QueueBackend<Tx>,
  calls: string[],
  overrides: Partial<QueueBackend<Tx>> = {},
): QueueBackend<Tx> {
  return new Proxy(backend, {
    get(target, name) {
      const value = name in overrides ? Reflect.get(overrides, name) : Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (["open", "claim", "close"].includes(String(name)) && calls.at(-1) !== name) calls.push(String(name));
        return value.apply(target, args);
      };
    },
  });
}

export interface LogEntry {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** An application whose log lines can be read. */
export function appWithLog(options: { readonly pluginTimeout?: number } = {}): {
  app: FastifyInstance;
  entries: LogEntry[];
} {
  const entries: LogEntry[] = [];
  const stream = { write: (line: string) => void entries.push(JSON.parse(line)) };
  const app: FastifyInstance = Fastify({ ...options, logger: { level: "debug", stream } });
  after(() => app.close().catch(() => {}));
  return { app, entries };
}

/** Waits until a condition holds; fails with `what` when it never does. */
export async function until(
  what: string,
  condition: () => unknown | Promise<unknown>,
  patience = 10_000,
): Promise<void> {
  const deadline = performance.now() + patience;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited ${patience} ms in vain until ${what}`);
    await pause(5);
  }
}

/** Something that happens once and can be waited for. */
export function signal<T = void>(): { readonly happened: Promise<T>; happen(value: T): void } {
  let happen: (value: T) => void = () => {};
  const happened = new Promise<T>((resolve) => {
    happen = resolve;
  });
  return { happened, happen: (value) => happen(value) };
}
