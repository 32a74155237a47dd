/** What the store says of the disk under it: measured for real, judged by made-up measurements. */
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { findings, type StoreFacts } from "../../src/backends/sqlite/diagnose.ts";
import { sqlite } from "../../src/backends/sqlite/index.ts";
import { intercepted } from "../../src/testing/intercept.ts";

const MIB = 1024 * 1024;
const WELL: StoreFacts = {
  ...{ path: "queue.db", version: "3.50.0", journal: "wal", synchronous: "normal", size: 4 * MIB, log: 0 },
  ...{ free: 9_000 * MIB, fileSystem: 0xef53, writableByAll: false, integrity: "ok" },
};
const folder = mkdtempSync(join(tmpdir(), "sidereal-diagnose-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const judged = (wish: Partial<StoreFacts>) =>
  findings({ ...WELL, ...wish })
    .filter(({ level }) => level !== "ok")
    .map(({ check, level, advice }) => [check, level, typeof advice]);

describe("sqlite's findings", () => {
  it("are good where all is well, and leave out what the system does not tell", () => {
    assert.deepEqual(judged({}), []);
    assert.equal(findings(WELL).length, 6);
    assert.equal(findings({ ...WELL, free: null, fileSystem: null }).length, 4);
    assert.match(findings(WELL)[0]?.message ?? "", /SQLite 3\.50\.0, journal wal, synchronous normal, 4 MiB/);
  });

  const cases: readonly (readonly [Partial<StoreFacts>, string, string])[] = [
    [{ fileSystem: 0x6969 }, "file system", "problem"],
    [{ fileSystem: 0xff534d42 }, "file system", "problem"],
    [{ fileSystem: 0xff534d42 - 2 ** 32 }, "file system", "problem"],
    [{ fileSystem: 0x65735546 }, "file system", "warning"],
    [{ free: 99 * MIB }, "disk space", "problem"],
    [{ free: 500 * MIB }, "disk space", "warning"],
    [{ log: 200 * MIB }, "write-ahead log", "warning"],
    [{ writableByAll: true }, "permissions", "warning"],
    [{ integrity: "*** in database main ***\nTree 5 page 9: free space corruption" }, "integrity", "problem"],
  ];
  for (const [wish, check, level] of cases) {
    it(`${JSON.stringify(wish)} is a ${level}`, () => assert.deepEqual(judged(wish), [[check, level, "string"]]));
  }

  it("come from the real file, also through a door in front of the store", async () => {
    const path = join(folder, "queue.db");
    const store = sqlite(path);
    await assert.rejects(Promise.resolve(store.diagnose?.()), { code: "STORE_CLOSED" });
    await store.open();
    try {
      const door = intercepted(store, (_, send) => send());
      const found = (await door.diagnose?.()) ?? [];
      const checks = found.map(({ check }) => check);
      for (const check of ["sqlite", "write-ahead log", "permissions", "integrity"]) assert.ok(checks.includes(check));
      assert.match(found[0]?.message ?? "", /^SQLite 3\.\d+\.\d+, journal wal, synchronous normal, \d+ KiB$/);
      if (process.platform === "win32") return;
      chmodSync(path, 0o666);
      const open = (await store.diagnose?.())?.find(({ check }) => check === "permissions");
      assert.deepEqual([open?.level, open?.advice], ["warning", `Take the right away: chmod o-w ${path}`]);
    } finally {
      await store.close();
    }
  });
});
