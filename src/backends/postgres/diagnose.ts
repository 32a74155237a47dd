/** What the store stands on: the server's version and settings, what keeps vacuum from its work, tables and indexes. */
import type { Finding } from "../../contracts/queue-backend.ts";
import { formatAge, quoted } from "../../model/duration.ts";
import type { Millis } from "../../model/record.ts";
import type { Context } from "./context.ts";

/** Something that keeps rows from being removed that nobody else can see any more. */
export interface Pin {
  readonly kind: "session" | "prepared transaction" | "replication slot" | "standby";
  /** The process id of a session, or a name. */
  readonly which: string;
  /** A session's application, as it calls itself. */
  readonly name: string;
  /** What a session does: `active`, `idle in transaction`. */
  readonly state: string;
  /** How long it has lasted; null: the server does not tell. */
  readonly age: Millis | null;
  /** How many transactions have begun since. */
  readonly transactions: number;
}

/** A table of ours. Sizes in bytes, with indexes. */
export interface Table {
  readonly name: string;
  readonly rows: number;
  readonly dead: number;
  readonly size: number;
  /** How long ago it was vacuumed; null: never since statistics began. */
  readonly vacuumed: Millis | null;
  /** Whether autovacuum is on for it. */
  readonly autovacuum: boolean;
}

export interface Index {
  readonly name: string;
  readonly table: string;
  readonly valid: boolean;
  readonly size: number;
}

/** What was measured. */
export interface ServerFacts {
  /** As the server says it, and as the number that it compares by. */
  readonly version: string;
  readonly versionNumber: number;
  readonly standby: boolean;
  /** The default of these sessions. */
  readonly isolation: string;
  readonly synchronous: string;
  readonly fsync: string;
  readonly autovacuum: boolean;
  /** Connections of clients, how many there may be, and how many of them are kept for superusers. */
  readonly connections: number;
  readonly limit: number;
  readonly reserved: number;
  /** Whether the sessions of other users are shown. */
  readonly seesAll: boolean;
  readonly pins: readonly Pin[];
  readonly tables: readonly Table[];
  readonly indexes: readonly Index[];
}

/** What is known of the way there. */
export interface Way {
  /** Whether a pooler hands out connections per transaction. */
  readonly pooled: boolean;
}

const OLDEST = 13;
const MIB = 1024 * 1024;

/** The indexes that the schema has; every hot statement counts on its own. */
export const INDEXES: readonly string[] = [
  ...["live_id", "live_key", "live_claimable", "live_owned", "live_cancelling", "live_expiring"],
  ...["done_id", "done_finished", "done_ended", "holds_pkey", "schedules_pkey", "schedules_due", "store_pkey"],
];

/** Measures; reads statistics and catalogs only. */
export async function facts({ session, names }: Context): Promise<ServerFacts> {
  const since = (instant: string): string => `round(extract(epoch from clock_timestamp() - ${instant}) * 1000)::bigint`;
  const setting = (name: string): string => `current_setting('${name}')`;
  const pins = `select 'session' as kind, pid::text as which, coalesce(application_name, '') as name, coalesce(state, '') as state,
      ${since("xact_start")} as age, coalesce(age(backend_xmin), 0) as transactions
      from pg_stat_activity where datname = current_database() and xact_start is not null and pid <> pg_backend_pid() and (backend_xmin is not null or backend_xid is not null)
    union all select 'prepared transaction', gid, '', '', ${since("prepared")}, age(transaction) from pg_prepared_xacts where database = current_database()
    union all select 'replication slot', slot_name::text, '', case when active then 'active' else 'idle' end, null, age(xmin) from pg_replication_slots where xmin is not null
    union all select 'standby', pid::text, coalesce(application_name, ''), coalesce(state, ''), null, age(backend_xmin) from pg_stat_replication where backend_xmin is not null`;
  const tables = `select c.relname as name, coalesce(s.n_live_tup, 0) as rows, coalesce(s.n_dead_tup, 0) as dead, pg_total_relation_size(c.oid) as size,
      ${since("greatest(s.last_vacuum, s.last_autovacuum)")} as vacuumed, not ('autovacuum_enabled=false' = any(coalesce(c.reloptions, '{}'))) as autovacuum
      from pg_class c left join pg_stat_all_tables s on s.relid = c.oid where c.relnamespace = n.oid and c.relkind = 'r' order by c.relname`;
  const indexes = `select i.relname as name, t.relname as table, x.indisvalid and x.indisready as valid, pg_relation_size(i.oid) as size
      from pg_index x join pg_class i on i.oid = x.indexrelid join pg_class t on t.oid = x.indrelid where t.relnamespace = n.oid order by i.relname`;
  const all = (query: string): string => `coalesce((select json_agg(q) from (${query}) q), '[]')`;
  const text = `select json_build_object('version', ${setting("server_version")}, 'versionNumber', ${setting("server_version_num")}::integer,
      'standby', pg_is_in_recovery(), 'isolation', ${setting("default_transaction_isolation")}, 'synchronous', ${setting("synchronous_commit")},
      'fsync', ${setting("fsync")}, 'autovacuum', ${setting("autovacuum")}::boolean and ${setting("track_counts")}::boolean,
      'connections', (select count(*) from pg_stat_activity where backend_type = 'client backend' or backend_type is null),
      'limit', ${setting("max_connections")}::integer, 'reserved', ${setting("superuser_reserved_connections")}::integer,
      'seesAll', pg_has_role('pg_read_all_stats', 'member') or ${setting("is_superuser")}::boolean,
      'pins', ${all(`${pins} order by age desc nulls last, transactions desc limit 10`)}, 'tables', ${all(tables)}, 'indexes', ${all(indexes)})::text
    from pg_namespace n where n.nspname = $1::text`;
  const [row] = await session.query(text, [names.namespace]);
  return JSON.parse(row?.[0] ?? "{}") as ServerFacts;
}

