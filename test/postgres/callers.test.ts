/** Enqueueing and completing in the caller's own transaction of PostgreSQL, by every client and query builder. */
import { after, before } from "node:test";
import { PrismaPg } from "@prisma/adapter-pg";
import { drizzle as drizzlePg } from "drizzle-orm/node-postgres";
import { drizzle as drizzleJs } from "drizzle-orm/postgres-js";
import { sql } from "drizzle-orm/sql";
import knexOf from "knex";
import { CamelCasePlugin, Kysely, sql as kyselySql, ParseJSONResultsPlugin, PostgresDialect } from "kysely";
import pg from "pg";
import postgresJs from "postgres";
import { type PostgresTransaction, postgres } from "../../src/backends/postgres/index.ts";
import { exerciseLibrary, type Server } from "../sql/exercise.ts";
import { exerciseStrangers } from "../sql/hands.ts";
import { prismaClient } from "../sql/prisma.ts";
import { within } from "../sql/server.ts";
import { ADDRESS, drop, freshNamespace, raw, server, skip } from "./bench.ts";

const namespace = freshNamespace();
const table = `effects_${namespace}`;
const library: Server<PostgresTransaction> = {
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

exerciseLibrary(library, {
  name: "pg",
  root: pool,
  transaction: async (body) => {
    const client = await pool.connect();
    await within(
      (text) => client.query(text),
      () => body(client, (name) => client.query(`insert into ${table} values ($1)`, [name])),
      () => client.release(),
    );
  },
});

exerciseLibrary(library, {
  name: "postgres.js",
  root: js,
  transaction: (body) => js.begin((tx) => body(tx, (name) => tx`insert into ${tx(table)} values (${name})`.execute())),
});

exerciseLibrary(library, {
  name: "Drizzle on pg",
  root: onPg as never,
  transaction: (body) =>
    onPg.transaction((tx) =>
      body(tx, (name) => tx.execute(sql`insert into ${sql.identifier(table)} values (${name})`).then()),
    ),
});

exerciseLibrary(library, {
  name: "Drizzle on postgres.js",
  transaction: (body) =>
    onJs.transaction((tx) =>
      body(tx, (name) => tx.execute(sql`insert into ${sql.identifier(table)} values (${name})`).then()),
    ),
});

exerciseLibrary(library, {
  name: "Kysely",
  root: kysely as never,
  transaction: (body) =>
    kysely
      .transaction()
      .execute((trx) =>
        body(trx, (name) => kyselySql`insert into ${kyselySql.table(table)} values (${name})`.execute(trx)),
      ),
});

exerciseLibrary(library, {
  name: "Knex",
  root: knex as never,
  transaction: (body) => knex.transaction((trx) => body(trx, (name) => trx(table).insert({ name }).then())),
});

exerciseLibrary(library, {
  name: "Prisma",
  root: prisma,
  transaction: (body) =>
    prisma.$transaction((tx) => body(tx, (name) => tx.$executeRawUnsafe(`insert into ${table} values ($1)`, name)), {
      timeout: 60_000,
    }),
});

exerciseStrangers(server, /pg, .*Kysely, Knex, Prisma, Drizzle/u, async () => {
  const client = new pg.Client({ connectionString: ADDRESS });
  await client.connect();
  return [client, () => client.end()];
});
