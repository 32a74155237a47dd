/** What status and migrate print, to the letter; and what they say of a store that they cannot use. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { loadDriver } from "../../src/backends/sqlite/driver.ts";
import { task, Worker } from "../../src/index.ts";
import { make, version1 } from "../sqlite/schemas/versions.ts";
import { onStore, project, sidereal, WORK } from "./program.ts";

const good = task("good", { queue: "mail" }, async () => null);
const bad = task("bad", { queue: "mail" }, async () => {
  throw new Error("as planned");
});
const later = task("later", async () => null);

/** A folder whose store holds records of every kind but running ones. */
async function filled(): Promise<string> {
  const cwd = project({ "app.mjs": WORK });
  await onStore(cwd, async (service) => {
    const worker = await new Worker(service).start();
    const handles = [...(await service.enqueueMany(good, [undefined, undefined])), await service.enqueue(bad)];
    for (const handle of handles) await handle.result({ timeout: "20s" }).catch(() => null);
    await worker.stop();
    await service.enqueueMany(later, [undefined, undefined, undefined]);
    await service.enqueue(later, undefined, { delay: "1h" });
    await (await service.enqueue(good)).cancel();
  });
  return cwd;
}

describe("status", async () => {
  const cwd = await filled();

  it("prints this table and nothing else", async () => {
    const { code, stdout, stderr } = await sidereal(["status"], { cwd });
    assert.equal(code, 0);
    assert.equal(stderr, "");
    const table = [
      "Status         Count",
      "------------  ------",
      "pending            3",
      "scheduled          1",
      "running            0",
      "completed          2",
      "failed             1",
      "cancelled          1",
      "total              8",
      "",
    ];
    assert.equal(stdout, table.join("\n"));
  });

  it("prints one JSON object with the seven keys", async () => {
    const { code, stdout, stderr } = await sidereal(["status", "--json"], { cwd });
    assert.equal(code, 0);
    assert.equal(stderr, "");
    const json = '{"pending":3,"scheduled":1,"running":0,"completed":2,"failed":1,"cancelled":1,"total":8}\n';
    assert.equal(stdout, json);
  });

  it("counts one queue only", async () => {
    const { stdout } = await sidereal(["status", "--json", "--queue", "mail"], { cwd });
    assert.deepEqual(JSON.parse(stdout), {
      ...{ pending: 0, scheduled: 0, running: 0, completed: 2, failed: 1, cancelled: 1, total: 4 },
    });
    const { stdout: none } = await sidereal(["status", "--json", "--queue", "nobody"], { cwd });
    assert.equal(JSON.parse(none).total, 0);
  });

  it("creates nothing: a file that is not there is an error with advice", async () => {
    const empty = project({ "app.mjs": WORK });
    const { code, stdout, stderr } = await sidereal(["status"], { cwd: empty });
    assert.equal(code, 1);
    assert.equal(stdout, "");
    assert.match(stderr, /no queue yet[\s\S]*working directory[\s\S]*sidereal migrate/);
    assert.ok(!existsSync(join(empty, "queue.db")));
  });

  it("does not run the task modules", async () => {
    const broken = project({
      "app.mjs": `import { defineQueues } from "sidereal"; import { sqlite } from "sidereal/sqlite";
        export default defineQueues({ queueBackend: sqlite("queue.db"), taskModules: ["none/*.ts"] });`,
    });
    await onStore(broken, async () => {});
    assert.equal((await sidereal(["status"], { cwd: broken })).code, 0);
  });

  it("says what the counts of a memory store are worth", async () => {
    const memory = project({ "app.mjs": `import { defineQueues } from "sidereal"; export default defineQueues({});` });
    const { code, stdout, stderr } = await sidereal(["status", "--json"], { cwd: memory });
    assert.equal(code, 0);
    assert.equal(JSON.parse(stdout).total, 0);
    assert.match(stderr, /fresh, empty/);
  });

  it("is not told apart by who reads it to the end", async () => {
    const command = ["/bin/sh", "-c", `"${process.execPath}" "$0" "$@" | true`];
    if (process.platform === "win32") return;
    const { stderr } = await sidereal(["status"], {
      cwd,
      command: [...command, join(cwd, "node_modules/sidereal/dist/cli/bin.js")],
    });
    assert.equal(stderr, "");
  });
});

