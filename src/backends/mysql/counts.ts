/** Counts per queue, and the removal of old records. */
import type { PruneQuery, Tally } from "../../contracts/queue-backend.ts";
import type { Millis } from "../../model/record.ts";
import { STATES } from "../sql/columns.ts";
import { talliesIn } from "../sql/tallies.ts";
import type { Context } from "./context.ts";
import { inLane } from "./lanes.ts";
import { among, bytes, whole } from "./literals.ts";

/** Counts, by the index alone; in one statement, so that no record is counted twice or missed on its way. */
export async function tally(context: Context, queues: readonly string[] | undefined): Promise<Tally[]> {
  const { session, names } = context;
  const of = queues === undefined ? "" : ` and t.queue in ${among(queues)}`;
  const now = await context.time();
  const rows = await session.query(
    `select t.queue, t.state, sum(t.at <= ${whole(now)}), count(*), min(t.at) from ${names.tasks} t force index (lane)
      where t.state between 0 and 5${of} group by t.state, t.queue`,
  );
  return talliesIn(rows);
}

interface Old {
  readonly at: Millis;
  readonly id: string;
}

/** How many records one deletion takes. */
const LISTED = 500;

/** Deletes terminal records of these states, oldest first; to be called in a transaction. */
export async function prune(context: Context, { states, before, limit }: PruneQuery): Promise<number> {
  const { session, names } = context;
  const old: Old[] = [];
  for (const state of new Set(states.map((name) => STATES.indexOf(name)))) {
    for (const lane of (await context.lanes(state)).lanes) {
      if (lane.first >= before) continue;
      const rows = await session.query(
        `select c.at, c.id from ${names.tasks} c force index (lane) where ${inLane(lane, state)} and c.at < ${whole(before)} order by c.at, c.seq limit ${whole(limit)}`,
      );
      old.push(...rows.map(([at, id]) => ({ at: Number(at), id: id ?? "" })));
    }
  }
  old.sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
  const ids = old
    .slice(0, limit)
    .map(({ id }) => id)
    .sort();
  let gone = 0;
  for (let from = 0; from < ids.length; from += LISTED) {
    const some = ids.slice(from, from + LISTED).map(bytes);
    const { count } = await session.write(
      `delete from ${names.tasks} where id in (${some.join(", ")}) and state > 2 and at < ${whole(before)}`,
    );
    gone += count;
  }
  return gone;
}
