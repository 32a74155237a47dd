/** PostgreSQL and MariaDB under test: a server of the round's own behind a relay, and half of the workers lend a pool. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import driver from "mysql2/promise";
import pg from "pg";
import { mysql } from "../../src/backends/mysql/index.ts";
import { postgres } from "../../src/backends/postgres/index.ts";
import type { QueueBackend } from "../../src/contracts/queue-backend.ts";
import { ownServer } from "../servers/own-server.ts";
import { Relay } from "../servers/relay.ts";
import type { Stage, StoreUnderTest } from "./stores.ts";
import { type Surgery, Trouble } from "./trouble.ts";

/** Connections of a pool that is lent. */
const LENT = 4;

export const postgresServer: StoreUnderTest = {
  name: "postgres",
  hasServer: true,
  stage: () => stage("postgres", postgresSurgery, async (address) => amcheck(address), ["pg_wal"]),
  connect: (place, lends) => {
    if (!lends) return { backend: postgres(place) as QueueBackend<unknown>, hog: null };
    // As docs/stores.md asks of whoever lends a pool: attempts to connect are bounded, a vanished client keeps no lock for
    // long, and somebody listens for the failures of idle connections.
    const pool = new pg.Pool({
      ...{ connectionString: place, max: LENT, connectionTimeoutMillis: 5_000 },
      options: "-c idle_in_transaction_session_timeout=5000",
    });
    pool.on("error", () => {});
    const hog = (ms: number): Promise<void> => hogged(() => listening(pool), ms);
    return { backend: postgres({ pool }) as QueueBackend<unknown>, hog };
  },
};

export const mysqlServer: StoreUnderTest = {
  name: "mysql",
  hasServer: true,
  stage: () => stage("mysql", mysqlSurgery, checkTables, [""]),
  connect: (place, lends) => {
    if (!lends) return { backend: mysql(place) as QueueBackend<unknown>, hog: null };
    const pool = driver.createPool({ uri: place, connectionLimit: LENT, connectTimeout: 5_000 });
    pool.pool.on("connection", (connection) => {
      connection.query("set session idle_transaction_timeout = 5", () => {});
    });
    const hog = (ms: number): Promise<void> => hogged(() => pool.getConnection(), ms);
    return { backend: mysql({ pool }) as QueueBackend<unknown>, hog };
  },
};

async function stage(
  kind: "postgres" | "mysql",
  surgeryOn: (address: string) => Surgery,
  unsound: (address: string) => Promise<string[]>,
  logs: readonly string[],
): Promise<Stage> {
  const server = await ownServer(kind);
  const relay = new Relay(server.port);
  const place = server.address(await relay.listen());
  const ownPlace = server.address();
  return {
    ...{ place, ownPlace, trouble: new Trouble(server, relay, surgeryOn(ownPlace)) },
    unsound: () => unsound(ownPlace),
    logSize: () => logs.reduce((sum, log) => sum + sizeOf(join(server.data, log)), 0),
    dispose: async () => {
      await relay.close();
      await server.dispose();
    },
  };
}

/** As the user's own code must: with a listener, since a connection that is out of its pool may fail at any time. */
async function listening(pool: pg.Pool): Promise<pg.PoolClient> {
  return new Promise((resolve, reject) => {
    pool.connect((error, client) => {
      if (client === undefined) reject(error);
      else resolve(client.on("error", () => {}));
    });
  });
}

/** Takes as many connections as there are, and gives them back after so long. */
async function hogged(take: () => Promise<{ release(): void }>, ms: number): Promise<void> {
  const taken = await Promise.allSettled(Array.from({ length: LENT }, take));
  await new Promise((resolve) => setTimeout(resolve, ms));
  for (const result of taken) if (result.status === "fulfilled") result.value.release();
}

/** Bytes of the files of a folder. */
function sizeOf(folder: string): number {
  const names = readdirSync(folder).filter((name) => !name.endsWith(".ibd"));
  return names.reduce((sum, name) => sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0), 0);
}

