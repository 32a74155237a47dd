/** Finding records: keyset pages over the store's index of ids, filtered further here. */
import { quoted } from "../model/duration.ts";
import { SiderealError } from "../model/errors.ts";
import type { TaskRecord } from "../model/record.ts";
import { type Selection, selectionOf } from "./filter.ts";
import type { Parts } from "./parts.ts";
import type { FindOptions, FoundRecords, RecordFilter } from "./record-operations.ts";

/** Records per look where more is filtered here than in the store; one can hold a megabyte. */
export const LOOK = 200;
/** Looks of one call: then it answers with what it has, and a cursor. */
const MOST_LOOKS = 10;
const MOST_RECORDS = 200;
const OPTIONS: readonly string[] = ["cursor", "limit", "order"] satisfies readonly (keyof FindOptions)[];

/** One page of the records that a filter means. @throws OPTION_INVALID, NAME_INVALID, STORE_… */
export async function find(parts: Parts, filter: RecordFilter, options: FindOptions): Promise<FoundRecords> {
  const selection = selectionOf(filter, "find");
  const { order, limit, cursor } = checked(options);
  const now = await parts.storeTime.sync();
  const records: TaskRecord[] = [];
  let after = cursor;
  for (let looks = 0; looks < MOST_LOOKS && records.length < limit; looks += 1) {
    const size = selection.exact ? limit - records.length + 1 : LOOK;
    const page = await parts.calls.page({ ...selection.query, order, after, limit: size });
    for (const record of page.records) {
      if (!isMeant(selection, record, now)) continue;
      if (records.length === limit) return { records, cursor: written(order, records.at(-1)?.id ?? null) };
      records.push(record);
    }
    after = page.next;
    if (after === null) break;
  }
  return { records, cursor: written(order, after) };
}

function isMeant(selection: Selection, record: TaskRecord, now: number): boolean {
  return selection.exact || selection.matches(record, now);
}

interface Checked {
  readonly order: "newest" | "oldest";
  readonly limit: number;
  readonly cursor: string | null;
}

function checked(options: FindOptions): Checked {
  if (typeof options !== "object" || options === null) {
    throw new SiderealError("OPTION_INVALID", `find: options is ${quoted(options)}, not an object`);
  }
  for (const name of Object.keys(options)) {
    if (OPTIONS.includes(name)) continue;
    throw new SiderealError("OPTION_INVALID", `find: there is no option ${quoted(name)}, only ${OPTIONS.join(", ")}`);
  }
  const { order = "newest", limit = 50, cursor = null } = options;
  if (order !== "newest" && order !== "oldest") {
    throw new SiderealError("OPTION_INVALID", `find: order is ${quoted(order)}, not "newest" or "oldest"`);
  }
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST_RECORDS) {
    throw new SiderealError("OPTION_INVALID", `find: limit is ${quoted(limit)}, not a whole number from 1 to 200`);
  }
  return { order, limit, cursor: cursor === null ? null : read(cursor, order) };
}

/** A cursor says in which order it was made: in the other one it would skip what nobody has seen. */
function written(order: "newest" | "oldest", id: string | null): string | null {
  return id === null ? null : Buffer.from(`1 ${order} ${id}`).toString("base64url");
}

function read(cursor: unknown, order: "newest" | "oldest"): string {
  const text = typeof cursor === "string" && cursor.length <= 1_000 ? Buffer.from(cursor, "base64url").toString() : "";
  const [, made, id] = /^1 (newest|oldest) (\S+)$/u.exec(text) ?? [];
  if (id === undefined || Buffer.from(text).toString("base64url") !== cursor) {
    throw new SiderealError("OPTION_INVALID", `find: cursor is ${quoted(cursor)}, which no call of find gave`);
  }
  if (made === order) return id;
  throw new SiderealError("OPTION_INVALID", `find: cursor is of the order ${made}, and ${order} is asked for`);
}
