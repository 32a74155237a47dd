/** The ways in which a PostgreSQL store reaches its server over what it is lent; each has a test file of its own. */
import pg from "pg";
import postgresJs from "postgres";
import type { PostgresTransaction } from "../../src/backends/postgres/index.ts";
import { within } from "../sql/server.ts";
import { ADDRESS, byAddress, sweep, type Way } from "./bench.ts";

const pool = new pg.Pool({ connectionString: ADDRESS, max: 8 });
const sql = postgresJs(ADDRESS, { max: 8, onnotice: () => {} });
const clients: pg.Client[] = [];

/** Removes what the tests made, and lets go of the server. */
export async function leave(): Promise<void> {
  await sweep();
  await pool.end();
  await sql.end();
}

export const byPool: Way = {
  options: () => ({ pool }),
  transaction: async (body) => {
    const client = await pool.connect();
    return within(
      (text) => client.query(text),
      () => body(client),
      () => client.release(),
    );
  },
};

export const byPostgresJs: Way = {
  options: () => ({ sql }),
  transaction: async <T>(body: (tx: PostgresTransaction) => Promise<T>) => (await sql.begin((tx) => body(tx))) as T,
};

/** A client that answers with objects and knows no more than `query`, as query builders have it. */
export const byClient: Way = {
  options: async () => {
    const client = new pg.Client({ connectionString: ADDRESS });
    await client.connect();
    clients.push(client);
    return { client: { query: (text, values) => client.query(text, values) } };
  },
  transaction: (body) =>
    byAddress.transaction((client) => body({ query: (text, values) => (client as pg.Client).query(text, values) })),
  dispose: async () => {
    for (const client of clients.splice(0)) await client.end();
  },
};

export const capabilities: {
  readonly signals: true;
  readonly shared: true;
  readonly transactions: true;
  readonly clock: true;
} = { signals: true, shared: true, transactions: true, clock: true };
