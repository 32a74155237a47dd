/** `npm run demo` on a server: the Fastify example by one variable, two workers, one of them stopped, nothing left behind. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { root } from "../architecture/source.ts";
import { project, Running } from "../cli/program.ts";
import * as mysql from "../mysql/bench.ts";
import * as postgres from "../postgres/bench.ts";

const command = [process.execPath, join(root, "scripts/demo.mjs"), "--built"];

const PROOFS: readonly RegExp[] = [
  /✓ 3 accounts posted, 3 synced by the server's own process/,
  /✓ accounts posted over HTTP were synced by both workers, none by the server: worker 1 [1-9]\d*, worker 2 [1-9]\d*/,
  /worker 1: sidereal: SIGTERM: claiming no more/,
  /✓ worker 1 drains and exits 0/,
  /✓ (\d+) posted, \1 completed: none lost/,
  /✓ each at its first attempt/,
  /✓ worker 2 exits 0/,
  /✓ the server exits 0/,
];

interface Server {
  readonly title: string;
  readonly address: string;
  readonly skip: string | false;
  /** How many databases of this name there are. */
  count(name: string): Promise<number>;
}

const servers: readonly Server[] = [
  {
    title: "PostgreSQL",
    address: postgres.ADDRESS,
    skip: postgres.skip,
    count: async (name) => (await postgres.raw("select 1 from pg_database where datname = $1", [name])).length,
  },
  {
    title: "MariaDB",
    address: mysql.ADDRESS,
    skip: mysql.skip,
    count: async (name) =>
      (await mysql.raw("select 1 from information_schema.schemata where schema_name = ?", [name])).length,
  },
];

after(mysql.sweep);

function demo(address: string): { readonly running: Running; readonly database: string } {
  const running = new Running([], { cwd: project({}), env: { DATABASE_URL: address }, command });
  return { running, database: `sidereal_demo_${running.child.pid}` };
}

for (const { title, address, skip, count } of servers) {
  describe(`the demonstration on ${title}`, { skip }, () => {
    it("shows two workers that share the work, and one that stops without loss", async () => {
      const { running, database } = demo(address);
      const { code, stdout, stderr } = await running.ended;
      assert.equal(code, 0, stdout + stderr);
      for (const proof of PROOFS) assert.match(stdout, proof);
      assert.equal(await count(database), 0, "its database is left behind");
    });

    it("leaves nothing behind when it is broken off", async () => {
      const { running, database } = demo(address);
      await running.said(/worker [12]: sidereal worker started/, "stdout");
      assert.equal(await count(database), 1);
      running.kill("SIGTERM");
      assert.equal((await running.ended).code, 143);
      assert.equal(await count(database), 0, "its database is left behind");
    });
  });
}
