/**
 * Where lanes may lie that nobody knows yet: in the gaps between those known. A gap is a range of one column behind equal
 * ones, since that is what an index stops at the end of; a range over several columns at once it may read on from.
 */
import { byCodePoint } from "../../model/order.ts";
import type { LaneName } from "./lane-hints.ts";

/** Of the columns queue, task, execution and rank the first ones are equal, and the next one lies between two values. */
export interface Gap {
  /** None to three values. */
  readonly equal: readonly string[];
  /** Null: there is no such bound. Of the fourth column a number: the priority turned round, so that the best comes first. */
  readonly after: string | number | null;
  readonly before: string | number | null;
}

const COLUMNS: readonly ((lane: LaneName) => string | number)[] = [
  ({ queue }) => queue,
  ({ task }) => task,
  ({ execution }) => execution,
  ({ priority }) => 0 - priority,
];

/** All gaps beside and between these lanes. */
export function gapsOf(lanes: readonly LaneName[], equal: readonly string[] = []): Gap[] {
  const column = COLUMNS[equal.length];
  if (column === undefined) return [];
  const values = [...new Set(lanes.map(column))].sort(inOrder);
  const gaps: Gap[] = [...values, null].map((before, at) => ({ equal, after: values[at - 1] ?? null, before }));
  const inner = values.map((value) => {
    const alike = lanes.filter((lane) => column(lane) === value);
    return gapsOf(alike, [...equal, String(value)]);
  });
  return [...gaps, ...inner.flat()];
}

function inOrder(a: string | number, b: string | number): number {
  return typeof a === "string" ? byCodePoint(a, String(b)) : a - Number(b);
}
