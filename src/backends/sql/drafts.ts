/** Drafts on their way into a server store: what of them is written, which come first, and what is answered of the rest. */
import type { Insertion } from "../../contracts/queue-backend.ts";
import { SiderealError } from "../../model/errors.ts";
import { stamped } from "../../model/lifecycle.ts";
import type { Draft, Millis, TaskRecord } from "../../model/record.ts";
import type { Notes } from "./notes.ts";
import type { Text } from "./port.ts";
import { COLUMNS } from "./text-rows.ts";

/** How often drafts are tried whose holder is gone whenever it is looked for. */
export const INSERT_TRIES = 10;

/** The columns of a draft that the store does not stamp, by their places; those may be left out that hold the default in every draft. */
export const DRAFTED: readonly number[] = COLUMNS.map((_, place) => place).filter(
  (place) => !["created_at", "queued_at", "ready_at", "expires_at"].includes(COLUMNS[place]?.[0] as string),
);

/** What a column holds that is left out, by its place. */
export const DEFAULTS: readonly Text[] = COLUMNS.map(([name, kind]) => {
  if (kind.endsWith("?")) return null;
  return name === "version" ? "1" : kind === "count" ? "0" : "";
});

/** A draft that was written at this time. */
export function written(draft: Draft, now: Millis, notes: Notes): Insertion {
  const record = stamped(draft, now);
  notes.pending(record, now);
  return { created: true, record };
}

/** Of drafts under one id or key the first is tried alone: the later ones are refused by it. */
export function sorted(
  drafts: readonly Draft[],
  open: readonly number[],
): { first: readonly number[]; later: number[] } {
  if (isInOrder(drafts, open)) return { first: open, later: [] };
  const ids = new Set<string>();
  const keys = new Set<string>();
  const first: number[] = [];
  const later: number[] = [];
  for (const place of open) {
    const { id, key } = (drafts[place] as Draft).record;
    const isFirst = !ids.has(id) && (key === null || !keys.has(key));
    ids.add(id);
    if (key !== null) keys.add(key);
    (isFirst ? first : later).push(place);
  }
  return { first, later };
}

/** Whether the drafts come in the order of their ids and without keys, as they nearly always do. */
export function isInOrder(drafts: readonly Draft[], places: Iterable<number>): boolean {
  let last = "";
  for (const place of places) {
    const { id, key } = (drafts[place] as Draft).record;
    if (key !== null || id <= last) return false;
    last = id;
  }
  return true;
}

/**
 * Finds out who holds the ids and keys of these drafts, and answers them; what is left are the drafts that nobody is in the way of.
 * @param holders - Reads the records that hold one of these ids or keys.
 */
export async function lookUp(
  drafts: readonly Draft[],
  places: readonly number[],
  answers: (Insertion | undefined)[],
  holders: (ids: readonly string[], keys: readonly string[]) => Promise<readonly TaskRecord[]>,
): Promise<number[]> {
  const records = places.map((place) => (drafts[place] as Draft).record);
  const ids = records.map(({ id }) => id);
  const keys = records.map(({ key }) => key).filter((key) => key !== null);
  const byId = new Map<string, TaskRecord>();
  const byKey = new Map<string, TaskRecord>();
  for (const holder of await holders(ids, keys)) {
    byId.set(holder.id, holder);
    if (holder.key !== null) byKey.set(holder.key, holder);
  }
  return places.filter((place) => {
    const { id, key } = (drafts[place] as Draft).record;
    const same = byId.get(id);
    const holder = key === null ? undefined : byKey.get(key);
    if (same !== undefined) answers[place] = { created: false, by: "id", record: same };
    else if (holder !== undefined) answers[place] = { created: false, by: "key", record: holder };
    return same === undefined && holder === undefined;
  });
}

/** What to throw for a draft that was refused each time. */
export function refusedWithoutReason({ record }: Draft): SiderealError {
  return new SiderealError(
    "STORE_FAILED",
    `The store refused task ${record.id} without a reason, ${INSERT_TRIES} times`,
  );
}
