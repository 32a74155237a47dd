/** Several processes on one file: nobody sees a lock that is not theirs to see, nobody sleeps through another's write. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { sqlite } from "../../src/backends/sqlite/index.ts";
import { hasCode } from "../../src/model/errors.ts";
import { draft, drafts, file, request, store } from "./bench.ts";
import { answer, start, tell } from "./children.ts";

const immediate = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("four processes enqueue, claim and finish at once: every record once, and no lock is ever seen", async (t) => {
  const path = file(t);
  const share = 250;
  const crowd = [0, 1, 2, 3].map((n) => start(t, "crowd", [path, n * share, share, 4 * share].map(String)));
  const finished = (await Promise.all(crowd.map((child) => answer<{ finished: string[] }>(child)))).flatMap(
    (said) => said.finished,
  );
  assert.equal(finished.length, 4 * share);
  assert.equal(new Set(finished).size, 4 * share);
});

test("processes that open a fresh file at the same moment all find it ready", async (t) => {
  const path = file(t);
  const children = [0, 1, 2].map(() => start(t, "single", [path]));
  await Promise.all(children.map((child) => answer(child)));
  const opened = await Promise.all(children.map((child) => tell(child, "open")));
  assert.deepEqual(opened, Array(3).fill({ done: null }));
  await Promise.all(children.map((child) => tell(child, "end")));
});

test("a write of another process wakes a subscriber, and only then", async (t) => {
  const { backend, path } = await store(t);
  const child = start(t, "single", [path]);
  await answer(child);
  await tell(child, "open");
  const hints: string[] = [];
  const hinted = new Promise<void>((resolve) => {
    const stop = backend.signals?.subscribe((hint) => {
      hints.push(hint.about);
      stop?.();
      resolve();
    });
  });
  await backend.claim(request(1));
  for (let turn = 0; turn < 20; turn += 1) await immediate();
  assert.deepEqual(hints, []);
  const { done } = await tell(child, "insert");
  await hinted;
  assert.deepEqual(hints, ["work"]);
  assert.deepEqual(
    (await backend.claim(request(5))).map(({ id }) => id),
    [done],
  );
});

test("a file that another process keeps locked: STORE_BUSY when patience ends, without blocking the event loop", async (t) => {
  const { backend, path } = await store(t, { busyTimeout: 300 });
  const child = start(t, "single", [path]);
  await answer(child);
  await tell(child, "lock");
  let turns = 0;
  let waiting = true;
  const refused = assert.rejects(backend.insert([draft(1)]), (error: Error) => {
    assert.ok(hasCode(error, "STORE_BUSY"), String(error));
    assert.match(error.message, /Could not enqueue: the file .*queue\.db is locked by another connection/u);
    waiting = false;
    return true;
  });
  while (waiting) {
    await immediate();
    turns += 1;
  }
  await refused;
  assert.ok(turns > 20, `the event loop turned only ${turns} times in 300 ms`);
  assert.deepEqual(await backend.tally(), []);
  await tell(child, "unlock");
  assert.equal((await backend.insert([draft(1)]))[0]?.created, true);
});

test("who waits for the lock gets it, in the order of arrival, also if the store is being closed", async (t) => {
  const { backend, path, rows } = await store(t);
  const child = start(t, "single", [path]);
  await answer(child);
  await tell(child, "lock");
  const order: number[] = [];
  const writes = [1, 2, 3].map(async (n) => {
    await backend.insert([draft(n)]);
    order.push(n);
  });
  const closed = backend.close();
  await assert.rejects(backend.insert([draft(4)]), (error) => hasCode(error, "STORE_CLOSED"));
  await tell(child, "unlock");
  await Promise.all([...writes, closed]);
  assert.deepEqual(order, [1, 2, 3]);
  assert.deepEqual(rows("select id from sidereal_tasks order by seq"), [
    ["task-000001"],
    ["task-000002"],
    ["task-000003"],
  ]);
});

test("the last to close leaves one file with everything in it", async (t) => {
  const path = file(t);
  const [first, second] = [sqlite(path), sqlite(path)];
  await first.open();
  await second.open();
  await first.insert(drafts(100));
  await first.close();
  assert.equal((await second.tally())[0]?.pending, 100);
  await second.close();
  // The drop-in library keeps its handles until they are collected; the log that it leaves behind is empty.
  const builtIn = process.versions.node.split(".")[0] !== "20";
  if (builtIn) assert.ok(!existsSync(`${path}-wal`));
});
