/**
 * Lanes: records of one state, queue, task, execution and priority lie together in the index, in their order. To find the
 * lanes there are, one statement seeks the first record behind each lane that was there the last time: what comes up is
 * the lanes of now, each with its first record, however many records lie in between. Only what is new takes another look.
 */
import type { ClaimRequest } from "../../contracts/queue-backend.ts";
import type { Millis, TaskRecord } from "../../model/record.ts";
import type { LaneName } from "../sql/lane-hints.ts";
import type { TextRow } from "../sql/port.ts";
import { restored } from "../sql/text.ts";
import type { Session } from "./clients/session.ts";
import { quoted, whole } from "./literals.ts";
import type { Names } from "./names.ts";

/** A lane, and the earliest time in it. */
export interface Lane extends LaneName {
  readonly first: Millis;
}

/** How many seeks one statement makes. */
const TOGETHER = 100;

/** What a seek starts behind; null: before everything. */
type Start = LaneName | null;

/** The lanes of each state as they were found last. */
export class KnownLanes {
  readonly #known = new Map<number, readonly LaneName[]>();

  /**
   * The lanes of a state as they are now.
   * @param along - Five expressions to be answered along with them, in the same statement.
   */
  async of(session: Session, names: Names, state: number, along?: string): Promise<{ lanes: Lane[]; head: TextRow }> {
    const seen = new Map<string, Lane>();
    let head: TextRow = [];
    let starts: Start[] = [null, ...(this.#known.get(state) ?? [])];
    const asked = new Set(starts.map(keyOf));
    for (let question = along; starts.length > 0; question = undefined) {
      const rows = await seek(session, names, { state, starts }, question);
      if (question !== undefined) head = rows.shift() as TextRow;
      const found = rows.map(laneIn);
      for (const lane of found) seen.set(keyOf(lane), lane);
      starts = found.filter((lane) => !asked.has(keyOf(lane)));
      for (const lane of starts) asked.add(keyOf(lane));
    }
    const lanes = [...seen.values()];
    this.#known.set(state, lanes);
    return { lanes, head };
  }
}

function keyOf(lane: Start): string {
  return lane === null ? "" : JSON.stringify([lane.queue, lane.task, lane.execution, lane.priority]);
}

/** The first record behind each of these lanes; before them the answer to the question, if there is one. */
async function seek(
  session: Session,
  { tasks }: Names,
  { state, starts }: { state: number; starts: readonly Start[] },
  question: string | undefined,
): Promise<TextRow[]> {
  const rows: TextRow[] = [];
  for (let from = 0; from < starts.length; from += TOGETHER) {
    const seeks = starts.slice(from, from + TOGETHER).map(
      (start) =>
        `(select c.queue, c.task_name, c.execution, c.weight, c.at from ${tasks} c force index (lane)
          where c.state = ${state}${behind(start)} order by c.queue, c.task_name, c.execution, c.weight, c.at limit 1)`,
    );
    if (question !== undefined && from === 0) seeks.unshift(`(select ${question})`);
    rows.push(...(await session.query(seeks.join(" union all "))));
  }
  return rows;
}

function behind(start: Start): string {
  if (start === null) return "";
  const [queue, task, execution] = [quoted(start.queue), quoted(start.task), quoted(start.execution)];
  const lane = `c.queue = ${queue} and c.task_name = ${task} and c.execution`;
  return ` and (c.queue > ${queue} or (c.queue = ${queue} and c.task_name > ${task}) or (${lane} > ${execution})
            or (${lane} = ${execution} and c.weight > ${whole(-start.priority)}))`;
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

/** Whether a request may claim from this lane. */
export function serves({ queues, tasks, executions, queueLimits }: ClaimRequest, lane: LaneName): boolean {
  return (
    (queues === null || queues.includes(lane.queue)) &&
    tasks.includes(lane.task) &&
    executions.includes(lane.execution) &&
    (limitOf(queueLimits, lane.queue) ?? 1) > 0
  );
}

/** The limit of a queue, if it has one. */
export function limitOf(limits: ClaimRequest["queueLimits"], queue: string): number | undefined {
  return Object.hasOwn(limits, queue) ? limits[queue] : undefined;
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
