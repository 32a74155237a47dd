/**
 * Lanes: records of one state, queue, task, execution and priority lie together in the index, in their order. To find the
 * lanes there are, one statement seeks the first record behind each lane that was there the last time: what comes up is
 * the lanes of now, each with its first record, however many records lie in between. Only what is new takes another look.
 */
import type { Millis } from "../../model/record.ts";
import { type Gap, gapsOf } from "../sql/lane-gaps.ts";
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
    const place = (start: LaneName | null): string => `c.state = ${state}${behind(start)}`;
    const found = await search(session, names, starts.map(place), (lanes) => lanes.map(place), along);
    this.#known.set(state, found.lanes);
    return found;
  }
}

/** The same of pending records, without a look at the beginnings of the lanes told: the trails there may be long. */
export function lanesBetween(
  session: Session,
  names: Names,
  told: readonly HintedLane[],
  along?: string,
): Promise<Found> {
  const heads = told.map((lane) => `${inLane(lane, PENDING)}${notBefore(lane)}`);
  const gaps = (lanes: readonly LaneName[]): string[] => gapsOf([...told, ...lanes]).map(inGap);
  return search(session, names, [...heads, ...gaps([])], gaps, along);
}

/** The first record in each of these places, and in those that the lanes found lead to. */
async function search(
  session: Session,
  names: Names,
  places: readonly string[],
  onward: (found: readonly LaneName[]) => string[],
  along: string | undefined,
): Promise<Found> {
  const seen = new Map<string, Lane>();
  const asked = new Set(places);
  let head: TextRow = [];
  let next = places;
  for (let question = along; next.length > 0; question = undefined) {
    const rows = await seek(session, names, next, question);
    if (question !== undefined) head = rows.shift() as TextRow;
    for (const lane of rows.map(laneIn)) seen.set(keyOf(lane), lane);
    next = rows.length === 0 ? [] : onward([...seen.values()]).filter((place) => !asked.has(place));
    for (const place of next) asked.add(place);
  }
  return { lanes: [...seen.values()], head };
}

function keyOf({ queue, task, execution, priority }: LaneName): string {
  return JSON.stringify([queue, task, execution, priority]);
}

/** The first record of each place; before them the answer to the question, if there is one. */
async function seek(
  session: Session,
  { tasks }: Names,
  places: readonly string[],
  question: string | undefined,
): Promise<TextRow[]> {
  const rows: TextRow[] = [];
  for (let from = 0; from < places.length; from += TOGETHER) {
    const seeks = places.slice(from, from + TOGETHER).map(
      (place) =>
        `(select c.queue, c.task_name, c.execution, c.weight, c.at from ${tasks} c force index (lane)
          where ${place} order by c.queue, c.task_name, c.execution, c.weight, c.at limit 1)`,
    );
    if (question !== undefined && from === 0) seeks.unshift(`(select ${question})`);
    rows.push(...(await session.query(seeks.join(" union all "))));
  }
  return rows;
}

function behind(start: LaneName | null): string {
  if (start === null) return "";
  const [queue, task, execution] = [quoted(start.queue), quoted(start.task), quoted(start.execution)];
  const lane = `c.queue = ${queue} and c.task_name = ${task} and c.execution`;
  return ` and (c.queue > ${queue} or (c.queue = ${queue} and c.task_name > ${task}) or (${lane} > ${execution})
            or (${lane} = ${execution} and c.weight > ${whole(-start.priority)}))`;
}

const COLUMNS = ["c.queue", "c.task_name", "c.execution", "c.weight"];

/** Being pending and in this gap. */
function inGap({ equal, after, before }: Gap): string {
  const column = COLUMNS[equal.length];
  const literal = (value: string | number): string => (typeof value === "number" ? whole(value) : quoted(value));
  const alike = equal.map((value, at) => ` and ${COLUMNS[at]} = ${quoted(value)}`);
  const from = after === null ? "" : ` and ${column} > ${literal(after)}`;
  const until = before === null ? "" : ` and ${column} < ${literal(before)}`;
  return `c.state = ${PENDING}${alike.join("")}${from}${until}`;
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
