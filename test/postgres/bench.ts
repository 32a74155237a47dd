/** A store in a schema of its own, and what the tests need to look behind it. */
import type { TestContext } from "node:test";
import pg from "pg";
import { type PostgresOptions, type PostgresTransaction, postgres } from "../../src/backends/postgres/index.ts";
import type { Clock } from "../../src/contracts/clock.ts";
import type { QueueBackend } from "../../src/contracts/queue-backend.ts";
import type { Bench } from "../../src/testing/backend-contract/index.ts";
import { type SqlServer, within } from "../sql/server.ts";

/** The server; a database of the tests' own in it is named by the environment. */
export const ADDRESS: string = process.env["SIDEREAL_TEST_POSTGRES"] ?? "postgres://postgres@127.0.0.1:5432/postgres";

/** Why the tests of this folder are left out; false: a server answers. */
export const skip: string | false = await reachable();

async function reachable(): Promise<string | false> {
  const client = new pg.Client({ connectionString: ADDRESS, connectionTimeoutMillis: 3_000 });
  try {
    await client.connect();
    return false;
  } catch {
    return "no server: PostgreSQL";
  } finally {
    await client.end().catch(() => {});
  }
}

let schemas = 0;

/** A namespace that no other test of this run has. */
export function freshNamespace(): string {
  schemas += 1;
  return `test_${process.pid}_${schemas}`;
}

/** Runs a statement, or several without values, on a connection of its own. */
export async function raw(text: string, values?: unknown[]): Promise<unknown[][]> {
  const client = new pg.Client({ connectionString: ADDRESS });
  await client.connect();
  try {
    const { rows } = await client.query({ text, ...(values && { values }), rowMode: "array" });
    return rows;
  } finally {
    await client.end();
  }
}

/** Namespaces of finished tests, emptied: making a schema costs more than most tests. */
const spare: string[] = [];

/** Empties a namespace for the next test; `sweep` removes it in the end. */
async function empty(namespace: string): Promise<void> {
  const tables = ["live", "done", "holds", "schedules"].map((table) => `delete from "${namespace}".${table};`);
  try {
    await raw(`${tables.join(" ")} update "${namespace}".store set clock = 0`);
    spare.push(namespace);
  } catch {
    await drop(namespace);
  }
}

/** Removes what `bench` made; to be called after the last test of a file. */
export async function sweep(): Promise<void> {
  for (const namespace of spare.splice(0)) await drop(namespace);
}

/** Removes a namespace. */
export async function drop(namespace: string): Promise<void> {
  await raw(`drop schema if exists "${namespace}" cascade`);
}

/** An open store in a fresh schema, closed and removed after the test. */
export async function store(
  test: TestContext,
  options: PostgresOptions = { connectionString: ADDRESS },
): Promise<{ backend: QueueBackend<PostgresTransaction>; namespace: string }> {
  const namespace = freshNamespace();
  const backend = postgres(options);
  test.after(async () => {
    await backend.close();
    await drop(namespace);
  });
  await backend.open({ namespace });
  return { backend, namespace };
}

/** The store, which opens under this namespace whatever it is asked for. */
export function named(
  backend: QueueBackend<PostgresTransaction>,
  namespace: string,
): QueueBackend<PostgresTransaction> {
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
  options(): PostgresOptions | Promise<PostgresOptions>;
  transaction<T>(body: (tx: PostgresTransaction) => Promise<T>): Promise<T>;
  /** The stores of a bench are closed. */
  dispose?(): Promise<void>;
}

/** What the contract suite asks for. @param clock - The store's time; undefined: the server's. @param opening - Makes a store. */
export async function bench(
  clock: Clock | undefined,
  way: Way = byAddress,
  opening: (options: PostgresOptions) => QueueBackend<PostgresTransaction> = postgres,
): Promise<Bench<PostgresTransaction>> {
  const namespace = spare.pop() ?? freshNamespace();
  const make = async (): Promise<QueueBackend<PostgresTransaction>> =>
    named(opening({ ...(await way.options()), ...(clock && { clock }) }), namespace);
  return {
    backend: await make(),
    another: make,
    transaction: (body) => way.transaction(body),
    dispose: async () => {
      await way.dispose?.();
      await empty(namespace);
    },
  };
}

/** By an address, and transactions by a client of `pg`. */
export const byAddress: Way = {
  options: () => ({ connectionString: ADDRESS }),
  transaction: async (body) => {
    const client = new pg.Client({ connectionString: ADDRESS });
    await client.connect();
    return within(
      (text) => client.query(text),
      () => body(client),
      () => client.end(),
    );
  },
};

/** For the tests that every store on a server has. */
export const server: SqlServer = {
  kind: "postgres",
  skip,
  address: ADDRESS,
  make: () => postgres(ADDRESS) as QueueBackend<unknown>,
  store: async (t) => (await store(t)) as Awaited<ReturnType<SqlServer["store"]>>,
  fresh: (t) => {
    const namespace = freshNamespace();
    t.after(() => drop(namespace));
    return namespace;
  },
  raw: (text) => raw(text),
  table: (namespace, what) => `"${namespace}".${what}`,
  kill: async (namespace, over) => {
    const sessions = "from pg_stat_activity where application_name = 'sidereal' and query like $1";
    let isOver = false;
    void over.then(() => (isOver = true));
    while (!isOver) await raw(`select pg_terminate_backend(pid) ${sessions}`, [`%"${namespace}"%`]);
  },
};
