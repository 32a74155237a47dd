/** What the store says of the server: measured for real, judged by made-up measurements. */
import assert from "node:assert/strict";
import { after, describe, it, test } from "node:test";
import driver from "mysql2/promise";
import { sessionOver } from "../../src/backends/mysql/clients/session.ts";
import type { Context } from "../../src/backends/mysql/context.ts";
import { facts, findings, type ServerFacts } from "../../src/backends/mysql/diagnose.ts";
import { mysql } from "../../src/backends/mysql/index.ts";
import { namesIn } from "../../src/backends/mysql/names.ts";
import { ADDRESS, DATABASE, raw, skip, store, sweep } from "./bench.ts";

after(sweep);

const MIB = 1024 * 1024;
const WELL: ServerFacts = {
  ...{ version: "10.11.6-MariaDB-log", flush: 1, packet: 16 * MIB, readOnly: false, binlog: "MIXED" },
  ...{
    isolation: "REPEATABLE-READ",
    connections: 10,
    limit: 151,
    transactions: [],
    history: 12,
    columns: [],
    tables: [],
  },
};
const OPEN = { connection: "42", age: 120, state: "RUNNING" };

const judged = (wish: Partial<ServerFacts>) =>
  findings({ ...WELL, ...wish })
    .filter(({ level }) => level !== "ok")
    .map(({ check, level, advice }) => [check, level, typeof advice]);

describe("mysql's findings", () => {
  it("are good where all is well, and where the server does not tell", () => {
    assert.deepEqual(judged({}), []);
    assert.deepEqual(judged({ transactions: null, history: null }), []);
    for (const version of ["8.0.36", "8.4.0", "9.1.0", "5.5.5-10.6.12-MariaDB", "11.4.2-MariaDB"]) {
      assert.deepEqual(judged({ version }), [], version);
    }
  });

  const cases: readonly (readonly [Partial<ServerFacts>, string, string])[] = [
    [{ version: "10.5.9-MariaDB" }, "server", "problem"],
    [{ version: "5.5.5-10.5.9-MariaDB" }, "server", "problem"],
    [{ version: "5.7.44-log" }, "server", "problem"],
    [{ readOnly: true }, "server", "problem"],
    [{ flush: 2 }, "durability", "warning"],
    [{ packet: 8 * MIB }, "packet size", "warning"],
    [{ packet: 4 * MIB }, "packet size", "problem"],
    [{ binlog: "STATEMENT" }, "isolation", "problem"],
    [{ connections: 140 }, "connections", "warning"],
    [{ transactions: [OPEN] }, "oldest transaction", "warning"],
    [{ transactions: [{ ...OPEN, age: 3_600 }] }, "oldest transaction", "problem"],
    [{ history: 2_000_000 }, "oldest transaction", "warning"],
    [{ columns: ["sidereal_tasks.input"] }, "tables", "problem"],
    [{ tables: ["sidereal_tasks"] }, "tables", "problem"],
  ];
  for (const [wish, check, level] of cases) {
    it(`${JSON.stringify(wish)} is a ${level}`, () => assert.deepEqual(judged(wish), [[check, level, "string"]]));
  }

  it("say who holds an old transaction, for how long, and how to end it", () => {
    const found = findings({ ...WELL, transactions: [OPEN] }).find(({ check }) => check === "oldest transaction");
    assert.match(found?.message ?? "", /is 2m old \(connection 42, RUNNING\)/u);
    assert.match(found?.advice ?? "", /kill 42/u);
  });
});

test("they come from the server", { skip }, async (t) => {
  const { backend, namespace } = await store(t);
  const found = (await backend.diagnose?.()) ?? [];
  assert.deepEqual(
    found.map(({ check }) => check),
    ["server", "durability", "packet size", "isolation", "connections", "oldest transaction", "tables"],
  );
  assert.match(found[0]?.message ?? "", /^(?:MariaDB|MySQL) \d+\.\d+\.\d+/u);
  assert.match(found[6]?.message ?? "", /all are kept by InnoDB, texts as utf8mb4_bin/u);
  await raw(`alter table ${namespace}_tasks modify description longtext character set latin1`);
  const tables = async (): Promise<string | undefined> =>
    (await backend.diagnose?.())?.find(({ check, level }) => check === "tables" && level === "problem")?.message;
  assert.equal(await tables(), `not kept as utf8mb4_bin: ${namespace}_tasks.description`);
  await raw(`alter table ${namespace}_claims engine = MyISAM`);
  assert.match((await tables()) ?? "", /_claims is not kept by InnoDB/u);
});

test("another connection's transaction is found, in whatever zone the session is", { skip }, async (t) => {
  const { namespace } = await store(t);
  const [other, own] = [await driver.createConnection(ADDRESS), await driver.createConnection(ADDRESS)];
  t.after(() => Promise.all([other.end(), own.end()]));
  await other.query("begin");
  await other.query(`insert into ${namespace}_holds (name, holder) values ('a', 'b')`);
  await own.query("set time_zone = '-07:00'");
  await own.query("begin");
  const context = { session: sessionOver(own), names: namesIn(namespace, false) } as Context;
  const { transactions } = await facts(context);
  const found = transactions?.find(({ connection }) => connection === String(other.threadId));
  assert.ok(found !== undefined && found.age >= 0 && found.age < 600, JSON.stringify(transactions));
});

test("through a lent pool, too; a closed store is not looked at", { skip }, async (t) => {
  const pool = driver.createPool({ uri: ADDRESS, connectionLimit: 2 });
  t.after(() => pool.end());
  await assert.rejects(Promise.resolve(mysql({ pool }).diagnose?.()), { code: "STORE_CLOSED" });
  const { backend } = await store(t, { pool });
  assert.equal((await backend.diagnose?.())?.length, 7);
});

test("a user who may not see transactions gets an answer, too", { skip }, async (t) => {
  const user = `${DATABASE}_u`.slice(-30);
  await raw(`create user '${user}'@'%' identified by 'secret'`);
  await raw(`grant all on ${DATABASE}.* to '${user}'@'%'`);
  t.after(() => raw(`drop user '${user}'@'%'`));
  const address = new URL(ADDRESS);
  address.username = user;
  address.password = "secret";
  const { backend } = await store(t, { url: address.href });
  const finding = (await backend.diagnose?.())?.find(({ check }) => check === "oldest transaction");
  assert.equal(finding?.message, "not known: the user lacks the right PROCESS");
});