describe("a database that may not be written", { skip: process.platform === "win32" && "no POSIX permissions" }, () => {
  it("is named, with what to check", async () => {
    const cwd = await filled();
    chmodSync(join(cwd, "queue.db"), 0o444);
    for (const suffix of ["-wal", "-shm"])
      if (existsSync(join(cwd, `queue.db${suffix}`))) chmodSync(join(cwd, `queue.db${suffix}`), 0o444);
    chmodSync(cwd, 0o555);
    try {
      const options = { cwd, ...(process.getuid?.() === 0 && { uid: 65_534 }) };
      const { code, stdout, stderr } = await sidereal(["run"], options);
      assert.equal(code, 1, stdout);
      assert.match(stderr, /queue\.db[\s\S]*STORE_(?:READ_ONLY|UNAVAILABLE)/);
      assert.doesNotMatch(stderr, /\n\s+at /);
    } finally {
      chmodSync(cwd, 0o755);
    }
  });
});

describe("migrate", () => {
  it("creates the schema, says so, and then that it is current", async () => {
    const cwd = project({ "app.mjs": WORK });
    const first = await sidereal(["migrate"], { cwd });
    assert.equal(first.code, 0);
    assert.match(first.stdout, /^sqlite: migrated from schema version 0 to \d+ \(\d+ statements\)\n$/);
    assert.equal(first.stderr, "");
    const second = await sidereal(["migrate"], { cwd });
    assert.match(second.stdout, /^sqlite: schema is current \(version \d+\)\n$/);
    const dry = await sidereal(["migrate", "--dry-run"], { cwd });
    assert.deepEqual([dry.code, dry.stdout], [0, ""]);
    assert.match(dry.stderr, /current/);
  });

  it("--dry-run prints the very SQL and touches nothing", async () => {
    const cwd = project({ "app.mjs": WORK });
    const { code, stdout, stderr } = await sidereal(["migrate", "--dry-run"], { cwd });
    assert.equal(code, 0);
    assert.match(stderr, /would go from schema version 0/);
    assert.ok(!existsSync(join(cwd, "queue.db")));
    const open = await loadDriver();
    const connection = open(join(cwd, "queue.db"));
    connection.exec(stdout);
    connection.close();
    assert.match((await sidereal(["migrate"], { cwd })).stdout, /schema is current/);
  });

  it("--dry-run shows what is new since the version of the file, and leaves the file at that version", async () => {
    const cwd = project({ "app.mjs": WORK });
    const open = await loadDriver();
    const connection = open(join(cwd, "queue.db"));
    make(connection, version1);
    connection.close();
    const { code, stdout, stderr } = await sidereal(["migrate", "--dry-run"], { cwd });
    assert.equal(code, 0);
    assert.match(stderr, /would go from schema version 1 to \d+/);
    assert.match(stdout, /alter table sidereal_tasks add column origin text;/);
    assert.match(stdout, /create table sidereal_schedules/);
    assert.doesNotMatch(stdout, /create table sidereal_tasks/);
    assert.match((await sidereal(["migrate"], { cwd })).stdout, /migrated from schema version 1 to \d+/);
  });

  it("says that a memory store has no schema", async () => {
    const cwd = project({ "app.mjs": `import { defineQueues } from "sidereal"; export default defineQueues({});` });
    const { code, stdout, stderr } = await sidereal(["migrate"], { cwd });
    assert.deepEqual([code, stdout], [0, ""]);
    assert.match(stderr, /memory store has no schema/);
  });

  it("leaves a file that is no database as it is", async () => {
    const text = "this is no database, but text\n".repeat(100);
    const cwd = project({ "app.mjs": WORK });
    writeFileSync(join(cwd, "queue.db"), text);
    for (const command of ["migrate", "status"]) {
      const { code, stderr } = await sidereal([command], { cwd });
      assert.equal(code, 1);
      assert.match(stderr, /queue\.db[\s\S]*STORE_CORRUPT/);
    }
    assert.equal(readFileSync(join(cwd, "queue.db"), "utf8"), text);
  });
});
