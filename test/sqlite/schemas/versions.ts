/**
 * Earlier versions of the schema, as their statements were: what a worker of that version, still running, does with the
 * file. Frozen; taken from the code of that time.
 */
import { readFileSync } from "node:fs";
import { type OwnConnection, prepare, type SqlRow, type SqlValue } from "../../../src/backends/sqlite/driver.ts";
import { encoded } from "../../../src/backends/sqlite/rows.ts";
import type { TaskRecord } from "../../../src/model/record.ts";

export interface OldSchema {
  readonly version: number;
  /** The columns of a record, in order. */
  readonly columns: readonly string[];
  /** What made it, in the namespace `sidereal`. */
  readonly migration: readonly string[];
  /** What its workers say, by name. */
  readonly statements: Readonly<Record<string, string>>;
}

export const version1: OldSchema = read(1);

function read(version: number): OldSchema {
  const text = readFileSync(new URL(`./version-${version}.json`, import.meta.url), "utf8");
  const { selected, migration, statements } = JSON.parse(text);
  return { version, columns: selected.split(", "), migration, statements };
}

/** Makes the schema of that version in an empty file. */
export function make(connection: OwnConnection, { migration, version }: OldSchema): void {
  for (const statement of migration) connection.exec(statement);
  connection.exec(`update sidereal_store set schema_version = ${version}`);
}

/** A worker of that version on a connection of its own. */
export class OldWorker {
  readonly schema: OldSchema;
  readonly #connection: OwnConnection;

  constructor(connection: OwnConnection, schema: OldSchema) {
    this.#connection = connection;
    this.schema = schema;
  }

  /** Runs one of its statements; answers how many rows it changed. */
  run(name: string, ...values: SqlValue[]): number {
    return Number(prepare(this.#connection, this.#sql(name)).run(...values).changes);
  }

  rows(name: string, ...values: SqlValue[]): SqlRow[] {
    return prepare(this.#connection, this.#sql(name)).all(...values);
  }

  /** Stores a whole record. */
  put(record: TaskRecord): void {
    this.run("insertWhole", ...this.row(record), record.policy.timeout);
  }

  /** Replaces a whole record. */
  replace(from: TaskRecord, to: TaskRecord): boolean {
    const guard = [from.id, from.version, from.claim, null];
    return this.run("replace", ...this.row(to), to.policy.timeout, ...guard) === 1;
  }

  /** The row of a record as far as this version knows it. */
  row(record: TaskRecord): SqlValue[] {
    return encoded(record).slice(0, this.schema.columns.length);
  }

  #sql(name: string): string {
    const sql = this.schema.statements[name];
    if (sql === undefined) throw new RangeError(`version ${this.schema.version} has no statement ${name}`);
    return sql;
  }
}