async function withClient<T>(address: string, body: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: address });
  client.on("error", () => {});
  await client.connect();
  try {
    return await body(client);
  } finally {
    await client.end();
  }
}

function postgresSurgery(address: string): Surgery {
  const others = "backend_type = 'client backend' and pid <> pg_backend_pid()";
  return {
    sever: (share) =>
      withClient(address, async (client) => {
        await client.query(
          `select pg_terminate_backend(pid) from pg_stat_activity where ${others} order by pid
          offset (select floor($1::float * count(*)) from pg_stat_activity where ${others}) limit 1`,
          [share * 0.999],
        );
      }),
    cancel: () =>
      withClient(address, async (client) => {
        await client.query(`select pg_cancel_backend(pid) from pg_stat_activity where ${others} and state = 'active'`);
      }),
    lock: (over) =>
      withClient(address, async (client) => {
        await client.query("set lock_timeout = '10s'");
        await client.query("begin; lock table sidereal.live in access exclusive mode");
        await over;
        await client.query("rollback");
      }),
  };
}

/** Every index of ours agrees with its table. */
async function amcheck(address: string): Promise<string[]> {
  return withClient(address, async (client) => {
    await client.query("create extension if not exists amcheck");
    const { rows } = await client.query(
      `select indexrelid::regclass::text as name from pg_index join pg_class c on c.oid = indrelid
      where c.relnamespace = 'sidereal'::regnamespace`,
    );
    const wrong: string[] = [];
    for (const { name } of rows as { name: string }[]) {
      await client
        .query("select bt_index_check($1::regclass, true)", [name])
        .catch((error: unknown) => wrong.push(`${name}: ${error}`));
    }
    return rows.length === 0 ? ["no index of ours was found"] : wrong;
  });
}

async function withConnection<T>(address: string, body: (connection: driver.Connection) => Promise<T>): Promise<T> {
  const connection = await driver.createConnection({ uri: address });
  try {
    return await body(connection);
  } finally {
    await connection.end();
  }
}

function mysqlSurgery(address: string): Surgery {
  const sessions = async (connection: driver.Connection, where: string): Promise<number[]> => {
    const [rows] = await connection.query({
      sql: `select id from information_schema.processlist where user = 'root' and id <> connection_id() and ${where}`,
      rowsAsArray: true,
    });
    return (rows as number[][]).map(([id]) => Number(id));
  };
  // Whoever is to be ended may have ended by itself.
  const kill = (connection: driver.Connection, text: string): Promise<unknown> =>
    connection.query(text).catch(() => undefined);
  return {
    sever: (share) =>
      withConnection(address, async (connection) => {
        const ids = await sessions(connection, "true");
        const id = ids[Math.floor(share * 0.999 * ids.length)];
        if (id !== undefined) await kill(connection, `kill ${id}`);
      }),
    cancel: () =>
      withConnection(address, async (connection) => {
        for (const id of await sessions(connection, "command <> 'Sleep'")) await kill(connection, `kill query ${id}`);
      }),
    lock: (over) =>
      withConnection(address, async (connection) => {
        await connection.query("set session lock_wait_timeout = 10");
        await connection.query("lock tables sidereal_tasks write");
        await over;
        await connection.query("unlock tables");
      }),
  };
}

async function checkTables(address: string): Promise<string[]> {
  return withConnection(address, async (connection) => {
    const [tables] = await connection.query({ sql: "show tables", rowsAsArray: true });
    const names = (tables as string[][]).map(([name]) => name);
    if (names.length === 0) return ["no table of ours was found"];
    const [rows] = await connection.query({ sql: `check table ${names.join(", ")} extended`, rowsAsArray: true });
    return (rows as string[][]).filter(([, , , text]) => text !== "OK").map((row) => row.join(" "));
  });
}
