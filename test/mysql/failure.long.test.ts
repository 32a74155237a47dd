/** The MySQL store and its worker survive what servers and networks do, on a server of the test's own. */
import driver from "mysql2/promise";
import { mysql } from "../../src/backends/mysql/index.ts";
import type { QueueBackend } from "../../src/contracts/queue-backend.ts";
import { exerciseFailures } from "../servers/failure.ts";
import { missing } from "../servers/own-server.ts";

async function onConnection<T>(address: string, body: (connection: driver.Connection) => Promise<T>): Promise<T> {
  const connection = await driver.createConnection({ uri: address });
  try {
    return await body(connection);
  } finally {
    await connection.end();
  }
}

/** Kills the sessions, or what runs in them; answers how many there were. */
async function killed(address: string, what: string, where: string): Promise<number> {
  return onConnection(address, async (connection) => {
    const [rows] = await connection.query({
      sql: `select id from information_schema.processlist where user = 'root' and id <> connection_id() and ${where}`,
      rowsAsArray: true,
    });
    // Whoever is to be ended may have ended by itself.
    for (const [id] of rows as number[][]) await connection.query(`${what} ${id}`).catch(() => {});
    return (rows as unknown[]).length;
  });
}

exerciseFailures(
  {
    kind: "mysql",
    connect: (address) => mysql(address) as QueueBackend<unknown>,
    endSessions: async (address) => {
      await killed(address, "kill", "true");
    },
    cancelStatements: (address) => killed(address, "kill query", "state like 'Waiting for table%'"),
    lock: (address, over) =>
      onConnection(address, async (connection) => {
        await connection.query("lock tables sidereal_tasks write");
        await over;
        await connection.query("unlock tables");
      }),
    lend: (address) => {
      const pool = driver.createPool({ uri: address, connectionLimit: 2 });
      return {
        backend: mysql({ pool }) as QueueBackend<unknown>,
        take: () => pool.getConnection(),
        end: () => pool.end(),
      };
    },
  },
  missing("mysql"),
);