/** What the measurements mean. */
export function findings(server: ServerFacts, way: Way): readonly Finding[] {
  return [
    version(server),
    durability(server),
    ...(server.isolation === "read committed" ? [] : [isolation(server)]),
    ...(way.pooled ? [pooler()] : []),
    connections(server),
    pinned(server),
    vacuum(server),
    indexHealth(server),
  ];
}

function version({ version: text, versionNumber, standby, tables }: ServerFacts): Finding {
  const size = tables.reduce((sum, table) => sum + table.size, 0);
  const rows = (name: string): string => (tables.find((table) => table.name === name)?.rows ?? 0).toLocaleString("en");
  if (standby) {
    const advice = "Give the address of the primary; if it has failed over, use an address that follows it.";
    return { check: "postgresql", level: "problem", message: "the server is a standby, which takes no writes", advice };
  }
  if (versionNumber < OLDEST * 10_000) {
    const message = `PostgreSQL ${text} is older than ${OLDEST}, the oldest version that this store knows`;
    return { check: "postgresql", level: "problem", message, advice: "Upgrade the server." };
  }
  return ok(
    "postgresql",
    `PostgreSQL ${text}; about ${rows("live")} live and ${rows("done")} ended tasks in ${mib(size)}`,
  );
}

function durability({ synchronous, fsync }: ServerFacts): Finding {
  if (fsync !== "on") {
    const message = "fsync is off: a crash of the server's machine may destroy the whole database";
    return { check: "durability", level: "problem", message, advice: "Set fsync = on." };
  }
  if (synchronous === "off") {
    const message = "synchronous_commit is off: a crash of the server loses tasks whose enqueue was answered";
    const advice =
      "Set synchronous_commit = on, for the queue's user at least (alter role … set synchronous_commit = on).";
    return { check: "durability", level: "warning", message, advice };
  }
  return ok("durability", `fsync on, synchronous_commit ${synchronous}`);
}

function isolation({ isolation: level }: ServerFacts): Finding {
  const message = `transactions begin as ${level} by default, so each statement of the store takes a transaction of its own: three round trips`;
  const advice = "Set default_transaction_isolation to read committed for the queue's user or its pool.";
  return { check: "isolation", level: "warning", message, advice };
}

function pooler(): Finding {
  const message =
    "a pooler stands between, which may give each transaction another session: wake-ups from other processes do not arrive, work is found by polling";
  const advice = "Give the queue the server's own address; its few connections do not need a pooler.";
  return { check: "pooler", level: "warning", message, advice };
}

function connections({ connections: used, limit, reserved }: ServerFacts): Finding {
  const room = limit - reserved;
  if (used < room * 0.9) return ok("connections", `${used} of ${room} connections are in use`);
  const message = `${used} of ${room} connections are in use: soon nobody can connect`;
  const advice =
    "Make the applications' pools smaller, raise max_connections, or put a pooler before the other applications.";
  return { check: "connections", level: "warning", message, advice };
}

