/** What the store stands on: the server's version and settings, old transactions, tables. */
import type { Finding } from "../../contracts/queue-backend.ts";
import { formatAge } from "../../model/duration.ts";
import type { TextRow } from "../sql/port.ts";
import type { Context } from "./context.ts";
import { serverCode } from "./errors.ts";
import { bytes } from "./literals.ts";

/** Another connection's open transaction. */
export interface Transaction {
  /** The number that `kill` takes. */
  readonly connection: string;
  /** Seconds. */
  readonly age: number;
  readonly state: string;
}

/** What was measured. */
export interface ServerFacts {
  readonly version: string;
  readonly flush: number;
  /** Bytes. */
  readonly packet: number;
  readonly readOnly: boolean;
  /** How changes are logged for replicas; null: they are not. */
  readonly binlog: string | null;
  readonly isolation: string;
  readonly connections: number;
  readonly limit: number;
  /** The oldest first; null: the user may not see them. */
  readonly transactions: readonly Transaction[] | null;
  /** How many old versions of rows wait to be purged; null: the server does not tell. */
  readonly history: number | null;
  /** Columns that are kept in another character set than the schema says, as `table.column`. */
  readonly columns: readonly string[];
  /** Tables that another engine than InnoDB keeps. */
  readonly tables: readonly string[];
}

const MIB = 1024 * 1024;
/** The oldest versions that skip locked rows. */
const OLDEST = { MariaDB: "10.6", MySQL: "8.0" } as const;
/** What a user without the right gets. */
const DENIED: readonly number[] = [1227, 1142, 1044];

/** Measures; reads settings and the server's own tables only. To be called in a transaction. */
export async function facts({ session, names }: Context): Promise<ServerFacts> {
  const one = async (text: string): Promise<TextRow> => (await session.query(text))[0] ?? [];
  const [version, flush, packet, readOnly, log, format, limit] = await one(
    "select version(), @@innodb_flush_log_at_trx_commit, @@max_allowed_packet, @@global.read_only, @@log_bin, @@binlog_format, @@max_connections",
  );
  const isolation = await session.query(
    "show global variables where variable_name in ('tx_isolation', 'transaction_isolation')",
  );
  const [, connections] = await one("show global status where variable_name = 'Threads_connected'");
  const ours = ["tasks", "claims", "holds", "schedules", "store"]
    .map((table) => bytes(`${names.namespace}_${table}`))
    .join(", ");
  const where = `table_schema = database() and cast(table_name as binary) in (${ours})`;
  const columns = await session.query(
    `select concat(table_name, char(46), column_name) from information_schema.columns where ${where} and collation_name is not null and collation_name <> 'utf8mb4_bin'`,
  );
  const tables = await session.query(
    `select table_name from information_schema.tables where ${where} and engine <> 'InnoDB'`,
  );
  return {
    version: String(version),
    flush: Number(flush),
    packet: Number(packet),
    readOnly: readOnly === "1" || readOnly === "ON",
    binlog: log === "1" || log === "ON" ? String(format) : null,
    isolation: String(isolation[0]?.[1] ?? ""),
    connections: Number(connections),
    limit: Number(limit),
    transactions: await allowed(() => transactions(session, names.store)),
    history: await allowed(() => history(session)),
    columns: columns.map(([name]) => String(name)),
    tables: tables.map(([name]) => String(name)),
  };
}

async function transactions(session: Context["session"], store: string): Promise<Transaction[]> {
  // Times are in the server's own zone, which is not told: our own transaction says what is now.
  await session.query(`select clock from ${store} where one = 1 for update`);
  // What the server shows of transactions is up to 100 ms old, and ours must be in it.
  await session.query("select sleep(0.15)");
  const rows = await session.query(
    `select t.trx_mysql_thread_id, timestampdiff(second, t.trx_started, own.trx_started), t.trx_state from information_schema.innodb_trx t
      join information_schema.innodb_trx own on own.trx_mysql_thread_id = connection_id()
      where t.trx_mysql_thread_id <> connection_id() and t.trx_mysql_thread_id > 0 order by t.trx_started limit 10`,
  );
  return rows.map(([connection, age, state]) => ({
    connection: String(connection),
    age: Number(age),
    state: String(state),
  }));
}

async function history(session: Context["session"]): Promise<number | null> {
  const [row] = await session.query(
    "select `count` from information_schema.innodb_metrics where name = 'trx_rseg_history_len'",
  );
  return row === undefined ? null : Number(row[0]);
}

async function allowed<T>(ask: () => Promise<T>): Promise<T | null> {
  try {
    return await ask();
  } catch (error) {
    if (DENIED.includes(serverCode(error) ?? 0)) return null;
    throw error;
  }
}

