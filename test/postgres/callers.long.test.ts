/** Enqueueing and completing in the caller's own transaction of PostgreSQL, by every client and query builder. */
import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { PrismaPg } from "@prisma/adapter-pg";
import { drizzle as drizzlePg } from "drizzle-orm/node-postgres";
import { drizzle as drizzleJs } from "drizzle-orm/postgres-js";
import { sql } from "drizzle-orm/sql";
import knexOf from "knex";
import { CamelCasePlugin, Kysely, sql as kyselySql, ParseJSONResultsPlugin, PostgresDialect } from "kysely";
import pg from "pg";
import postgresJs from "postgres";
import { type PostgresTransaction, postgres } from "../../src/backends/postgres/index.ts";
import { hasCode } from "../../src/model/errors.ts";
import { exerciseLibrary, type Server } from "../sql/exercise.ts";
import { prismaClient } from "../sql/prisma.ts";
import { ADDRESS, drop, freshNamespace, raw, skip } from "./bench.ts";

const namespace = freshNamespace();
const table = `effects_${namespace}`;
const server: Server<PostgresTransaction> = {
  namespace,
  skip,
  store: () => postgres(ADDRESS),
  effects: async () => (await raw(`select name from ${table}`)).map(([name]) => name),
};

const pool = new pg.Pool({ connectionString: ADDRESS, max: 3 });
const js = postgresJs(ADDRESS, { max: 3, onnotice: () => {} });
const jsOfDrizzle = postgresJs(ADDRESS, { max: 3, onnotice: () => {} });
const knex = knexOf({ client: "pg", connection: ADDRESS, pool: { min: 0, max: 3 } });
// Plugins that would spoil our rows if they saw them.
const plugins = [new CamelCasePlugin(), new ParseJSONResultsPlugin()];
const kysely = new Kysely<object>({ dialect: new PostgresDialect({ pool }), plugins });
const prisma = prismaClient("postgresql", new PrismaPg({ connectionString: ADDRESS }));
const onPg = drizzlePg(pool);
const onJs = drizzleJs(jsOfDrizzle);

before(async () => {
  if (skip === false) await raw(`create table ${table} (name text)`);
});
after(async () => {
  await prisma.$disconnect();
  await knex.destroy();
  await js.end();
  await jsOfDrizzle.end();
  await pool.end();
  if (skip !== false) return;
  await raw(`drop table ${table}`);
  await drop(namespace);
});

exerciseLibrary(server, {
  name: "pg",
  root: pool,
  transaction: async (body) => {
    const client = await pool.connect();
    try {
      await client.query("begin");
      await body(client, (name) => client.query(`insert into ${table} values ($1)`, [name]));
      await client.query("commit");
    } catch (error) {
      await client.query("rollback");
      throw error;
    } finally {
      client.release();
    }
  },
});

exerciseLibrary(server, {
  name: "postgres.js",
  root: js,
  transaction: (body) => js.begin((tx) => body(tx, (name) => tx`insert into ${tx(table)} values (${name})`.execute())),
});

exerciseLibrary(server, {
  name: "Drizzle on pg",
  root: onPg as never,
  transaction: (body) =>
    onPg.transaction((tx) =>
      body(tx, (name) => tx.execute(sql`insert into ${sql.identifier(table)} values (${name})`).then()),
    ),
});

exerciseLibrary(server, {
  name: "Drizzle on postgres.js",
  transaction: (body) =>
    onJs.transaction((tx) =>
      body(tx, (name) => tx.execute(sql`insert into ${sql.identifier(table)} values (${name})`).then()),
    ),
});

exerciseLibrary(server, {
  name: "Kysely",
  root: kysely as never,
  transaction: (body) =>
    kysely
      .transaction()
      .execute((trx) =>
        body(trx, (name) => kyselySql`insert into ${kyselySql.table(table)} values (${name})`.execute(trx)),
      ),
});

exerciseLibrary(server, {
  name: "Knex",
  root: knex as never,
  transaction: (body) => knex.transaction((trx) => body(trx, (name) => trx(table).insert({ name }).then())),
});

exerciseLibrary(server, {
  name: "Prisma",
  root: prisma,
  transaction: (body) =>
    prisma.$transaction((tx) => body(tx, (name) => tx.$executeRawUnsafe(`insert into ${table} values ($1)`, name)), {
      timeout: 60_000,
    }),
});

it("what is not known is refused, with a list of what is taken", { skip }, async (t) => {
  const backend = postgres(ADDRESS);
  t.after(() => backend.close());
  await backend.open({ namespace });
  for (const tx of [{}, null, 5, "tx", [], () => {}, new Map()]) {
    await assert.rejects(
      async () => backend.within?.(tx as never).insert([]),
      (error: Error) =>
        hasCode(error, "TRANSACTION_UNSUPPORTED") && /pg, .*Kysely, Knex, Prisma, Drizzle/u.test(error.message),
    );
  }
  const client = new pg.Client({ connectionString: ADDRESS });
  await client.connect();
  t.after(() => client.end());
  const idle = async (): Promise<unknown> => backend.within?.(client).insert([]);
  await assert.rejects(
    idle,
    (error: Error) => hasCode(error, "OPTION_INVALID") && /no open transaction/u.test(error.message),
  );
});
