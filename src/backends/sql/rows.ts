/**
 * Records as rows and back, as far as the SQL stores agree. What is a structure becomes JSON, null where it is empty, since
 * most records have none of it. Reading checks every column: a damaged row is told apart, never half believed.
 */
import {
  type JsonText,
  type RecordState,
  type TaskPolicy,
  type TaskRecord,
  TERMINAL_STATES,
} from "../../model/record.ts";
import { type Column, type ColumnName, STATES } from "./columns.ts";
import { policyIn, policyText } from "./policy.ts";
import type { Damage } from "./salvage.ts";

/** A row that does not hold a record. */
export class RowFault extends Error {
  override readonly name = "RowFault";
  readonly column: ColumnName;

  constructor(column: ColumnName, why: string) {
    super(`column ${column} ${why}`);
    this.column = column;
  }
}

/** The damage that a fault tells of. @throws whatever was thrown if it is none */
export function damageOf<Value>(fault: unknown, by: Value): Damage<Value> {
  if (!(fault instanceof RowFault)) throw fault;
  return { by, why: fault.message };
}

/** What a store keeps in a column. */
export interface Cells<Value> {
  /** The text in a value; undefined if there is none. */
  text(value: Value | undefined): string | undefined;
  /** The number in a value; undefined if there is none, or it is larger than JavaScript counts. */
  number(value: Value | undefined): number | undefined;
  /** The value that holds this. */
  kept(content: string | number | null): Value;
}

/** Rows of one store, as records. */
export class Rows<Value> {
  readonly #columns: readonly Column[];
  readonly #cells: Cells<Value>;
  /** Where a row has what. */
  readonly #places: Readonly<Record<ColumnName, number>>;

  constructor(columns: readonly Column[], cells: Cells<Value>) {
    this.#columns = columns;
    this.#cells = cells;
    this.#places = Object.fromEntries(columns.map(([name], place) => [name, place])) as Record<ColumnName, number>;
  }

  /** The record in a row. @throws RowFault */
  decoded(row: readonly Value[]): TaskRecord {
    const at = this.#places;
    return {
      id: this.#text(row, at.id),
      taskName: this.#text(row, at.task_name),
      queue: this.#text(row, at.queue),
      execution: this.#text(row, at.execution),
      executionProfile: this.#textOrNull(row, at.execution_profile),
      priority: this.#number(row, at.priority),
      input: this.#textOrNull(row, at.input),
      policy: policyOf(this.#text(row, at.policy)),
      createdAt: this.#number(row, at.created_at),
      expiresAt: this.#numberOrNull(row, at.expires_at),
      metadata: this.#textOrNull(row, at.metadata),
      tags: this.#list(row, at.tags),
      description: this.#textOrNull(row, at.description),
      origin: this.#object(row, at.origin),
      state: this.#state(row, at.state),
      version: this.#number(row, at.version),
      claim: this.#textOrNull(row, at.claim),
      attempt: this.#number(row, at.attempt),
      failures: this.#number(row, at.failures),
      losses: this.#number(row, at.losses),
      interruptions: this.#number(row, at.interruptions),
      snoozes: this.#number(row, at.snoozes),
      revivals: this.#number(row, at.revivals),
      begun: this.#number(row, at.begun) !== 0,
      key: this.#textOrNull(row, at.key),
      ref: this.#textOrNull(row, at.ref),
      queuedAt: this.#number(row, at.queued_at),
      readyAt: this.#number(row, at.ready_at),
      startedAt: this.#numberOrNull(row, at.started_at),
      finishedAt: this.#numberOrNull(row, at.finished_at),
      cancelRequestedAt: this.#numberOrNull(row, at.cancel_requested_at),
      reason: this.#textOrNull(row, at.reason),
      result: this.#textOrNull(row, at.result),
      error: this.#object(row, at.error),
      progress: this.#object(row, at.progress),
      logs: this.#list(row, at.logs),
      leaseUntil: this.#numberOrNull(row, at.lease_until),
      workerId: this.#textOrNull(row, at.worker_id),
    };
  }

  /**
   * The record in a row, or what can be told of it: what is broken reads as if it were empty.
   * @param by - What the store knows the row by.
   * @param damages - Takes note of a damaged row that still looks alive.
   */
  salvaged(row: readonly Value[], by: Value, damages: Damage<Value>[]): TaskRecord {
    try {
      return this.decoded(row);
    } catch (fault) {
      const damage = damageOf(fault, by);
      const state = this.#cells.number(row[this.#places.state]);
      if (state === undefined || !ENDED.includes(state)) damages.push(damage);
      return this.#patched(row);
    }
  }

  /** Decodes after replacing each column that cannot be read. */
  #patched(row: readonly Value[]): TaskRecord {
    const whole = [...row];
    for (;;) {
      try {
        return this.decoded(whole);
      } catch (fault) {
        if (!(fault instanceof RowFault)) throw fault;
        const place = this.#places[fault.column];
        whole[place] = this.#cells.kept(substitute(this.#columns[place] as Column, whole[place]));
      }
    }
  }

