/** Setting damaged rows aside: they end as failed, and what is broken in them stays as it is. */
import { STATES } from "../sql/columns.ts";
import { CORRUPT, type Damage, damageText } from "../sql/salvage.ts";
import type { Context } from "./context.ts";
import { bytes, quoted, whole } from "./literals.ts";
import { ALARM } from "./names.ts";

const FAILED = STATES.indexOf("failed");

/** Marks damaged live rows as failed. */
export async function setAside(context: Context, damages: readonly Damage[]): Promise<void> {
  const { session, names } = context;
  const now = await context.time();
  for (const { by, why } of damages) {
    if (by === null) continue;
    const error = `convert(${quoted(damageText(why, now))} using utf8mb4)`;
    await session.write(
      `update ${names.tasks} force index (primary) set state = ${FAILED}, version = version + 1, finished_at = ${whole(now)}, at = ${whole(now)},
        reason = convert(${quoted(CORRUPT)} using utf8mb4), error = ${error}, \`key\` = null, ref = null, lease_until = null, alarm = ${ALARM.dead}
        where id = ${bytes(by)} and state not in (3, 4, 5)`,
    );
  }
}
