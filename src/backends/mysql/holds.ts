/** Named reservations. */
import type { Hold, HoldOptions } from "../../contracts/queue-backend.ts";
import { holdIn } from "../sql/other-rows.ts";
import type { TextRow } from "../sql/port.ts";
import { stored } from "../sql/text.ts";
import type { Context } from "./context.ts";
import { bytes, quoted, whole } from "./literals.ts";

const ALL = "name, holder, until, cast(note as binary)";

/** Takes or extends a reservation; answers with the one there is. To be called in a transaction. */
export async function hold(context: Context, name: string, holder: string, options: HoldOptions): Promise<Hold> {
  const { session, names } = context;
  const { lease = null, note = null } = options;
  const text = note === null ? "null" : `convert(${quoted(note)} using utf8mb4)`;
  // The row is locked from here on, whether it is new or was there; one that is new is over already.
  await session.write(
    `insert into ${names.holds} (name, holder, until, note) values (${quoted(name)}, ${quoted(holder)}, 0, null) on duplicate key update name = name`,
  );
  const [row] = await session.query(
    `select ${ALL}, ${context.now} from ${names.holds} where name = ${quoted(name)} for update`,
  );
  const current = holdIn(row as TextRow);
  const now = context.heard(row?.[4]);
  if (current.holder !== holder && !(current.until !== null && current.until <= now)) return current;
  const until = lease === null ? null : now + lease;
  await session.write(
    `update ${names.holds} set holder = ${quoted(holder)}, until = ${until === null ? "null" : whole(until)}, note = ${text} where name = ${quoted(name)}`,
  );
  return { name, holder, until, note };
}

/** Gives a reservation back. */
export async function release(context: Context, name: string, holder: string): Promise<boolean> {
  const { session, names } = context;
  const { count } = await session.write(
    `delete from ${names.holds} where name = ${quoted(name)} and holder = ${quoted(holder)} and (until is null or until > ${context.now})`,
  );
  return count > 0;
}

/** The reservations in force whose name begins so. */
export async function held(context: Context, prefix: string): Promise<Hold[]> {
  const { session, names } = context;
  const end = bytes(`${stored(prefix)}\u{10ffff}`);
  const rows = await session.query(
    `select ${ALL} from ${names.holds} where name >= ${quoted(prefix)} and name < ${end} and (until is null or until > ${context.now}) order by name`,
  );
  return rows.map(holdIn);
}
