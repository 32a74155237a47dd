/** Setting damaged rows aside: they end as failed, and what is broken in them stays as it is. */

import { STATES } from "../sql/columns.ts";
import type { Text } from "../sql/port.ts";
import { CORRUPT, type Damage, damageText } from "../sql/salvage.ts";
import { NAMES } from "../sql/text-rows.ts";
import type { Context } from "./context.ts";
import { type Column, sheet } from "./sheet.ts";

const FAILED = STATES.indexOf("failed");

/** Marks damaged live rows as failed. */
export async function setAside(context: Context, damages: readonly Damage[]): Promise<void> {
  const { live, done, now: clock } = context.names;
  const [row] = await context.timed(`select (${clock})::text`, []);
  const now = context.time(row?.[0]);
  const columns: readonly Column[] = [
    { name: "id", type: "text", values: damages.map(({ by }) => by) },
    { name: "error", type: "text", values: damages.map(({ why }) => damageText(why, now)) },
  ];
  const { cte, values } = sheet("u", 2, columns);
  const next: Readonly<Record<string, Text>> = {
    state: `${FAILED}`,
    version: "t.version + 1",
    finished_at: "$1::text::bigint",
    reason: `'${CORRUPT}'`,
    error: "u.error",
    key: "null::text",
    ref: "null::text",
    lease_until: "null::bigint",
  };
  const ended = NAMES.map((name) => `${next[name] ?? `t.${name}`} as ${name}`).join(", ");
  const all = NAMES.join(", ");
  const text = `with ${cte},
    w as (delete from ${live} t using u where t.id = u.id returning ${ended}, t.seq)
    insert into ${done} (${all}, seq) select ${all}, seq from w`;
  await context.session.query(text, [String(now), ...values]);
}
