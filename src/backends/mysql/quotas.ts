/** How many records a claim takes from each of several lanes: their heads are merged in claim order. */
import type { Millis } from "../../model/record.ts";
import type { Lane as Source } from "../sql/lane-hints.ts";
import type { Context } from "./context.ts";
import { inLane, notBefore } from "./lanes.ts";
import { whole } from "./literals.ts";
import { PENDING } from "./names.ts";

export type { Source };

/** Being ready in this lane, not expired, and not before its floor. */
export function readyIn(lane: Source, now: Millis): string {
  return `${inLane(lane, PENDING)}${notBefore(lane)} and c.at <= ${whole(now)} and (c.expires_at is null or c.expires_at > ${whole(now)})`;
}

/** What a lane gives. */
export interface Quota {
  readonly lane: Source;
  readonly quota: number;
}

/** What all lanes give together, and those of one queue. */
export interface Bounds {
  readonly limit: number;
  readonly room: (queue: string) => number;
  readonly now: Millis;
}

/** How many lanes one statement looks at. */
const TOGETHER = 50;

/** The quotas of lanes of the same priority; those that give nothing are left out. */
export async function quotasOf(context: Context, lanes: readonly Source[], bounds: Bounds): Promise<Quota[]> {
  const open = lanes.filter(({ queue }) => bounds.room(queue) > 0);
  const [only, more] = open;
  if (only === undefined) return [];
  if (more === undefined) return [{ lane: only, quota: Math.min(bounds.limit, bounds.room(only.queue)) }];
  const heads: Head[] = [];
  for (let from = 0; from < open.length; from += TOGETHER) {
    heads.push(...(await headsOf(context, open, { from, to: from + TOGETHER }, bounds)));
  }
  if (open.length > TOGETHER) heads.sort((a, b) => a.at - b.at || (a.seq < b.seq ? -1 : 1));
  return counted(open, heads, bounds);
}

interface Head {
  readonly lane: number;
  readonly at: Millis;
  readonly seq: bigint;
}

/** The first records of some of the lanes, in claim order. */
async function headsOf(
  { session, names }: Context,
  lanes: readonly Source[],
  { from, to }: { from: number; to: number },
  { limit, room, now }: Bounds,
): Promise<Head[]> {
  const selects = lanes.slice(from, to).map(
    (lane, at) =>
      `(select ${from + at} as n, c.at, c.seq from ${names.tasks} c force index (lane)
        where ${readyIn(lane, now)} order by c.at, c.seq limit ${whole(Math.min(limit, room(lane.queue)))})`,
  );
  const rows = await session.query(
    `select n, at, cast(seq as char) from (${selects.join(" union all ")}) heads order by at, seq`,
  );
  return rows.map(([lane, at, seq]) => ({ lane: Number(lane), at: Number(at), seq: BigInt(seq ?? 0) }));
}

function counted(lanes: readonly Source[], heads: readonly Head[], { limit, room }: Bounds): Quota[] {
  const counts = new Map<number, number>();
  const taken = new Map<string, number>();
  let left = limit;
  for (const { lane } of heads) {
    if (left === 0) break;
    const { queue } = lanes[lane] as Source;
    const before = taken.get(queue) ?? 0;
    if (before >= room(queue)) continue;
    taken.set(queue, before + 1);
    counts.set(lane, (counts.get(lane) ?? 0) + 1);
    left -= 1;
  }
  return [...counts].map(([lane, quota]) => ({ lane: lanes[lane] as Source, quota }));
}
