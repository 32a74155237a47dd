/**
 * The schema and its migrations: numbered, forward only, each safe while workers of the version before still run.
 * Everything lives in a schema of the namespace's name.
 *
 * Live and ended records lie apart, so that claims never meet what has ended. A claim writes nothing that is indexed but
 * `state` and `claim`; renewals and notes write nothing that is, so they stay within their page.
 */
import type { MigrationPlan } from "../../contracts/queue-backend.ts";
import { SiderealError } from "../../model/errors.ts";
import { defaultOf } from "../sql/columns.ts";
import type { Session } from "../sql/port.ts";
import { checkKnown } from "../sql/schema.ts";
import { COLUMNS, NAMES } from "../sql/text-rows.ts";
import { typeOf } from "./names.ts";
import { enqueueFunctions } from "./sql-enqueue.ts";

/** The statements of one version, given the schema's quoted name. */
export type Migration = (schema: string) => readonly string[];

/** Live rows come and go by the thousand: vacuumed early and without pauses. */
const BUSY =
  "autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.05";

export const MIGRATIONS: readonly Migration[] = [
  // 1: records, reservations, schedules, and the one row of the store: its version and how far its clock has come.
  (s) => [
    `create sequence ${s}.batches as bigint`,
    `create table ${s}.live (
${columns()},
  seq bigint not null,
  timeout bigint
) with (fillfactor = 85, ${BUSY})`,
    `alter table ${s}.live add constraint live_id primary key (id)`,
    `create unique index live_key on ${s}.live (key) where key is not null`,
    `create index live_claimable on ${s}.live (queue, task_name, execution, (-priority), ready_at, seq) where state = 0`,
    `create index live_owned on ${s}.live (claim) where state in (1, 2)`,
    `create index live_cancelling on ${s}.live (id) where state in (1, 2) and cancel_requested_at is not null`,
    `create index live_expiring on ${s}.live (expires_at, id) where state = 0 and expires_at is not null`,
    `create table ${s}.done (
${columns()},
  seq bigint not null
) with (autovacuum_vacuum_insert_scale_factor = 0.1)`,
    `alter table ${s}.done add constraint done_id primary key (id)`,
    `create index done_finished on ${s}.done (queue, state, finished_at)`,
    `create index done_ended on ${s}.done (id, state, queue, task_name) where state >= 4`,
    `create table ${s}.holds (
  name text collate "C" primary key,
  holder text collate "C" not null,
  until bigint,
  note text
)`,
    `create table ${s}.schedules (
  name text collate "C" primary key,
  version bigint not null,
  due_at bigint,
  body text not null
)`,
    `create index schedules_due on ${s}.schedules (due_at) where due_at is not null`,
    `create table ${s}.store (
  one integer primary key check (one = 1),
  schema_version integer not null,
  clock bigint not null
)`,
    `insert into ${s}.store values (1, 0, 0)`,
    claimKnown(s),
    insertedTwice(s),
  ],
  // 2: enqueueing by plain SQL; identity across both tables in transactions that see an old snapshot.
  (s) => [...enqueueFunctions(s), insertedTwiceAnyhow(s)],
];

/**
 * Whether a claim's token owns records already. It first waits for that token's claim, should one be under way; and as a
 * volatile function it sees what that one left, which the statement around it, begun before, does not.
 */
function claimKnown(s: string): string {
  return `create function ${s}.claim_known(token text) returns boolean language plpgsql volatile
  set enable_seqscan = off as $$
begin
  perform pg_advisory_xact_lock(hashtextextended(token, 5350));
  return exists (select from ${s}.live where claim = token and state in (1, 2) and state = 2);
end $$`;
}

/**
 * Takes back those of the records just inserted whose id had ended meanwhile: an insert that waited for a record on its
 * way from live to done finds its id free. Looks with fresh eyes, as above.
 */
function insertedTwice(s: string): string {
  return `create function ${s}.inserted_twice(ids text[]) returns text[] language plpgsql volatile
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  old text[];
begin
  select array_agg(d.id) into old from ${s}.done d where d.id = any(ids);
  if old is not null then
    delete from ${s}.live l where l.id = any(old);
  end if;
  return old;
end $$`;
}

/**
 * The same in a transaction that sees what was committed when it began. There only an index knows what has ended since,
 * and a conflict with that is a serialization failure: so the records pass through `done`, for as long as it takes.
 */
function insertedTwiceAnyhow(s: string): string {
  const all = [...NAMES, "seq"].join(", ");
  return `create or replace function ${s}.inserted_twice(ids text[]) returns text[] language plpgsql volatile
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
  old text[];
begin
  select array_agg(d.id) into old from ${s}.done d where d.id = any(ids);
  if old is not null then
    delete from ${s}.live l where l.id = any(old);
  end if;
  if current_setting('transaction_isolation') <> 'read committed' then
    insert into ${s}.done (${all}) select ${all} from ${s}.live l where l.id = any(ids) on conflict do nothing;
    delete from ${s}.done d using ${s}.live l where d.id = l.id and l.id = any(ids);
  end if;
  return old;
end $$`;
}

function columns(): string {
  return COLUMNS.map(([name, kind]) => {
    const type = typeOf(kind) === "text" ? 'text collate "C"' : typeOf(kind);
    return `  ${name} ${type}${kind.endsWith("?") ? "" : ` not null${defaultOf(name, kind)}`}`;
  }).join(",\n");
}

/** Version of the schema in the database; 0: none. @throws STORE_SCHEMA if the tables are somebody else's */
export async function schemaVersion(session: Session, namespace: string): Promise<number> {
  const tables = (
    await session.query(
      "select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1::text and c.relname in ('live', 'done', 'store')",
      [namespace],
    )
  ).map(([name]) => name);
  if (tables.length === 0) return 0;
  if (tables.length === 3) {
    try {
      const [row] = await session.query(`select schema_version::text from "${namespace}".store where one = 1`, []);
      if (row?.[0] !== undefined) return Number(row[0]);
    } catch (error) {
      if ((error as { code?: unknown }).code !== "42703") throw error;
    }
  }
  throw new SiderealError(
    "STORE_SCHEMA",
    `The schema ${namespace} has a table ${tables.join(" and ")} that is not Sidereal's; choose another namespace or database`,
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
  checkKnown(`The schema ${namespace} has version`, from, to);
  const statements = migrations.slice(from).flatMap((migration) => migration(`"${namespace}"`));
  if (from < to) statements.push(`update "${namespace}".store set schema_version = ${to}`);
  if (from === 0 && !(await hasSchema(session, namespace))) statements.unshift(`create schema "${namespace}"`);
  return { from, to, statements };
}

/** Brings the schema up to date; to be called in a transaction. Whoever comes second finds nothing to do. */
export async function migrate(
  session: Session,
  namespace: string,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<MigrationPlan> {
  await session.query("select pg_advisory_xact_lock(hashtextextended($1::text, 5351))::text", [namespace]);
  const plan = await planned(session, namespace, migrations);
  for (const statement of plan.statements) await session.query(statement, []);
  return plan;
}

async function hasSchema(session: Session, namespace: string): Promise<boolean> {
  return (
    (await session.query("select nspname::text from pg_namespace where nspname = $1::text", [namespace])).length > 0
  );
}
