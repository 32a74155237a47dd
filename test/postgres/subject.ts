/** PostgreSQL as the failures of a server are tried on it. */
import pg from "pg";
import postgresJs from "postgres";
import { postgres } from "../../src/backends/postgres/index.ts";
import type { QueueBackend } from "../../src/contracts/queue-backend.ts";
import type { Lent, Subject } from "../servers/subject.ts";

async function asked(address: string, text: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: address });
  await client.connect();
  try {
    return await client.query(text);
  } finally {
    await client.end();
  }
}

const others = "from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()";

function lentPool(pool: pg.Pool): Lent {
  pool.on("error", () => {});
  return { backend: postgres({ pool }) as QueueBackend<unknown>, end: () => pool.end() };
}

export const subject: Subject = {
  kind: "postgres",
  connect: (address) => postgres(address) as QueueBackend<unknown>,
  endSessions: async (address) => {
    await asked(address, `select pg_terminate_backend(pid) ${others}`);
  },
  cancelStatements: async (address) => {
    const text = `select pg_cancel_backend(pid) ${others} and wait_event_type = 'Lock'`;
    return (await asked(address, text)).rowCount ?? 0;
  },
  lock: async (address) => {
    const client = new pg.Client({ connectionString: address });
    await client.connect();
    await client.query("begin; lock table sidereal.live in access exclusive mode");
    return async () => {
      await client.query("commit");
      await client.end();
    };
  },
  pools: {
    "a pool of pg": (address) => {
      const pool = new pg.Pool({ connectionString: address, max: 2 });
      const take = async (): Promise<() => void> => {
        const client = await pool.connect();
        return () => client.release();
      };
      return { ...lentPool(pool), take };
    },
    "postgres.js": (address) => {
      const sql = postgresJs(address, { max: 2, onnotice: () => {} });
      const take = async (): Promise<() => void> => {
        const connection = await sql.reserve();
        return () => connection.release();
      };
      return { backend: postgres({ sql }) as QueueBackend<unknown>, take, end: () => sql.end({ timeout: 0 }) };
    },
  },
  hasty: {
    "its role": async (address) => {
      await asked(address, "create role hasty superuser login; alter role hasty set statement_timeout = 400");
      const own = new URL(address);
      own.username = "hasty";
      return { backend: postgres(own.href) as QueueBackend<unknown>, end: async () => {} };
    },
    "the connections of a lent pool": async (address) =>
      lentPool(new pg.Pool({ connectionString: address, max: 4, statement_timeout: 400 })),
  },
};
