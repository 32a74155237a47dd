/** Finding lanes, as the beginning of a statement: the CTE `lane (queue, task_name, execution, rank, floor)`. */
import { type Gap, gapsOf } from "../sql/lane-gaps.ts";
import { BEGINNING, type Lane } from "../sql/lane-hints.ts";
import { stored } from "../sql/text.ts";

/** Every lane that holds pending records: one seek each. */
export function everyLane(live: string): string {
  return `lane (queue, task_name, execution, rank, floor) as (
      (select queue, task_name, execution, -priority, ${BEGINNING}::bigint from ${live} where state = 0
        order by queue, task_name, execution, (-priority) limit 1)
      union all
      select n.*, ${BEGINNING}::bigint from lane l cross join lateral (
        ${behind(live, "(c.queue, c.task_name, c.execution, -c.priority) > (l.queue, l.task_name, l.execution, l.rank)")}) n)`;
}

/**
 * The lanes told, served or not, and those in the gaps between them: the beginnings of the lanes told, where the trails of
 * dead entries lie, are not looked at. @param first - The first of six parameters, see `toldIn` and `gapsIn`.
 */
export function lanesBetween(live: string, first: number): string {
  const next = [
    "g.level = 1 and (c.queue, c.task_name, c.execution, -c.priority) > (g.queue, g.task_name, g.execution, g.rank) and c.queue < g.until",
    "g.level = 2 and c.queue = g.queue and (c.task_name, c.execution, -c.priority) > (g.task_name, g.execution, g.rank) and c.task_name < g.until",
    "g.level = 3 and c.queue = g.queue and c.task_name = g.task_name and (c.execution, -c.priority) > (g.execution, g.rank) and c.execution < g.until",
    "g.level = 4 and c.queue = g.queue and c.task_name = g.task_name and c.execution = g.execution and -c.priority > g.rank and -c.priority < g.until_rank",
  ].map((where) => `(${behind(live, where)})`);
  return `told as materialized (${lanesTold(first)}),
    found (is_lane, queue, task_name, execution, rank, level, until, until_rank) as (
      select false, (g->>1) collate "C", (g->>2) collate "C", (g->>3) collate "C", (g->>4)::integer, (g->>0)::integer, g->>5, (g->>6)::integer from json_array_elements($${first + 5}::text::json) g
      union all
      select true, n.*, g.level, g.until, g.until_rank from found g cross join lateral (${next.join(" union all ")}) n),
    lane (queue, task_name, execution, rank, floor) as (
      select queue, task_name, execution, rank, ${BEGINNING}::bigint from found where is_lane
      union all select queue, task_name, execution, rank, floor from told)`;
}

function behind(live: string, where: string): string {
  return `select c.queue, c.task_name, c.execution, -c.priority from ${live} c where c.state = 0 and ${where}
        order by c.queue, c.task_name, c.execution, (-c.priority) limit 1`;
}

/** Lanes told as lists: queue, task, execution, -priority and floor, each JSON. @param first - The first of these parameters. */
export function lanesTold(first: number): string {
  const rows = [0, 1, 2, 3, 4].map((at) => `json_array_elements_text($${first + at}::text::json)`);
  return `select s.n, s.queue, s.task_name, s.execution, s.rank::integer as rank, s.floor::bigint as floor
      from rows from (${rows.join(", ")}) with ordinality as s(queue, task_name, execution, rank, floor, n)`;
}

/** The values of `lanesTold`. */
export function toldIn(lanes: readonly Lane[]): string[] {
  const column = (value: (lane: Lane) => string): string => JSON.stringify(lanes.map(value));
  return [
    column(({ queue }) => stored(queue)),
    column(({ task }) => stored(task)),
    column(({ execution }) => stored(execution)),
    column(({ priority }) => String(0 - priority)),
    column(({ floor }) => String(floor)),
  ];
}

/** Behind all names that are allowed; before and behind all ranks. */
const LAST = "\u007f";
const [LEAST, MOST] = [-(2 ** 31), 2 ** 31 - 1];

/** The gaps between these lanes, for `lanesBetween`: level, the place behind which each begins, and where it ends. */
export function gapsIn(lanes: readonly Lane[]): string {
  return JSON.stringify(gapsOf(lanes).map(rowOf));
}

function rowOf({ equal, after, before }: Gap): readonly (string | number)[] {
  const level = equal.length + 1;
  const alike = equal.map(stored);
  if (level === 4) return [level, ...alike, after ?? LEAST, "", before ?? MOST];
  // Whatever has the first value itself lies before the gap.
  const place = [...alike, after === null ? "" : stored(String(after)), ...(after === null ? ["", ""] : [LAST, LAST])];
  const rank = after === null ? LEAST : MOST;
  return [level, ...place.slice(0, 3), rank, before === null ? LAST : stored(String(before)), 0];
}