function pinned({ pins, seesAll }: ServerFacts): Finding {
  const hidden = seesAll ? "" : " (those of other users are not shown to this one)";
  const worst = pins.find((pin) => (pin.age ?? 0) >= 60_000) ?? pins.find((pin) => pin.transactions >= 100_000);
  if (worst === undefined) return ok("oldest transaction", `none is older than a minute${hidden}`);
  const { kind, which, name, state, age, transactions } = worst;
  const who = `${kind} ${kind === "session" ? which : quoted(which)}${name === "" ? "" : ` of ${quoted(name)}`}${state === "" ? "" : `, ${state}`}`;
  const long = age === null ? `${transactions.toLocaleString("en")} transactions` : formatAge(age);
  const message = `a transaction is ${long} old (${who}): what was claimed and finished since cannot be vacuumed away, and claims slow down`;
  return {
    check: "oldest transaction",
    level: (age ?? 0) >= 3_600_000 ? "problem" : "warning",
    message,
    advice: endOf(worst),
  };
}

function endOf({ kind, which }: Pin): string {
  if (kind === "session") {
    return `End it: select pg_terminate_backend(${which}). Against the next one set idle_in_transaction_session_timeout and statement_timeout.`;
  }
  if (kind === "prepared transaction") return "Commit it or roll it back: commit prepared, rollback prepared.";
  if (kind === "replication slot") return "Let its consumer catch up, or drop it: select pg_drop_replication_slot(…).";
  return "Shorten the standby's queries, or switch its hot_standby_feedback off.";
}

function vacuum({ tables, autovacuum }: ServerFacts): Finding {
  const off = tables.find((table) => !table.autovacuum)?.name;
  if (!autovacuum || off !== undefined) {
    const message = autovacuum
      ? `autovacuum is off for the table ${off}`
      : "autovacuum, or track_counts that it needs, is off";
    const advice = "Switch it on: claims slow down with every task that has run since.";
    return { check: "vacuum", level: "problem", message, advice };
  }
  const told = (table: Table): string =>
    `${table.dead.toLocaleString("en")} dead rows in ${table.name}, vacuumed ${table.vacuumed === null ? "never" : `${formatAge(Math.max(0, table.vacuumed))} ago`}`;
  const bad = tables.find(({ rows, dead }) => dead >= 100_000 && dead > rows);
  const live = tables.find(({ name }) => name === "live");
  if (bad === undefined) return ok("vacuum", live === undefined ? "nothing to vacuum" : told(live));
  const advice = `Look for an old transaction first, which this check names too. Then: vacuum ${bad.name}; autovacuum_max_workers may be too few.`;
  return { check: "vacuum", level: "warning", message: told(bad), advice };
}

/** An index entry takes about a hundred bytes; what has many times that is mostly empty. */
const PER_ROW = 2_000;

function indexHealth({ indexes, tables }: ServerFacts): Finding {
  const names = indexes.map(({ name }) => name);
  const missing = INDEXES.filter((name) => !names.includes(name));
  if (missing.length > 0) {
    const advice = "Make it again as `sidereal migrate --dry-run` prints it for an empty database.";
    return { check: "indexes", level: "problem", message: `missing: ${missing.join(", ")}`, advice };
  }
  const invalid = indexes.filter(({ valid }) => !valid).map(({ name }) => name);
  if (invalid.length > 0) {
    const advice = "Build it again: reindex index concurrently …";
    return { check: "indexes", level: "problem", message: `not valid: ${invalid.join(", ")}`, advice };
  }
  const rowsOf = (name: string): number => tables.find((table) => table.name === name)?.rows ?? 0;
  const bloated = indexes.find(({ size, table }) => size >= 64 * MIB && size > PER_ROW * rowsOf(table));
  if (bloated === undefined) return ok("indexes", `all ${INDEXES.length} are there and valid`);
  const message = `${bloated.name} has ${mib(bloated.size)} for ${rowsOf(bloated.table).toLocaleString("en")} rows`;
  return {
    check: "indexes",
    level: "warning",
    message,
    advice: `Build it anew: reindex index concurrently ${bloated.name}.`,
  };
}

const ok = (check: string, message: string): Finding => ({ check, level: "ok", message, advice: null });

function mib(bytes: number): string {
  return bytes >= 1024 * MIB ? `${(bytes / (1024 * MIB)).toFixed(1)} GiB` : `${Math.ceil(bytes / MIB)} MiB`;
}
