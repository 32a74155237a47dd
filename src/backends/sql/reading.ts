/** What reading records has in common. */
import type { TaskRecord } from "../../model/record.ts";
import type { Lane } from "./lane-hints.ts";
import type { Damage } from "./salvage.ts";

/** How many records one page looks at. */
export const LOOKED_AT = 10_000;

/** What a query is given: `damages` takes note of damaged rows that should be set aside; `lanes`: those that hints know. */
export interface Finding {
  readonly damages: Damage[];
  readonly lanes: readonly Lane[] | undefined;
}

/** The records of these ids, in the order of the ids; an id that has none is left out. */
export function inOrderOf(ids: readonly string[], records: readonly TaskRecord[]): TaskRecord[] {
  const byId = new Map(records.map((record) => [record.id, record]));
  return ids.map((id) => byId.get(id)).filter((record) => record !== undefined);
}

/** Whether a page wants only what ended badly, which has an index of its own. */
export function isOfDead(states: readonly TaskRecord["state"][] | undefined): boolean {
  return states?.every((state) => state === "failed" || state === "cancelled") ?? false;
}
