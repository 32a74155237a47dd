/**
 * The tokens of claims that were made. A token is kept as long as it owns a record, so that the claim may be repeated;
 * then it is removed some time later.
 */
import type { Millis } from "../../model/record.ts";
import type { Context } from "./context.ts";
import { bytes, whole } from "./literals.ts";
import { RUNNING } from "./names.ts";

/** How long a token is kept at least. */
const KEPT: Millis = 3_600_000;

/** How many tokens one sweep looks at, and after how many claims the next is due: it must outrun them. */
const LISTED = 500;
const EVERY = 200;

/** When to sweep. */
export class Sweeps {
  #claims = 0;

  /** Counts a claim; true where a sweep is due. */
  due(): boolean {
    this.#claims += 1;
    return this.#claims % EVERY === 0;
  }
}

/** Removes old tokens that own nothing any more; to be called in a transaction. */
export async function sweep(context: Context): Promise<void> {
  const { session, names } = context;
  const now = await context.time();
  const rows = await session.query(
    `select token from ${names.claims} where at < ${whole(now - KEPT)} order by at limit ${LISTED} for update skip locked`,
  );
  const tokens = rows.map(([token]) => bytes(token ?? ""));
  if (tokens.length === 0) return;
  const owning = await session.query(
    `select distinct claim from ${names.tasks} force index (lane) where state = ${RUNNING} and claim in (${tokens.join(", ")})`,
  );
  const kept = new Set(owning.map(([token]) => bytes(token ?? "")));
  const over = tokens.filter((token) => !kept.has(token));
  if (over.length > 0) await session.write(`delete from ${names.claims} where token in (${over.join(", ")})`);
  // What is kept goes to the end, or it would hide what is over.
  if (kept.size > 0) {
    await session.write(`update ${names.claims} set at = ${whole(now)} where token in (${[...kept].join(", ")})`);
  }
}
