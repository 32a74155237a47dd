/** A store in tables of its own, and what the tests need to look behind it. */
import type { TestContext } from "node:test";
import driver from "mysql2/promise";
import { type MysqlOptions, type MysqlTransaction, mysql } from "../../src/backends/mysql/index.ts";
import type { Clock } from "../../src/contracts/clock.ts";
import type { QueueBackend } from "../../src/contracts/queue-backend.ts";
import type { Bench } from "../../src/testing/backend-contract/index.ts";
import { type SqlServer, within } from "../sql/server.ts";

/** The server; the tests make databases of their own in it. */
const SERVER: string = process.env["SIDEREAL_TEST_MYSQL"] ?? "mysql://root@127.0.0.1:3306";

/** The database of this test file; its process makes and drops it. */
export const DATABASE = `sidereal_test_${process.pid}`;
export const ADDRESS: string = `${SERVER}/${DATABASE}`;

/** Why the tests of this folder are left out; false: a server answers. */
export const skip: string | false = await reachable();

async function reachable(): Promise<string | false> {
  let connection: driver.Connection;
  try {
    connection = await driver.createConnection({ uri: SERVER, connectTimeout: 3_000 });
  } catch {
    return "no server: MariaDB";
  }
  try {
    await connection.query(`create database if not exists ${DATABASE}`);
    return false;
  } finally {
    await connection.end();
  }
}

let namespaces = 0;

/** A namespace that no other test of this file has. */
export function freshNamespace(): string {
  namespaces += 1;
  return `test_${namespaces}`;
}

/** Runs a statement on a connection of its own. */
export async function raw(text: string, values: unknown[] = []): Promise<unknown[][]> {
  const connection = await driver.createConnection({ uri: ADDRESS });
  try {
    const [rows] = await connection.query({ sql: text, values, rowsAsArray: true });
    return rows as unknown[][];
  } finally {
    await connection.end();
  }
}

/** Namespaces of finished tests, emptied: making tables costs more than most tests. */
const spare: string[] = [];

/** Empties a namespace for the next test. */
async function empty(namespace: string): Promise<void> {
  const connection = await driver.createConnection({ uri: ADDRESS });
  try {
    for (const table of ["tasks", "claims", "holds", "schedules"])
      await connection.query(`delete from ${namespace}_${table}`);
    await connection.query(`update ${namespace}_store set clock = 0`);
    spare.push(namespace);
  } catch {
    // A test that never opened its store.
  } finally {
    await connection.end();
  }
}

/** Removes everything; to be called after the last test of a file. */
export async function sweep(): Promise<void> {
  if (skip === false) await raw(`drop database if exists ${DATABASE}`);
}

/** An open store in fresh tables, closed after the test. */
export async function store(
  test: TestContext,
  options: MysqlOptions = { url: ADDRESS },
): Promise<{ backend: QueueBackend<MysqlTransaction>; namespace: string }> {
  const namespace = freshNamespace();
  const backend = mysql(options);
  test.after(() => backend.close());
  await backend.open({ namespace });
  return { backend, namespace };
}

/** The store, which opens under this namespace whatever it is asked for. */
export function named(backend: QueueBackend<MysqlTransaction>, namespace: string): QueueBackend<MysqlTransaction> {
  return new Proxy(backend, {
    get: (target, name) => {
      if (name === "open") return () => target.open({ namespace });
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

/** How the benches of one kind reach the server: what each store is given, and how a caller's own transaction is made. */
export interface Way {
  options(): MysqlOptions | Promise<MysqlOptions>;
  transaction<T>(body: (tx: MysqlTransaction) => Promise<T>): Promise<T>;
}

/** What the contract suite asks for. @param clock - The store's time; undefined: the server's. @param opening - Makes a store. */
export async function bench(
  clock: Clock | undefined,
  way: Way = byAddress,
  opening: (options: MysqlOptions) => QueueBackend<MysqlTransaction> = mysql,
): Promise<Bench<MysqlTransaction>> {
  const namespace = spare.pop() ?? freshNamespace();
  const make = async (): Promise<QueueBackend<MysqlTransaction>> =>
    named(opening({ ...(await way.options()), ...(clock && { clock }) }), namespace);
  return {
    backend: await make(),
    another: make,
    transaction: (body) => way.transaction(body),
    dispose: () => empty(namespace),
  };
}

/** By an address, and transactions by a connection of the caller's own, at the server's own isolation level. */
export const byAddress: Way = {
  options: () => ({ url: ADDRESS }),
  transaction: async (body) => {
    const connection = await driver.createConnection({ uri: ADDRESS });
    return within(
      (text) => connection.query(text),
      () => body(connection),
      () => connection.end(),
    );
  },
};

/** For the tests that every store on a server has. */
export const server: SqlServer = {
  kind: "mysql",
  skip,
  address: ADDRESS,
  make: () => mysql(ADDRESS) as QueueBackend<unknown>,
  store: async (t) => (await store(t)) as Awaited<ReturnType<SqlServer["store"]>>,
  fresh: freshNamespace,
  raw: (text) => raw(text),
  table: (namespace, what) => `${namespace}_${what === "live" || what === "done" ? "tasks" : what}`,
  kill: async (_, over) => {
    const sessions = "select id from information_schema.processlist where db = ? and id <> connection_id()";
    let isOver = false;
    void over.then(() => (isOver = true));
    while (!isOver) for (const [id] of await raw(sessions, [DATABASE])) await raw(`kill ${Number(id)}`).catch(() => {});
  },
};
