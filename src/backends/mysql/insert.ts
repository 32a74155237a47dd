/** Enqueueing: new records in, or the old ones that hold the id or the key. */
import type { Insertion } from "../../contracts/queue-backend.ts";
import type { Draft, TaskRecord } from "../../model/record.ts";
import { INSERT_TRIES, isInOrder, lookUp, refusedWithoutReason, sorted, written } from "../sql/drafts.ts";
import { stored } from "../sql/text.ts";
import { salvaged } from "../sql/text-rows.ts";
import { CARRIED, type Context } from "./context.ts";
import { isDuplicate } from "./errors.ts";
import { draftLines, insertion, type Shape, shapeOf } from "./insertion.ts";
import { allOf } from "./names.ts";
import { cell, pieces, table } from "./sheet.ts";

/** How many drafts one statement takes. */
const TOGETHER = 5_000;

/** One statement's share of a batch. */
export interface Piece {
  readonly drafts: readonly Draft[];
  readonly shape: Shape;
  readonly json: string;
}

/** The batch as one statement, if it can be one. */
export function together(drafts: readonly Draft[]): Piece | undefined {
  if (!isDistinct(drafts)) return undefined;
  const [piece, more] = piecesOf(drafts);
  return more === undefined ? piece : undefined;
}

/** Writes a batch by one statement, which is atomic by itself; undefined: some of it is there already, and nothing was written. */
export async function insertAlike(context: Context, piece: Piece): Promise<Insertion[] | undefined> {
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
  let open: number[] = [...drafts.keys()];
  const among = (ids: readonly string[], keys: readonly string[]): Promise<readonly TaskRecord[]> =>
    holders(context, ids, keys);
  if (refused) open = await lookUp(drafts, open, answers, among);
  for (let tries = 0; open.length > 0; tries += 1) {
    if (tries === INSERT_TRIES) throw refusedWithoutReason(drafts[open[0] as number] as Draft);
    const { first, later } = sorted(drafts, open);
    const insertions = await attempt(
      context,
      first.map((place) => drafts[place] as Draft),
    );
    if (insertions !== undefined) {
      for (const [at, place] of first.entries()) answers[place] = insertions[at];
      open = later;
    }
    if (open.length > 0) open = await lookUp(drafts, open, answers, among);
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
  return drafts.map((draft) => written(draft, now, context.notes));
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

function isDistinct(drafts: readonly Draft[]): boolean {
  return isInOrder(drafts, drafts.keys()) || sorted(drafts, [...drafts.keys()]).later.length === 0;
}

/** The records that hold one of these ids or keys. */
async function holders(
  context: Context,
  ids: readonly string[],
  keys: readonly string[],
): Promise<readonly TaskRecord[]> {
  return [...(await holdersOf(context, "id", ids)), ...(await holdersOf(context, "key", keys))];
}

/** The records there are, as committed last, whatever a caller's transaction has seen before; those under way are waited for. */
async function holdersOf(context: Context, name: "id" | "key", values: readonly string[]): Promise<TaskRecord[]> {
  if (values.length === 0) return [];
  const column = { name: "v", type: "bytes" } as const;
  const index = name === "id" ? "primary" : "unique_key";
  const text = `select ${allOf("t")} from ${table("u", [column])}
    straight_join ${context.names.tasks} t force index (${index}) where t.\`${name}\` = ${cell("u", column)} lock in share mode`;
  const sorted = [...new Set(values.map(stored))].sort();
  const rows = await context.session.query(text, [JSON.stringify(sorted.map((value) => [value]))]);
  return rows.map((row) => salvaged(row, []));
}