/** What the measurements mean. */
export function findings(server: ServerFacts): readonly Finding[] {
  return [
    version(server),
    durability(server),
    packet(server),
    isolation(server),
    connections(server),
    oldest(server),
    tables(server),
  ];
}

function version({ version: text, readOnly }: ServerFacts): Finding {
  const product = /mariadb/iu.test(text) ? "MariaDB" : "MySQL";
  const number = /(\d+)\.(\d+)\.\d+(?=-mariadb)/iu.exec(text) ?? /(\d+)\.(\d+)/u.exec(text);
  const [major = 0, minor = 0] = (number ?? []).slice(1).map(Number);
  const [least = 0, lesser = 0] = OLDEST[product].split(".").map(Number);
  if (major < least || (major === least && minor < lesser)) {
    const message = `${product} ${text} is older than ${OLDEST[product]}, the oldest version that this store knows`;
    return { check: "server", level: "problem", message, advice: "Upgrade the server." };
  }
  if (readOnly) {
    const advice = "Give the address of the primary; if it has failed over, use an address that follows it.";
    return { check: "server", level: "problem", message: `${product} ${text} is read-only`, advice };
  }
  return ok("server", `${product} ${text}`);
}

function durability({ flush }: ServerFacts): Finding {
  if (flush === 1) return ok("durability", "every commit is on disk when it is answered");
  const message = `innodb_flush_log_at_trx_commit is ${flush}: a crash loses up to a second of tasks whose enqueue was answered`;
  return { check: "durability", level: "warning", message, advice: "Set innodb_flush_log_at_trx_commit = 1." };
}

function packet({ packet: size }: ServerFacts): Finding {
  const message = `max_allowed_packet is ${(size / MIB).toFixed(1)} MiB`;
  if (size >= 16 * MIB) return ok("packet size", message);
  const advice = "Set max_allowed_packet to 16 MiB or more.";
  if (size >= 8 * MIB)
    return {
      check: "packet size",
      level: "warning",
      message: `${message}, little above what a batch of large inputs takes`,
      advice,
    };
  return {
    check: "packet size",
    level: "problem",
    message: `${message}, less than a batch of large inputs takes`,
    advice,
  };
}

function isolation({ isolation: level, binlog }: ServerFacts): Finding {
  if (binlog?.toUpperCase() === "STATEMENT") {
    const message = "binlog_format is STATEMENT, with which the server refuses writes at READ COMMITTED";
    return { check: "isolation", level: "problem", message, advice: "Set binlog_format to ROW or MIXED." };
  }
  return ok("isolation", `the store's transactions are READ COMMITTED; the server's default is ${level}`);
}

function connections({ connections: used, limit }: ServerFacts): Finding {
  if (used < limit * 0.9) return ok("connections", `${used} of ${limit} connections are in use`);
  const message = `${used} of ${limit} connections are in use: soon nobody can connect`;
  return {
    check: "connections",
    level: "warning",
    message,
    advice: "Make the applications' pools smaller, or raise max_connections.",
  };
}

function oldest({ transactions: open, history: versions }: ServerFacts): Finding {
  const check = "oldest transaction";
  if (open === null) return ok(check, "not known: the user lacks the right PROCESS");
  const [first] = open;
  const waiting = versions === null ? "" : `; ${versions.toLocaleString("en")} old row versions wait to be purged`;
  if (first !== undefined && first.age >= 60) {
    const message = `a transaction is ${formatAge(first.age * 1_000)} old (connection ${first.connection}, ${first.state}): what was claimed and finished since cannot be purged, and claims slow down${waiting}`;
    const advice = `End it: kill ${first.connection}. Applications must not leave transactions open.`;
    return { check, level: first.age >= 3_600 ? "problem" : "warning", message, advice };
  }
  if ((versions ?? 0) < 1_000_000) return ok(check, `none is older than a minute${waiting}`);
  const advice = "Look for long reads and for a slow disk; innodb_purge_threads may be too few.";
  return { check, level: "warning", message: `purging lags behind${waiting}`, advice };
}

function tables({ columns, tables: others }: ServerFacts): Finding {
  const [name] = others;
  if (name !== undefined) {
    const message = `${name} is not kept by InnoDB, so that nothing in it is transactional`;
    return { check: "tables", level: "problem", message, advice: `Convert it: alter table ${name} engine = InnoDB.` };
  }
  if (columns.length === 0) return ok("tables", "all are kept by InnoDB, texts as utf8mb4_bin");
  const message = `not kept as utf8mb4_bin: ${columns.slice(0, 5).join(", ")}`;
  const advice = "Convert them back: texts are compared byte by byte, and lose characters in other character sets.";
  return { check: "tables", level: "problem", message, advice };
}

const ok = (check: string, message: string): Finding => ({ check, level: "ok", message, advice: null });
