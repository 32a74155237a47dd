/** The PostgreSQL store and its worker survive what servers and networks do, on a server of the test's own. */
import pg from "pg";
import { postgres } from "../../src/backends/postgres/index.ts";
import type { QueueBackend } from "../../src/contracts/queue-backend.ts";
import { exerciseFailures } from "../servers/failure.ts";
import { missing } from "../servers/own-server.ts";

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

exerciseFailures(
  {
    kind: "postgres",
    connect: (address) => postgres(address) as QueueBackend<unknown>,
    endSessions: async (address) => {
      await asked(address, `select pg_terminate_backend(pid) ${others}`);
    },
    cancelStatements: async (address) => {
      const text = `select pg_cancel_backend(pid) ${others} and wait_event_type = 'Lock' and query not like '%lock table%'`;
      return (await asked(address, text)).rowCount ?? 0;
    },
    lock: async (address, over) => {
      const client = new pg.Client({ connectionString: address });
      await client.connect();
      await client.query("begin; lock table sidereal.live in access exclusive mode");
      await over;
      await client.query("commit");
      await client.end();
    },
    lend: (address) => {
      const pool = new pg.Pool({ connectionString: address, max: 2 });
      return {
        backend: postgres({ pool }) as QueueBackend<unknown>,
        take: () => pool.connect(),
        end: () => pool.end(),
      };
    },
  },
  missing("postgres"),
);
