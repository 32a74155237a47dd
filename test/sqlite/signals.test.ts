/** Wake-ups where the system's file watch is silent, lies, or loses its file. */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { appendFileSync, type FSWatcher, type watch, writeFileSync } from "node:fs";
import { test } from "node:test";
import { FileSignals } from "../../src/backends/sqlite/signals.ts";
import type { Hint } from "../../src/contracts/signals.ts";
import { systemClock } from "../../src/host/clock.ts";
import { file } from "./bench.ts";

/** A store as its signals see it: a file that is touched, a version and counters that a test sets. */
function stage(t: Parameters<typeof file>[0], watcher: typeof watch) {
  const path = file(t, "queue.db-wal");
  writeFileSync(path, "");
  const counters = { work: 0, ended: 0, cancels: 0 };
  let version = 1;
  const hints: Hint["about"][] = [];
  let heard = (): void => {};
  const signals = new FileSignals({
    clock: systemClock,
    file: path,
    version: () => version,
    counters: () => ({ ...counters }),
    watch: watcher,
  });
  const stop = signals.subscribe((hint) => {
    hints.push(hint.about);
    heard();
  });
  t.after(stop);
  const write = (change: Partial<typeof counters>): void => {
    Object.assign(counters, change);
    version += 1;
    appendFileSync(path, ".");
  };
  // The timer also keeps the process alive: neither the watch nor the poll does.
  const next = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error("no hint within 10 s")), 10_000);
      heard = () => {
        clearTimeout(late);
        resolve();
      };
    });
  return { signals, hints, write, next };
}

const silent = (() => Object.assign(new EventEmitter(), { close: () => {} })) as unknown as typeof watch;
const refusing = (() => {
  throw new Error("no more watches");
}) as unknown as typeof watch;

for (const [name, watcher] of [
  ["is silent", silent],
  ["cannot be had", refusing],
] as const) {
  test(`a watch that ${name}: the poll finds every write`, async (t) => {
    const { hints, write, next } = stage(t, watcher);
    for (const [change, about] of [
      [{ work: 1 }, "work"],
      [{ cancels: 1 }, "cancel"],
      [{ ended: 1, work: 2 }, "any"],
    ] as const) {
      const come = next();
      write(change);
      await come;
      assert.equal(hints.at(-1), about);
    }
    assert.deepEqual(hints, ["work", "cancel", "any"]);
  });
}

test("a watch whose file was replaced is taken up again", async (t) => {
  const watchers: EventEmitter[] = [];
  const watcher = (() => {
    const made = Object.assign(new EventEmitter(), { close: () => made.removeAllListeners() });
    watchers.push(made);
    return made as unknown as FSWatcher;
  }) as unknown as typeof watch;
  const { write, next } = stage(t, watcher);
  assert.equal(watchers.length, 1);
  const come = next();
  write({ work: 1 });
  watchers[0]?.emit("change", "rename");
  await come;
  const again = next();
  write({ work: 2 });
  await again;
  assert.ok(watchers.length > 1);
});

test("writes of others that are nobody's business, and own ones, are told to nobody", async (t) => {
  const { signals, hints, write, next } = stage(t, silent);
  signals.left({ work: 5, ended: 5, cancels: 5 });
  const come = next();
  write({ work: 5, ended: 5, cancels: 5 });
  write({ work: 6 });
  await come;
  assert.deepEqual(hints, ["work"]);
});
