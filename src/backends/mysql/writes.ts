/**
 * The update of several records at once, with what each is to hold in the statement's text. Records that end together
 * mostly hold the same, or the same as their neighbour: a column's values travel once for each run of equal ones.
 */
import { isTerminal, type TaskRecord } from "../../model/record.ts";
import { FIXED } from "../sql/columns.ts";
import type { Text } from "../sql/port.ts";
import { digits, NAMES, placeOf, WRITERS } from "../sql/text-rows.ts";
import { bytes } from "./literals.ts";
import { ALARM, LENGTHS, type Type, typeOf } from "./names.ts";
import { fitting } from "./sheet.ts";

/** `complete`: the common ending, which writes little; `change`: the request stays; `replace`: everything. */
export type ChangeKind = "complete" | "change" | "replace";

/** The columns that follow from others: what the indexes look at. */
const DERIVED: Readonly<Record<string, (record: TaskRecord) => Text>> = {
  at: (record) => digits(isTerminal(record) ? record.finishedAt : record.readyAt),
  alarm: ({ state, expiresAt, cancelRequestedAt }) => {
    if (state === "pending") return digits(expiresAt);
    if (state === "failed" || state === "cancelled") return String(ALARM.dead);
    return state !== "completed" && cancelRequestedAt !== null ? String(ALARM.cancelling) : null;
  },
  weight: ({ priority }) => String(0 - priority),
  timeout: ({ policy }) => digits(policy.timeout),
};

/** What each kind writes. `complete`: all else stays as stored. */
const WRITTEN: Readonly<Record<ChangeKind, readonly string[]>> = {
  complete: "state version finished_at result error reason key ref lease_until at alarm".split(" "),
  change: [...NAMES.filter((name) => !FIXED.includes(name)), "at", "alarm"],
  replace: [...NAMES, "at", "alarm", "weight", "timeout"],
};

/** How many runs of equal values a column may have in one statement: the server looks through half of them for each record. */
export const RUNS = 64;

/** What the records hold from here on; the next run begins behind this id. */
interface Run {
  value: string;
  last: string;
}

/** The columns of one statement's records, in the order of their ids as bytes. */
export class Assignments {
  readonly #names: readonly string[];
  readonly #runs: Run[][];

  constructor(kind: ChangeKind) {
    this.#names = WRITTEN[kind];
    this.#runs = this.#names.map(() => []);
  }

  /** Adds a record, unless that were too many runs. @param id - As it is stored. @throws OPTION_INVALID */
  add(id: string, values: readonly string[]): boolean {
    const isFull = this.#runs.some((runs, at) => runs.length >= RUNS && runs.at(-1)?.value !== values[at]);
    if (isFull) return false;
    for (const [at, runs] of this.#runs.entries()) {
      const run = runs.at(-1);
      if (run !== undefined && run.value === values[at]) run.last = id;
      else runs.push({ value: values[at] as string, last: id });
    }
    return true;
  }

  /** The list of assignments. */
  text(): string {
    return this.#names.map((name, at) => `\`${name}\` = ${assigned(name, this.#runs[at] ?? [])}`).join(", ");
  }
}

function assigned(name: string, runs: readonly Run[]): string {
  const value = chosen(runs);
  // The lease is not part of a decision: what was renewed since then stays.
  if (name === "lease_until" && value !== "null") return `if(${value} is null, null, coalesce(lease_until, ${value}))`;
  return value;
}

function chosen(runs: readonly Run[]): string {
  const last = runs.at(-1);
  if (last === undefined) return "null";
  if (runs.length === 1) return last.value;
  const cases = runs.slice(0, -1).map((run) => `when id <= ${bytes(run.last)} then ${run.value}`);
  return `case ${cases.join(" ")} else ${last.value} end`;
}

/** What a record is to hold in each column that the kind writes, as literals. */
export function literalsOf(kind: ChangeKind, record: TaskRecord): string[] {
  return WRITTEN[kind].map((name) => {
    const derived = DERIVED[name];
    if (derived !== undefined) return derived(record) ?? "null";
    const writer = WRITERS[placeOf(name)] as (typeof WRITERS)[number];
    return literal(fitting(name, writer(record)), LENGTHS[name] === undefined ? typeOf(name) : "bytes");
  });
}

function literal(value: Text, type: Type): string {
  if (value === null) return "null";
  if (type === "bytes") return bytes(value);
  return type === "text" ? `convert(${bytes(value)} using utf8mb4)` : value;
}
