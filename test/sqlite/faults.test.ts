/** What a disk can do to a file: each fault is a typed error that names the file, and nothing is half-written. */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { SqliteBackend } from "../../src/backends/sqlite/backend.ts";
import type { OwnConnection } from "../../src/backends/sqlite/driver.ts";
import { sqlite } from "../../src/backends/sqlite/index.ts";
import { systemClock } from "../../src/host/clock.ts";
import { type ErrorCode, hasCode } from "../../src/model/errors.ts";
import { completed } from "../../src/model/lifecycle.ts";
import { allRecords } from "../../src/testing/records.ts";
import { connect, draft, drafts, file, raw, request, store } from "./bench.ts";
import { answer, start, tell } from "./children.ts";

const refusal =
  (code: ErrorCode, message: RegExp) =>
  (error: Error): boolean => {
    assert.ok(hasCode(error, code), `${error.name}: ${error.message}`);
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /SQLITE_|ERR_|\n/u);
    return true;
  };

test("a full disk: STORE_FULL, nothing of the batch is there, and the store goes on when there is space", async (t) => {
  const path = file(t);
  let own: OwnConnection | undefined;
  const driver = async () => (name: string) => {
    own = connect(name);
    return own;
  };
  const settings = { path, file: path, synchronous: "normal", patience: 1_000 } as const;
  const backend = new SqliteBackend({ ...settings, clock: systemClock, driver });
  await backend.open();
  t.after(() => backend.close());
  await backend.insert(drafts(5));
  const pages = raw(path, (db) => Object.values(db.prepare("pragma page_count").get() as object)[0]);
  own?.exec(`pragma max_page_count = ${pages}`);

  const large = drafts(20, 100, { input: `"${"x".repeat(2_000)}"` });
  await assert.rejects(
    backend.insert(large),
    refusal("STORE_FULL", /Could not enqueue: the file .*queue\.db cannot grow/u),
  );
  assert.equal((await backend.tally())[0]?.pending, 5);
  const taken = await backend.claim(request(5));
  assert.equal(taken.length, 5);
  const result = `"${"y".repeat(500_000)}"`;
  const changes = taken.map((from) => ({ from, to: completed(from, { now: from.startedAt ?? 0, result }) }));
  await assert.rejects(backend.apply(changes), refusal("STORE_FULL", /Could not write changes/u));
  assert.equal((await backend.tally())[0]?.running, 5);

  own?.exec("pragma max_page_count = 1000000");
  assert.deepEqual(await backend.apply(changes), Array(5).fill(true));
  assert.equal((await backend.insert(large)).filter(({ created }) => created).length, 20);
  assert.deepEqual(
    raw(path, (db) => db.prepare("pragma integrity_check").get()),
    Object.assign(Object.create(null), { integrity_check: "ok" }),
  );
});

test("no database: STORE_CORRUPT, and the file stays as it was", async (t) => {
  const path = file(t, "notes.txt");
  const text = "Dear diary, this is not a database at all. ".repeat(100);
  writeFileSync(path, text);
  await assert.rejects(sqlite(path).open(), refusal("STORE_CORRUPT", /notes\.txt is not an SQLite database/u));
  await assert.rejects(async () => sqlite(path).schema?.plan(), refusal("STORE_CORRUPT", /notes\.txt/u));
  assert.equal(readFileSync(path, "utf8"), text);
});

test("a database with holes: STORE_CORRUPT where they are met", async (t) => {
  const { backend, path } = await store(t);
  await backend.insert(drafts(2_000));
  await backend.close();
  const bytes = readFileSync(path);
  bytes.fill(0x5a, 8 * 4_096, 40 * 4_096);
  writeFileSync(path, bytes);
  const again = sqlite(path);
  const use = async (): Promise<void> => {
    await again.open();
    await allRecords(again);
  };
  await assert.rejects(use(), refusal("STORE_CORRUPT", /queue\.db is damaged/u));
  await again.close();
});

test("a folder that is not there, or a folder in the file's place: what to do is said", async (t) => {
  const path = file(t);
  const lost = join(dirname(path), "data", "queue.db");
  await assert.rejects(
    sqlite(lost).open(),
    refusal("STORE_UNAVAILABLE", /there is no folder .*data; create it first/u),
  );
  mkdirSync(path);
  await assert.rejects(sqlite(path).open(), refusal("STORE_UNAVAILABLE", /queue\.db is a folder; name a file in it/u));
});

test("a file, or its folder, that may not be written: STORE_READ_ONLY at once", async (t) => {
  const { backend, path } = await store(t);
  await backend.insert([draft(1)]);
  await backend.close();
  // Whoever may do everything is no test: such a run hands the file to somebody who may not.
  const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  for (const [target, mode] of [
    [path, 0o444],
    [dirname(path), 0o555],
  ] as const) {
    chmodSync(path, 0o666);
    chmodSync(dirname(path), 0o777);
    chmodSync(target, mode);
    const child = start(t, "single", [path], nobody);
    await answer(child);
    const said = await tell(child, "open");
    assert.equal(said.code, "STORE_READ_ONLY", JSON.stringify(said));
    child.disconnect();
  }
  chmodSync(dirname(path), 0o777);
});
