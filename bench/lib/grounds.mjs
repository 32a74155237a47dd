// Where a store lies while it is measured: a file, or a database of a server. Each ground names a place for an adapter,
// empties it, settles it after it was filled, and leaves nothing behind.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { out } from "./paths.mjs";

/** Each adapter may use a place for what is measured from nothing, and two that are seeded once. */
const KINDS = ["fresh", "completed", "scheduled"];

/** Where the servers are unless `--server` says otherwise; databases of our own are made beside the one named. */
const SERVERS = {
  postgres: "postgres://postgres@127.0.0.1:5432/postgres",
  mysql: "mysql://root@127.0.0.1:3306/mysql",
};

const nameOf = ({ file }, kind) => `sidereal_bench_${file.replaceAll("-", "_")}_${kind}`;

/** One measurement may use the place of another one; it is emptied before. */
export async function groundOf(store, server = SERVERS[store]) {
  if (store === "postgres") return postgresGround(server);
  if (store === "mysql") return mysqlGround(server);
  return store === "sqlite" ? fileGround : memoryGround;
}

const memoryGround = {
  place: () => ({}),
  empty: async () => {},
  settle: async () => {},
  clean: async () => {},
  about: async () => "",
};

const fileGround = {
  ...memoryGround,
  place: (adapter, kind) => ({ file: join(out, `${adapter.file}-${kind}.sqlite`) }),
  async empty({ file }) {
    for (const end of ["", "-wal", "-shm"]) await rm(file + end, { force: true });
  },
  async clean(adapters) {
    for (const adapter of adapters) for (const kind of KINDS) await this.empty(this.place(adapter, kind));
  },
};

/** The address of another database of the same server. */
function beside(server, database) {
  const url = new URL(server);
  url.pathname = `/${database}`;
  return url.href;
}

const databaseOf = ({ url }) => new URL(url).pathname.slice(1);

async function postgresGround(server) {
  const { default: pg } = await import("pg");
  const on = async (url, ...statements) => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      let last;
      for (const statement of statements) last = await client.query(statement);
      return last.rows;
    } finally {
      await client.end();
    }
  };
  const drop = (place) => `drop database if exists ${databaseOf(place)} with (force)`;
  return {
    place: (adapter, kind) => ({ url: beside(server, nameOf(adapter, kind)) }),
    empty: (place) => on(server, drop(place), `create database ${databaseOf(place)}`, "checkpoint"),
    /** Fresh statistics and a clean log for everybody alike. */
    settle: ({ url }) => on(url, "vacuum analyze", "checkpoint"),
    async clean(adapters) {
      for (const adapter of adapters) for (const kind of KINDS) await on(server, drop(this.place(adapter, kind)));
    },
    about: async () => `PostgreSQL ${(await on(server, "show server_version"))[0].server_version.split(" ")[0]}`,
  };
}

async function mysqlGround(server) {
  const { createConnection } = await import("mysql2/promise");
  const on = async (url, ...statements) => {
    const connection = await createConnection(url);
    try {
      let last;
      for (const statement of statements) [last] = await connection.query(statement);
      return last;
    } finally {
      await connection.end();
    }
  };
  const drop = (place) => `drop database if exists ${databaseOf(place)}`;
  return {
    place: (adapter, kind) => ({ url: beside(server, nameOf(adapter, kind)) }),
    empty: (place) => on(server, drop(place), `create database ${databaseOf(place)}`),
    async settle({ url }) {
      const tables = await on(url, "show tables");
      if (tables.length > 0) await on(url, `analyze table ${tables.map((row) => Object.values(row)[0]).join(", ")}`);
    },
    async clean(adapters) {
      for (const adapter of adapters) for (const kind of KINDS) await on(server, drop(this.place(adapter, kind)));
    },
    about: async () => `server ${(await on(server, "select version() as version"))[0].version}`,
  };
}
