/** Enqueueing and completing in the caller's own transaction of MariaDB, by every client and query builder. */
import { after, before } from "node:test";
import { PrismaMariaDb } from "@prisma/adapter-mariadb";
import { drizzle as drizzleOf } from "drizzle-orm/mysql2";
import { sql } from "drizzle-orm/sql";
import knexOf from "knex";
import { Kysely, sql as kyselySql, MysqlDialect, ParseJSONResultsPlugin } from "kysely";
import callbacks from "mysql2";
import driver from "mysql2/promise";
import { type MysqlTransaction, mysql } from "../../src/backends/mysql/index.ts";
import { exerciseLibrary, type Server } from "../sql/exercise.ts";
import { exerciseStrangers } from "../sql/hands.ts";
import { prismaClient } from "../sql/prisma.ts";
import { within } from "../sql/server.ts";
import { ADDRESS, freshNamespace, raw, server, skip, sweep } from "./bench.ts";

const namespace = freshNamespace();
const library: Server<MysqlTransaction> = {
  namespace,
  skip,
  store: () => mysql(ADDRESS),
  effects: async () => (await raw("select name from effects")).map(([name]) => name),
};

const pool = driver.createPool({ uri: ADDRESS, connectionLimit: 3 });
const callbackPool = callbacks.createPool({ uri: ADDRESS, connectionLimit: 3 });
const knex = knexOf({ client: "mysql2", connection: ADDRESS, pool: { min: 0, max: 3 } });
const kysely = new Kysely<object>({
  dialect: new MysqlDialect({ pool: callbackPool }),
  plugins: [new ParseJSONResultsPlugin()],
});
const prisma = prismaClient("mysql", new PrismaMariaDb(ADDRESS.replace(/^mysql:/u, "mariadb:")));
const drizzle = drizzleOf({ client: pool });

before(async () => {
  if (skip === false) await raw("create table effects (name varchar(200))");
});
after(async () => {
  await prisma.$disconnect();
  await knex.destroy();
  await pool.end();
  await callbackPool.promise().end();
  await sweep();
});

exerciseLibrary(library, {
  name: "mysql2 with promises",
  root: pool as never,
  transaction: async (body) => {
    const connection = await pool.getConnection();
    await within(
      (text) => connection.query(text),
      () => body(connection, (name) => connection.query("insert into effects values (?)", [name])),
      () => connection.release(),
    );
  },
});

exerciseLibrary(library, {
  name: "mysql2 with callbacks",
  root: callbackPool as never,
  transaction: async (body) => {
    const connection = callbacks.createConnection({ uri: ADDRESS });
    const promised = connection.promise();
    try {
      await promised.query("start transaction");
      await body(connection, (name) => promised.query("insert into effects values (?)", [name]));
      await promised.query("commit");
    } finally {
      await promised.end();
    }
  },
});

exerciseLibrary(library, {
  name: "Drizzle",
  root: drizzle as never,
  transaction: (body) =>
    drizzle.transaction((tx) => body(tx, (name) => tx.execute(sql`insert into effects values (${name})`).then())),
});

exerciseLibrary(library, {
  name: "Kysely",
  root: kysely as never,
  transaction: (body) =>
    kysely
      .transaction()
      .execute((trx) => body(trx, (name) => kyselySql`insert into effects values (${name})`.execute(trx))),
});

exerciseLibrary(library, {
  name: "Knex",
  root: knex as never,
  transaction: (body) => knex.transaction((trx) => body(trx, (name) => trx("effects").insert({ name }).then())),
});

exerciseLibrary(library, {
  name: "Prisma",
  root: prisma,
  transaction: (body) =>
    prisma.$transaction((tx) => body(tx, (name) => tx.$executeRawUnsafe("insert into effects values (?)", name)), {
      timeout: 60_000,
    }),
});

exerciseStrangers(server, /mysql2.*Kysely, Knex, Prisma, Drizzle/u, async () => {
  const connection = await driver.createConnection(ADDRESS);
  return [connection, () => connection.end()];
});
