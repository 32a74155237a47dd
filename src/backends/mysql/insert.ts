/** Enqueueing: new records in, or the old ones that hold the id or the key. */
import type { Insertion } from "../../contracts/queue-backend.ts";
import { SiderealError } from "../../model/errors.ts";
import { stamped } from "../../model/lifecycle.ts";
import type { Draft, Millis, TaskRecord } from "../../model/record.ts";
import { salvaged } from "../sql/salvage.ts";
import { stored } from "../sql/text.ts";
import { CARRIED, type Context } from "./context.ts";
import { isDuplicate } from "./errors.ts";
import { draftLines, insertion, type Shape, shapeOf } from "./insertion.ts";
import { allOf } from "./names.ts";
import { cell, pieces, table } from "./sheet.ts";

/** How many drafts one statement takes. */
const TOGETHER = 5_000;

/** How often drafts are tried whose holder is gone whenever it is looked for. */
const TRIES = 10;

/** One statement's share of a batch. */
interface Piece {
  readonly drafts: readonly Draft[];
  readonly shape: Shape;
  readonly json: string;
}

/** A batch that may be written by one statement. */
export interface Together {
  readonly piece: Piece;
}

/** The batch as one statement, if it can be one. */
export function together(drafts: readonly Draft[]): Together | undefined {
  if (!isDistinct(drafts)) return undefined;
  const [piece, more] = piecesOf(drafts);
  return piece === undefined || more !== undefined ? undefined : { piece };
}

/** Writes a batch by one statement, which is atomic by itself; undefined: some of it is there already, and nothing was written. */
export async function insertAlike(context: Context, { piece }: Together): Promise<Insertion[] | undefined> {
  try {
    return await write(context, piece, "told");
  } catch (error) {
    if (isDuplicate(error)) return undefined;
    throw error;
  }
}

/**
 * Writes what is new; to be called in a transaction.
 * @param refused - The batch was refused as a whole before: then who is in its way is looked up first.
 */
export async function insert(context: Context, drafts: readonly Draft[], refused = false): Promise<Insertion[]> {
  const answers: (Insertion | undefined)[] = drafts.map(() => undefined);
  let open = [...drafts.keys()];
  if (refused) open = await lookUp(context, drafts, open, answers);
  for (let tries = 0; open.length > 0; tries += 1) {
    if (tries === TRIES) throw refusedWithoutReason(drafts[open[0] as number] as Draft);
    const { first, later } = sorted(drafts, open);
    const written = await attempt(
      context,
      first.map((place) => drafts[place] as Draft),
    );
    if (written !== undefined) {
      for (const [at, place] of first.entries()) answers[place] = written[at];
      open = later;
    }
    open = await lookUp(context, drafts, open, answers);
  }
  return answers as Insertion[];
}

/** Writes all of these, or none. */
async function attempt(context: Context, drafts: readonly Draft[]): Promise<Insertion[] | undefined> {
  const { session } = context;
  const parts = piecesOf(drafts);
  if (parts.length > 1) await session.write("savepoint sidereal_batch");
  try {
    const insertions: Insertion[] = [];
    for (const piece of parts) insertions.push(...(await write(context, piece, "asked")));
    return insertions;
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    if (parts.length > 1) await session.write("rollback to savepoint sidereal_batch");
    return undefined;
  }
}

/** @param time - How the time of the insert is learned: within a caller's transaction `last_insert_id` is the caller's. */
async function write(context: Context, piece: Piece, time: "told" | "asked"): Promise<Insertion[]> {
  const { drafts, shape, json } = piece;
  const tells = time === "told";
  const floor = tells ? context.floor : String(await context.time());
  const { text, values } = insertion(context.names, shape, { floor, json, tells });
  const { told } = await context.session.write(text, values);
  const now = context.heard(tells ? told : floor);
  return drafts.map((draft) => ({ created: true, record: noted(context, stamped(draft, now), now) }));
}

function noted(context: Context, record: TaskRecord, now: Millis): TaskRecord {
  const { notes } = context;
  if (record.readyAt <= now) notes.work = true;
  notes.readyAt = Math.min(notes.readyAt, record.readyAt);
  return record;
}

function piecesOf(drafts: readonly Draft[]): Piece[] {
  const shape = shapeOf(drafts);
  const texts = draftLines(shape);
  return pieces(texts, CARRIED).flatMap((places) => {
    const parts: Piece[] = [];
    for (let from = 0; from < places.length; from += TOGETHER) {
      const part = places.slice(from, from + TOGETHER);
      parts.push({
        drafts: part.map((place) => drafts[place] as Draft),
        shape,
        json: `[${part.map((place) => texts[place]).join(",")}]`,
      });
    }
    return parts;
  });
}

/** Of drafts under one id or key the first is tried alone: the later ones are refused by it. */
function sorted(drafts: readonly Draft[], open: readonly number[]): { first: number[]; later: number[] } {
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

function isDistinct(drafts: readonly Draft[]): boolean {
  return isInOrder(drafts) || sorted(drafts, [...drafts.keys()]).later.length === 0;
}

/** Whether the drafts come in the order of their ids and without keys, as they nearly always do. */
function isInOrder(drafts: readonly Draft[]): boolean {
  let last = "";
  for (const { record } of drafts) {
    if (record.key !== null || record.id <= last) return false;
    last = record.id;
  }
  return true;
}

/** Finds out who holds the ids and keys of these drafts; answers with the drafts that nobody is in the way of. */
async function lookUp(
  context: Context,
  drafts: readonly Draft[],
  places: readonly number[],
  answers: (Insertion | undefined)[],
): Promise<number[]> {
  if (places.length === 0) return [];
  const records = places.map((place) => (drafts[place] as Draft).record);
  const ids = records.map(({ id }) => id);
  const keys = records.map(({ key }) => key).filter((key) => key !== null);
  const byId = new Map((await holders(context, "id", ids)).map((record) => [record.id, record]));
  const byKey = new Map((await holders(context, "key", keys)).map((record) => [record.key, record]));
  return places.filter((place) => {
    const { id, key } = (drafts[place] as Draft).record;
    const same = byId.get(id);
    const holder = key === null ? undefined : byKey.get(key);
    if (same !== undefined) answers[place] = { created: false, by: "id", record: same };
    else if (holder !== undefined) answers[place] = { created: false, by: "key", record: holder };
    return same === undefined && holder === undefined;
  });
}

/** The records there are, as committed last, whatever a caller's transaction has seen before; those under way are waited for. */
async function holders(context: Context, name: "id" | "key", values: readonly string[]): Promise<TaskRecord[]> {
  if (values.length === 0) return [];
  const column = { name: "v", type: "bytes" } as const;
  const index = name === "id" ? "primary" : "unique_key";
  const text = `select ${allOf("t")} from ${table("u", [column])}
    straight_join ${context.names.tasks} t force index (${index}) where t.\`${name}\` = ${cell("u", column)} lock in share mode`;
  const sorted = [...new Set(values.map(stored))].sort();
  const rows = await context.session.query(text, [JSON.stringify(sorted.map((value) => [value]))]);
  return rows.map((row) => salvaged(row, []));
}

function refusedWithoutReason({ record }: Draft): SiderealError {
  return new SiderealError("STORE_FAILED", `The store refused task ${record.id} without a reason, ${TRIES} times`);
}
