/** MariaDB as the failures of a server are tried on it. */
import callbacks from "mysql2";
import driver from "mysql2/promise";
import { mysql } from "../../src/backends/mysql/index.ts";
import type { QueueBackend } from "../../src/contracts/queue-backend.ts";
import type { Subject } from "../servers/subject.ts";

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

export const subject: Subject = {
  kind: "mysql",
  connect: (address) => mysql(address) as QueueBackend<unknown>,
  endSessions: async (address) => {
    await killed(address, "kill", "true");
  },
  cancelStatements: (address) => killed(address, "kill query", "state like 'Waiting for table%'"),
  lock: async (address) => {
    const connection = await driver.createConnection({ uri: address });
    await connection.query("lock tables sidereal_tasks write");
    return async () => {
      await connection.query("unlock tables");
      await connection.end();
    };
  },
  pools: {
    "a pool of mysql2": (address) => {
      const pool = driver.createPool({ uri: address, connectionLimit: 2 });
      const take = async (): Promise<() => void> => {
        const connection = await pool.getConnection();
        return () => connection.release();
      };
      return { backend: mysql({ pool }) as QueueBackend<unknown>, take, end: () => pool.end() };
    },
  },
  hasty: {
    "its user": async (address) => {
      await onConnection(address, async (connection) => {
        await connection.query(
          "grant all on *.* to hasty@localhost identified by 'secret' with max_statement_time 0.4",
        );
      });
      const own = new URL(address);
      own.username = "hasty";
      own.password = "secret";
      return { backend: mysql(own.href) as QueueBackend<unknown>, end: async () => {} };
    },
    "the connections of a lent pool": async (address) => {
      const pool = callbacks.createPool({ uri: address, connectionLimit: 4 });
      pool.on("connection", (connection) => connection.query("set session max_statement_time = 0.4"));
      return { backend: mysql({ pool }) as QueueBackend<unknown>, end: () => pool.promise().end() };
    },
  },
};
