// A database of the demonstration's own on a server, made before it and removed after it, whoever's server that is.

/** @typedef {{ run: (sql: string) => Promise<unknown>, end: () => Promise<void> }} Connection */
/** @typedef {{ title: string, schemes: RegExp, address: string, drop: string, connect: (address: string) => Promise<Connection> }} Server */

const PATIENCE = 5_000;

/** @type {Readonly<Record<"postgres" | "mysql", Server>>} */
export const servers = {
  postgres: {
    title: "PostgreSQL",
    schemes: /^postgres(ql)?:$/u,
    address: "postgres://postgres@127.0.0.1:5432/postgres",
    drop: "drop database if exists NAME with (force)",
    connect: async (address) => {
      const { default: pg } = await import("pg");
      const client = new pg.Client({ connectionString: address, connectionTimeoutMillis: PATIENCE });
      await client.connect();
      return { run: (sql) => client.query(sql), end: () => client.end() };
    },
  },
  mysql: {
    title: "MariaDB or MySQL",
    schemes: /^(mysql|mariadb):$/u,
    address: "mysql://root@127.0.0.1:3306/mysql",
    drop: "drop database if exists NAME",
    connect: async (address) => {
      const { createConnection } = await import("mysql2/promise");
      const uri = address.replace(/^mariadb:/u, "mysql:");
      const connection = await createConnection({ uri, connectTimeout: PATIENCE });
      return { run: (sql) => connection.query(sql), end: () => connection.end() };
    },
  },
};

/**
 * Makes an empty database on the server that the address leads to.
 * @param {keyof typeof servers} kind
 * @param {string} [address]
 * @returns {Promise<{ address: string, where: string, drop: () => Promise<void> }>}
 */
export async function ownDatabase(kind, address = servers[kind].address) {
  const { title, schemes, drop } = servers[kind];
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || !schemes.test(url.protocol)) {
    throw new Error(`DATABASE_URL is not the address of a ${title} server, like ${servers[kind].address}`);
  }
  const name = `sidereal_demo_${process.pid}`;
  const where = `${url.host === "" ? "the default host" : url.host}, database ${name}`;
  await once(kind, address, url.host, `create database ${name}`);
  url.pathname = `/${name}`;
  return { address: url.href, where, drop: () => once(kind, address, url.host, drop.replace("NAME", name)) };
}

/**
 * Runs one statement on a connection of its own; what goes wrong is told without the user's name and password.
 * @param {keyof typeof servers} kind
 * @param {string} address
 * @param {string} host
 * @param {string} sql
 */
async function once(kind, address, host, sql) {
  const { title, connect } = servers[kind];
  /** @type {Connection} */
  let connection;
  try {
    connection = await connect(address);
  } catch (error) {
    throw new Error(
      `${title} at ${host} cannot be used: ${reason(error)}\n` +
        `  Start a server there, or name another one: DATABASE_URL=${servers[kind].address} npm run demo`,
    );
  }
  try {
    await connection.run(sql);
  } catch (error) {
    throw new Error(`${title} at ${host} refused "${sql}": ${reason(error)}`);
  } finally {
    await connection.end();
  }
}

/** @param {unknown} error */
function reason(error) {
  const { code, message } = /** @type {{ code?: string, message?: string }} */ (error);
  return message || code || String(error);
}
