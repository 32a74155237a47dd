/**
 * The schema and its migrations: numbered, forward only, each safe while workers of the version before still run.
 * Everything lives in tables that begin with the namespace, so that the file may hold the user's own tables too.
 */
import type { MigrationPlan } from "../../contracts/queue-backend.ts";
import { SiderealError } from "../../model/errors.ts";
import { checkKnown } from "../sql/schema.ts";
import { type OwnConnection, prepare } from "./driver.ts";

/** The statements of one version, given the namespace. */
export type Migration = (namespace: string) => readonly string[];

export const MIGRATIONS: readonly Migration[] = [
  // 1: records, reservations, and the one row that holds the store's clock and its counters of changes worth a hint.
  (ns) => [
    `create table ${ns}_tasks (
  seq integer primary key,
  state integer not null,
  version integer not null,
  attempt integer not null,
  priority integer not null,
  ready_at integer not null,
  queued_at integer not null,
  created_at integer not null,
  started_at integer,
  finished_at integer,
  lease_until integer,
  timeout integer,
  expires_at integer,
  cancel_requested_at integer,
  failures integer not null,
  losses integer not null,
  interruptions integer not null,
  snoozes integer not null,
  begun integer not null,
  id text not null,
  queue text not null,
  task_name text not null,
  execution text not null,
  claim text,
  worker_id text,
  key text,
  ref text,
  reason text,
  execution_profile text,
  policy text not null,
  tags text,
  metadata text,
  description text,
  error text,
  progress text,
  result text,
  input text,
  logs text
)`,
    `create unique index ${ns}_tasks_id on ${ns}_tasks (id)`,
    `create unique index ${ns}_tasks_key on ${ns}_tasks (key) where key is not null`,
    `create index ${ns}_tasks_claimable on ${ns}_tasks (queue, task_name, execution, priority, ready_at) where state = 0`,
    `create index ${ns}_tasks_owned on ${ns}_tasks (claim) where state in (1, 2)`,
    `create index ${ns}_tasks_cancelling on ${ns}_tasks (id) where state in (1, 2) and cancel_requested_at is not null`,
    `create index ${ns}_tasks_expiring on ${ns}_tasks (expires_at, id) where state = 0 and expires_at is not null`,
    `create index ${ns}_tasks_finished on ${ns}_tasks (queue, state, finished_at) where state >= 3`,
    `create table ${ns}_holds (
  name text primary key,
  holder text not null,
  until integer,
  note text
) without rowid`,
    `create table ${ns}_store (
  one integer primary key check (one = 1),
  schema_version integer not null,
  clock integer not null,
  work integer not null,
  ended integer not null,
  cancels integer not null
)`,
    `insert into ${ns}_store values (1, 0, 0, 0, 0, 0)`,
  ],
  // 2: schedules; where a record came from and how often it was brought back; what ended badly, for people.
  (ns) => [
    `alter table ${ns}_tasks add column origin text`,
    `alter table ${ns}_tasks add column revivals integer not null default 0`,
    `create index ${ns}_tasks_ended on ${ns}_tasks (id, state, queue, task_name) where state >= 4`,
    `create table ${ns}_schedules (
  name text primary key check (typeof(name) = 'text'),
  version integer not null check (typeof(version) = 'integer'),
  due_at integer check (typeof(due_at) in ('integer', 'real', 'null')),
  body text not null check (typeof(body) = 'text')
) without rowid`,
    `create index ${ns}_schedules_due on ${ns}_schedules (due_at) where due_at is not null`,
  ],
];

/** Version of the schema in the file; 0: none. @throws STORE_SCHEMA if the tables are somebody else's */
export function schemaVersion(connection: OwnConnection, namespace: string, path: string): number {
  const tables = prepare(connection, "select name from sqlite_master where name in (?, ?)")
    .all(`${namespace}_tasks`, `${namespace}_store`)
    .map(([name]) => name);
  if (tables.length === 0) return 0;
  try {
    const row = prepare(connection, `select schema_version from ${namespace}_store`).get();
    if (tables.length === 2 && typeof row?.[0] === "number") return row[0];
  } catch (error) {
    if (!/no such (?:table|column)/u.test(String(error))) throw error;
  }
  throw new SiderealError(
    "STORE_SCHEMA",
    `The file ${path} has a table ${tables.join(" and ")} that is not Sidereal's; choose another namespace or file`,
  );
}

/** What `migrate` would do. @throws STORE_SCHEMA if the file is newer than this version of the package */
export function planned(
  connection: OwnConnection,
  namespace: string,
  path: string,
  migrations: readonly Migration[] = MIGRATIONS,
): MigrationPlan {
  const from = schemaVersion(connection, namespace, path);
  checkKnown(`The file ${path} has schema version`, from, migrations.length);
  return planFrom(from, namespace, migrations);
}

/** What brings a file of this version up to date; 0: a new one. */
export function planFrom(
  from: number,
  namespace: string,
  migrations: readonly Migration[] = MIGRATIONS,
): MigrationPlan {
  const to = migrations.length;
  const statements = migrations.slice(from).flatMap((migration) => migration(namespace));
  if (from < to) statements.push(`update ${namespace}_store set schema_version = ${to}`);
  return { from, to, statements };
}

/** Throws if the file cannot be written: SQLite opens such a file for reading and says so only at the first write. */
export function proveWritable(connection: OwnConnection, namespace: string): void {
  connection.exec("begin immediate");
  connection.exec(`update ${namespace}_store set clock = clock`);
  connection.exec("rollback");
}

/** Brings the schema up to date in one transaction; whoever comes second finds nothing to do. */
export function migrate(
  connection: OwnConnection,
  namespace: string,
  path: string,
  migrations: readonly Migration[] = MIGRATIONS,
): MigrationPlan {
  const before = planned(connection, namespace, path, migrations);
  if (before.statements.length === 0) return before;
  connection.exec("begin immediate");
  try {
    const plan = planned(connection, namespace, path, migrations);
    for (const statement of plan.statements) connection.exec(statement);
    connection.exec("commit");
    return plan;
  } catch (error) {
    try {
      connection.exec("rollback");
    } catch {
      // SQLite has rolled back by itself.
    }
    throw error;
  }
}