  #text(row: readonly Value[], place: number): string {
    const text = this.#cells.text(row[place]);
    if (text !== undefined) return text;
    throw this.#fault(place, "is not a text");
  }

  #textOrNull(row: readonly Value[], place: number): string | null {
    return row[place] === null ? null : this.#text(row, place);
  }

  #number(row: readonly Value[], place: number): number {
    const number = this.#cells.number(row[place]);
    if (number !== undefined) return number;
    throw this.#fault(place, "is not a number of a usable size");
  }

  #numberOrNull(row: readonly Value[], place: number): number | null {
    return row[place] === null ? null : this.#number(row, place);
  }

  #state(row: readonly Value[], place: number): RecordState {
    const state = STATES[this.#number(row, place)];
    if (state !== undefined) return state;
    throw this.#fault(place, "is not a known state");
  }

  #list<T>(row: readonly Value[], place: number): readonly T[] {
    if (row[place] === null) return NOTHING;
    const value = this.#parsed(row, place);
    if (Array.isArray(value)) return value;
    throw this.#fault(place, "does not hold a JSON array");
  }

  #object<T>(row: readonly Value[], place: number): T | null {
    if (row[place] === null) return null;
    const value = this.#parsed(row, place);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as T;
    throw this.#fault(place, "does not hold a JSON object");
  }

  #parsed(row: readonly Value[], place: number): unknown {
    const text = this.#text(row, place);
    try {
      return JSON.parse(text);
    } catch {
      throw this.#fault(place, "is not valid JSON");
    }
  }

  #fault(place: number, why: string): RowFault {
    return new RowFault((this.#columns[place] as Column)[0], why);
  }
}

const FAILED = STATES.indexOf("failed");
const ENDED: readonly number[] = TERMINAL_STATES.map((state) => STATES.indexOf(state));

const EMPTY_POLICY = policyText({
  retries: 0,
  backoff: { kind: "fixed", delay: 0, factor: 1, maxDelay: 0, jitter: 0 },
  timeout: null,
  requeueOnShutdown: true,
});

/** What stands in for a value that cannot be read. */
function substitute([name, kind]: Column, value: unknown): string | number | null {
  if (name === "state") return FAILED;
  if (name === "policy") return EMPTY_POLICY;
  if (kind === "text") return String(value);
  return kind === "number" || kind === "count" ? 0 : null;
}

/** The list of a record that has none of what is in it. */
export const NOTHING: readonly never[] = [];

/** The policy in a text. @throws RowFault */
export function policyOf(text: string): TaskPolicy {
  const policy = policyIn(text);
  if (policy === undefined) throw new RowFault("policy", "does not hold a policy");
  return policy;
}

/** A list as it is kept. */
export function listText(list: readonly unknown[]): JsonText | null {
  return list.length === 0 ? null : JSON.stringify(list);
}

/** A structure as it is kept. */
export function objectText(value: object | null): JsonText | null {
  return value === null ? null : JSON.stringify(value);
}
