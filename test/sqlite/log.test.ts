/** The write-ahead log stays bounded, whoever reads meanwhile. */
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { test } from "node:test";
import { LOG_BOUND } from "../../src/backends/sqlite/log.ts";
import { drafts, store } from "./bench.ts";
import { answer, start, tell } from "./children.ts";

test("a reader that keeps its place lets the log grow; once it is gone the log is cut", async (t) => {
  const { backend, path } = await store(t);
  await backend.insert(drafts(1));
  const child = start(t, "single", [path]);
  await answer(child);
  await tell(child, "pin");

  const size = (): number => statSync(`${path}-wal`).size;
  const input = `"${"x".repeat(200_000)}"`;
  let at = 10;
  const write = async (): Promise<void> => {
    await backend.insert(drafts(10, at, { input }));
    at += 10;
  };
  while (size() <= LOG_BOUND) await write();
  await tell(child, "unlock");
  for (let round = 0; round < 64; round += 1) await write();
  assert.ok(size() < LOG_BOUND / 2, `the log still has ${size()} bytes`);
  assert.equal((await backend.tally())[0]?.pending, at - 9);
});
