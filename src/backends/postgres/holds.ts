/** Named reservations. */
import type { Hold, HoldOptions } from "../../contracts/queue-backend.ts";
import { SiderealError } from "../../model/errors.ts";
import { holdIn } from "../sql/other-rows.ts";
import { stored } from "../sql/text.ts";
import { digits, safe } from "../sql/text-rows.ts";
import type { Context } from "./context.ts";

/** How often a reservation is asked for that is given back whenever it is looked at. */
const TRIES = 10;

/** Takes or extends a reservation; answers with the one there is. */
export async function hold(context: Context, name: string, holder: string, options: HoldOptions): Promise<Hold> {
  const { holds, now } = context.names;
  const { lease = null, note = null } = options;
  const text = `with k as materialized (select ${now} as now),
    w as (insert into ${holds} as h (name, holder, until, note) select $2::text, $3::text, k.now + $4::text::bigint, $5::text from k
      on conflict (name) do update set holder = excluded.holder, until = excluded.until, note = excluded.note
      where h.holder = excluded.holder or h.until <= (select now from k) returning name, holder, until, note)
    select name, holder, until::text, note from w
    union all select name, holder, until::text, note from ${holds} where name = $2::text and not exists (select from w)`;
  for (let tries = 0; tries < TRIES; tries += 1) {
    const rows = await context.timed(text, [stored(name), stored(holder), digits(lease), safe(note)]);
    // None: somebody else's was taken and committed only while this statement waited for it.
    if (rows[0] !== undefined) return holdIn(rows[0]);
  }
  throw new SiderealError("STORE_BUSY", `Could not take the hold ${name}: it changed hands ${TRIES} times meanwhile`);
}

/** Gives a reservation back. */
export async function release(context: Context, name: string, holder: string): Promise<boolean> {
  const { holds, now } = context.names;
  const text = `with k as materialized (select ${now} as now)
    delete from ${holds} h using k where h.name = $2::text and h.holder = $3::text and (h.until is null or h.until > k.now) returning h.name`;
  return (await context.timed(text, [stored(name), stored(holder)])).length > 0;
}

/** The reservations in force whose name begins so. */
export async function held(context: Context, prefix: string): Promise<Hold[]> {
  const { holds, now } = context.names;
  const text = `with k as materialized (select ${now} as now)
    select h.name, h.holder, h.until::text, h.note from ${holds} h, k
    where h.name >= $2::text and h.name < $3::text and (h.until is null or h.until > k.now) order by h.name`;
  const rows = await context.timed(text, [stored(prefix), `${stored(prefix)}\u{10ffff}`]);
  return rows.map(holdIn);
}
