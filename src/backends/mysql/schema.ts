/**
 * The schema and its migrations: numbered, forward only, each safe while workers of the version before still run. A
 * change of the schema commits by itself on this server, so every statement may be run again after a break.
 *
 * All records are in one table, by id, which is by time: what is hot lies together at its end. One index, `lane`, serves
 * claims, counts and retention; what most records have not (a key, a deadline, a bad end) costs them a null.
 */
import type { MigrationPlan } from "../../contracts/queue-backend.ts";
import { SiderealError } from "../../model/errors.ts";
import { defaultOf } from "../sql/columns.ts";
import { checkKnown } from "../sql/schema.ts";
import { COLUMNS } from "../sql/text-rows.ts";
import type { Session } from "./clients/session.ts";
import { bytes } from "./literals.ts";
import { LENGTHS, typeOf } from "./names.ts";

/** The statements of one version, given the namespace. */
export type Migration = (namespace: string) => readonly string[];

const TEXT = "character set utf8mb4 collate utf8mb4_bin";
const TABLE = `engine = InnoDB row_format = dynamic default ${TEXT}`;

/** What a claim will need in a row, so that it grows in its page and does not split it. */
const ROOM = "'..........................................................................................'";

export const MIGRATIONS: readonly Migration[] = [
  // 1: records, tokens of claims, reservations, schedules, and the one row of the store: its version and how far its clock has come.
  (ns) => [
    `create table if not exists \`${ns}_tasks\` (
${columns()},
  weight int not null,
  at bigint,
  seq bigint unsigned not null,
  alarm bigint,
  timeout bigint,
  room varbinary(100) not null default ${ROOM},
  primary key (id),
  unique key \`unique_key\` (\`key\`),
  key lane (state, queue, task_name, execution, weight, at, seq),
  key alarm (alarm, id)
) ${TABLE}`,
    `create table if not exists \`${ns}_claims\` (
  token varbinary(255) not null primary key,
  at bigint not null,
  key age (at)
) ${TABLE}`,
    `create table if not exists \`${ns}_holds\` (
  name varbinary(3000) not null primary key,
  holder varbinary(1000) not null,
  until bigint,
  note longtext
) ${TABLE}`,
    `create table if not exists \`${ns}_schedules\` (
  name varbinary(1000) not null primary key,
  version bigint not null,
  due_at bigint,
  body longtext not null,
  key due (due_at)
) ${TABLE}`,
    `create table if not exists \`${ns}_store\` (
  one int not null primary key,
  schema_version int not null,
  clock bigint not null
) ${TABLE}`,
    `insert into \`${ns}_store\` (one, schema_version, clock) values (1, 0, 0) on duplicate key update one = 1`,
  ],
];

function columns(): string {
  return COLUMNS.map(([name, kind]) => {
    const type = typeOf(name);
    const written = type === "bytes" ? `varbinary(${LENGTHS[name]})` : type === "text" ? "longtext" : type;
    return `  \`${name}\` ${written}${kind.endsWith("?") ? "" : ` not null${defaultOf(name, kind)}`}`;
  }).join(",\n");
}

/** Version of the schema in the database; 0: none. @throws STORE_SCHEMA if the tables are somebody else's */
export async function schemaVersion(session: Session, namespace: string): Promise<number> {
  const wanted = ["tasks", "claims", "store"].map((table) => bytes(`${namespace}_${table}`));
  const tables = (
    await session.query(
      `select cast(table_name as binary) from information_schema.tables where table_schema = database() and cast(table_name as binary) in (${wanted.join(", ")})`,
    )
  ).map(([name]) => String(name));
  if (!tables.includes(`${namespace}_store`)) {
    // A first migration that broke off leaves some tables without that one, which comes last.
    if (tables.length === 0 || (await isOurs(session, namespace, tables))) return 0;
    throw foreign(namespace, tables);
  }
  try {
    const [row] = await session.query(`select schema_version from \`${namespace}_store\` where one = 1`);
    return Number(row?.[0] ?? 0);
  } catch (error) {
    if ((error as { errno?: unknown }).errno !== 1054) throw error;
    throw foreign(namespace, tables);
  }
}

async function isOurs(session: Session, namespace: string, tables: readonly string[]): Promise<boolean> {
  if (!tables.includes(`${namespace}_tasks`)) return false;
  const rows = await session.query(
    `select 1 from information_schema.columns where table_schema = database() and cast(table_name as binary) = ${bytes(`${namespace}_tasks`)} and column_name in ('cancel_requested_at', 'weight', 'alarm')`,
  );
  return rows.length === 3;
}

function foreign(namespace: string, tables: readonly string[]): SiderealError {
  return new SiderealError(
    "STORE_SCHEMA",
    `The database has a table ${tables.join(" and ")} that is not Sidereal's; choose another namespace than ${namespace}, or another database`,
  );
}

/** What `migrate` would do. @throws STORE_SCHEMA if the database is newer than this version of the package */
export async function planned(
  session: Session,
  namespace: string,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<MigrationPlan> {
  const from = await schemaVersion(session, namespace);
  const to = migrations.length;
  checkKnown(`The tables of ${namespace} have version`, from, to);
  const statements = migrations
    .slice(from)
    .flatMap((migration, at) => [
      ...migration(namespace),
      `update \`${namespace}_store\` set schema_version = ${from + at + 1} where one = 1`,
    ]);
  return { from, to, statements };
}

/** How long a migration waits for one that another process is at, in seconds. */
const WAIT = 60;

/** Brings the schema up to date, on one connection. Whoever comes second finds nothing to do. @throws STORE_BUSY */
export async function migrate(
  session: Session,
  namespace: string,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<MigrationPlan> {
  const plan = await planned(session, namespace, migrations);
  if (plan.statements.length === 0) return plan;
  const lock = bytes(`sidereal ${namespace}`);
  const [taken] = await session.query(`select get_lock(${lock}, ${WAIT})`);
  if (taken?.[0] !== "1") {
    throw new SiderealError("STORE_BUSY", `Another process has migrated the tables of ${namespace} for ${WAIT} s`);
  }
  try {
    const due = await planned(session, namespace, migrations);
    for (const statement of due.statements) await session.write(statement);
    return due;
  } finally {
    await session.query(`select release_lock(${lock})`);
  }
}
