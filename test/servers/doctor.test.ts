/** `sidereal doctor`, by the real program, on servers of the test's own: healthy ones, and ones that need a hand. */
import assert from "node:assert/strict";
import { it, type TestContext } from "node:test";
import driver from "mysql2/promise";
import pg from "pg";
import type { Finding } from "../../src/index.ts";
import { project, Running, sidereal } from "../cli/program.ts";
import { missing, type OwnServer, ownServer } from "./own-server.ts";

interface Report {
  readonly problems: number;
  readonly findings: readonly Finding[];
}

/** What the machine, not the queue, is told of. */
const AROUND = ["runtime", "disk space"];

/** A server with a project whose worker runs. */
async function made(t: TestContext, kind: "postgres" | "mysql"): Promise<[server: OwnServer, folder: string]> {
  const server = await ownServer(kind);
  const app = `
    import { defineQueues, task } from "sidereal";
    import { ${kind} } from "sidereal/${kind}";
    export const brief = task("brief", async (input) => input);
    export default defineQueues({ queueBackend: ${kind}(${JSON.stringify(server.address())}) });`;
  const folder = project({ "app.mjs": app });
  const { code, stderr } = await sidereal(["migrate"], { cwd: folder });
  assert.equal(code, 0, stderr);
  const worker = new Running(["run"], { cwd: folder });
  await worker.said(/worker started/);
  t.after(async () => {
    worker.kill("SIGTERM");
    await worker.ended;
    await server.dispose();
  });
  return [server, folder];
}

/** What is not well, the exit code, and the message about this check. */
async function examined(cwd: string, check: string): Promise<{ bad: string[]; code: number | null; message: string }> {
  const { code, stdout, stderr } = await sidereal(["doctor", "--json"], { cwd });
  assert.equal(stderr, "");
  const { findings } = JSON.parse(stdout) as Report;
  const bad = findings.filter((finding) => finding.level !== "ok" && !AROUND.includes(finding.check));
  const message = findings.find((finding) => finding.check === check)?.message ?? "";
  return { code, bad: bad.map((finding) => `${finding.check} ${finding.level}`), message };
}

it("PostgreSQL: well; then an old snapshot, dead rows that it keeps, and a missing index", {
  skip: missing("postgres"),
}, async (t) => {
  const [server, folder] = await made(t, "postgres");
  const [old, client] = [0, 1].map(() => new pg.Client({ connectionString: server.address() })) as [
    pg.Client,
    pg.Client,
  ];
  await Promise.all([old.connect(), client.connect()]);
  const well = await examined(folder, "postgresql");
  assert.deepEqual([well.bad, well.code], [[], 0]);
  assert.match(well.message, /^PostgreSQL \d+\.\d+/u);

  await old.query("set application_name = 'report'; begin isolation level repeatable read; select 1");
  // Each insert takes a transaction of its own within this one.
  await client.query(`do $$ begin
    for n in 1..110000 loop
      begin
        insert into sidereal.live (id, task_name, queue, execution, policy, created_at, queued_at, ready_at, seq)
          values ('id ' || n, 'nobody.runs', 'default', 'local', '[0,"fixed",0,1,0,0,null,1]', 1, 1, 1, n);
      exception when unique_violation then null;
      end;
    end loop;
  end $$`);
  await client.query("delete from sidereal.live");
  await client.query("drop index sidereal.live_key");
  // A session tells its numbers at its end at the latest.
  await client.end();
  const ill = await examined(folder, "oldest transaction");
  await old.end();
  assert.deepEqual(ill.bad, ["oldest transaction warning", "vacuum warning", "indexes problem"]);
  assert.equal(ill.code, 1);
  assert.match(ill.message, /session \d+ of "report", idle in transaction/u);
  const { stdout } = await sidereal(["doctor"], { cwd: folder });
  assert.match(stdout, /^problem {2}indexes +missing: live_key\n +fix: /mu);
  assert.match(stdout, /^warning {2}vacuum +110,000 dead rows in live/mu);
});

it("MariaDB: well; then commits that are not on disk, packets that are small, and another character set", {
  skip: missing("mysql"),
}, async (t) => {
  const [server, folder] = await made(t, "mysql");
  const connection = await driver.createConnection({ uri: server.address() });
  const well = await examined(folder, "server");
  assert.deepEqual([well.bad, well.code], [[], 0]);
  assert.match(well.message, /^MariaDB \d+\.\d+/u);

  await connection.query("set global innodb_flush_log_at_trx_commit = 2");
  await connection.query("set global max_allowed_packet = 4194304");
  await connection.query("alter table sidereal_tasks modify description longtext character set latin1");
  await connection.end();
  const ill = await examined(folder, "tables");
  assert.deepEqual([ill.bad, ill.code], [["durability warning", "packet size problem", "tables problem"], 1]);
  assert.equal(ill.message, "not kept as utf8mb4_bin: sidereal_tasks.description");
  const { stdout } = await sidereal(["doctor"], { cwd: folder });
  assert.match(stdout, /^warning {2}durability +innodb_flush_log_at_trx_commit is 2: .*\n +fix: /mu);
});
