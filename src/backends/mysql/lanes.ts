/**
 * Lanes: records of one state, queue, task, execution and priority lie together in the index, in their order. To find the
 * lanes there are, one statement seeks the first record behind each lane that was there the last time: what comes up is
 * the lanes of now, each with its first record, however many records lie in between. Only what is new takes another look.
 */
import { byCodePoint } from "../../model/order.ts";
import type { Millis, TaskRecord } from "../../model/record.ts";
import { BEGINNING, type Lane as HintedLane, type LaneName } from "../sql/lane-hints.ts";
import type { TextRow } from "../sql/port.ts";
import { restored } from "../sql/text.ts";
import type { Session } from "./clients/session.ts";
import { quoted, whole } from "./literals.ts";
import { type Names, PENDING } from "./names.ts";

/** A lane, and the earliest time in it. */
export interface Lane extends LaneName {
  readonly first: Millis;
}

/** How many seeks one statement makes. */
const TOGETHER = 100;

/** Where a seek may find a lane: behind one and before another; null: there is no such bound. */
interface Span {
  readonly after: LaneName | null;
  readonly before: LaneName | null;
}

/** What is searched: these lanes from their floors, and these spans for lanes that are new. */
interface Search {
  readonly state: number;
  readonly told: readonly HintedLane[];
  readonly spans: readonly Span[];
}

/** Lanes, and the answer to the question asked along with them. */
export interface Found {
  readonly lanes: Lane[];
  readonly head: TextRow;
}

/** The lanes of each state as they were found last. */
export class KnownLanes {
  readonly #known = new Map<number, readonly LaneName[]>();

  /**
   * The lanes of a state as they are now.
   * @param along - Five expressions to be answered along with them, in the same statement.
   */
  async of(session: Session, names: Names, state: number, along?: string): Promise<Found> {
    const starts = [null, ...(this.#known.get(state) ?? [])];
    const spans = starts.map((after) => ({ after, before: null }));
    const found = await search(session, names, { state, told: [], spans }, along);
    this.#known.set(state, found.lanes);
    return found;
  }
}

/** The same of pending records, without a look at the beginnings of the lanes told: the trails there may be long. */
export function lanesBetween(
  session: Session,
  names: Names,
  told: readonly HintedLane[],
  along: string,
): Promise<Found> {
  const sorted = told.toSorted(inOrder);
  const spans = [null, ...sorted].map((after, at) => ({ after, before: sorted[at] ?? null }));
  return search(session, names, { state: PENDING, told: sorted, spans }, along);
}

async function search(session: Session, names: Names, { state, told, spans }: Search, along?: string): Promise<Found> {
  const seen = new Map<string, Lane>();
  const asked = new Set(spans.map(({ after }) => keyOf(after)));
  let head: TextRow = [];
  let next: Search = { state, told, spans };
  for (let question = along; next.spans.length > 0; question = undefined) {
    const rows = await seek(session, names, next, question);
    if (question !== undefined) head = rows.shift() as TextRow;
    const found = rows.map(laneIn);
    for (const lane of found) seen.set(keyOf(lane), lane);
    const fresh = found.filter((lane) => !asked.has(keyOf(lane)));
    for (const lane of fresh) asked.add(keyOf(lane));
    const behind = fresh.map((after) => ({ after, before: told.find((lane) => inOrder(lane, after) > 0) ?? null }));
    next = { state, told: [], spans: behind };
  }
  return { lanes: [...seen.values()], head };
}

/** As in the index. */
function inOrder(a: LaneName, b: LaneName): number {
  return (
    byCodePoint(a.queue, b.queue) ||
    byCodePoint(a.task, b.task) ||
    byCodePoint(a.execution, b.execution) ||
    b.priority - a.priority
  );
}

function keyOf(lane: LaneName | null): string {
  return lane === null ? "" : JSON.stringify([lane.queue, lane.task, lane.execution, lane.priority]);
}

/** The first record of each lane told and in each span; before them the answer to the question, if there is one. */
async function seek(
  session: Session,
  { tasks }: Names,
  { state, told, spans }: Search,
  question: string | undefined,
): Promise<TextRow[]> {
  const first = (where: string): string =>
    `(select c.queue, c.task_name, c.execution, c.weight, c.at from ${tasks} c force index (lane)
          where ${where} order by c.queue, c.task_name, c.execution, c.weight, c.at limit 1)`;
  const seeks = [
    ...told.map((lane) => first(`${inLane(lane, state)}${notBefore(lane)}`)),
    ...spans.map(({ after, before }) => first(`c.state = ${state}${beyond(after, ">")}${beyond(before, "<")}`)),
  ];
  const rows: TextRow[] = [];
  for (let from = 0; from < seeks.length; from += TOGETHER) {
    const together = seeks.slice(from, from + TOGETHER);
    if (question !== undefined && from === 0) together.unshift(`(select ${question})`);
    rows.push(...(await session.query(together.join(" union all "))));
  }
  return rows;
}

/** Being on that side of the lane, in the order of the index. */
function beyond(lane: LaneName | null, side: "<" | ">"): string {
  if (lane === null) return "";
  const [queue, task, execution] = [quoted(lane.queue), quoted(lane.task), quoted(lane.execution)];
  const alike = `c.queue = ${queue} and c.task_name = ${task} and c.execution`;
  return ` and (c.queue ${side} ${queue} or (c.queue = ${queue} and c.task_name ${side} ${task}) or (${alike} ${side} ${execution})
            or (${alike} = ${execution} and c.weight ${side} ${whole(-lane.priority)}))`;
}

function laneIn([queue, task, execution, weight, first]: TextRow): Lane {
  return {
    queue: restored(queue ?? ""),
    task: restored(task ?? ""),
    execution: restored(execution ?? ""),
    priority: 0 - Number(weight),
    // What has no time comes before everything that has.
    first: first === null || first === undefined ? Number.NEGATIVE_INFINITY : Number(first),
  };
}

/** Being in this lane, of this state. */
export function inLane({ queue, task, execution, priority }: LaneName, state: number): string {
  return `c.state = ${state} and c.queue = ${quoted(queue)} and c.task_name = ${quoted(task)} and c.execution = ${quoted(execution)} and c.weight = ${whole(0 - priority)}`;
}

/** Not lying before the lane's floor. */
export function notBefore({ floor }: HintedLane): string {
  return floor > BEGINNING ? ` and c.at >= ${whole(floor)}` : "";
}

/** The lane of a record, and when it is ready. */
export function laneOf({
  queue,
  taskName,
  execution,
  priority,
  readyAt,
}: TaskRecord): LaneName & { readonly readyAt: Millis } {
  return { queue, task: taskName, execution, priority, readyAt };
}
