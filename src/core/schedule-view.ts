/** Schedules as people see them: rows read back, with what comes next and how the last run ended. */
import type { ScheduleRow } from "../contracts/queue-backend.ts";
import { decodeJson } from "../model/json.ts";
import { type Millis, statusOf, type TaskRecord } from "../model/record.ts";
import type { Schedule } from "../model/schedule.ts";
import type { Timetable } from "../model/timetable.ts";
import type { Parts } from "./parts.ts";
import { readRow } from "./schedule-rows.ts";
import type { ScheduleInfo, TickOptions } from "./schedule-types.ts";
import { timetableOf, wordsOf } from "./timetables.ts";

const RUNS = 3;
const OVERDUE: Millis = 60_000;

/** What is to be told of these rows, in their order. */
export async function viewed(parts: Parts, rows: readonly ScheduleRow[]): Promise<readonly ScheduleInfo[]> {
  const read = rows.map((row) => ({ name: row.name, schedule: readRow(row) }));
  const ids = read.flatMap(({ schedule }) =>
    typeof schedule === "string" || schedule.last === null ? [] : [schedule.last.id],
  );
  const records = ids.length === 0 ? [] : await parts.calls.find({ by: "id", ids });
  const byId = new Map(records.map((record) => [record.id, record]));
  const now = parts.storeTime.now();
  return read.map(({ name, schedule }) =>
    typeof schedule === "string" ? damaged(name, schedule) : told(name, schedule, { byId, now }),
  );
}

/** The next so many instants of a timetable after `from`. */
export function instantsAfter(timetable: Timetable, from: Millis, count: number): Millis[] {
  const instants: Millis[] = [];
  for (let at: Millis | null = timetable.next(from); at !== null && instants.length < count; at = timetable.next(at)) {
    instants.push(at);
  }
  return instants;
}

function told(
  name: string,
  schedule: Schedule,
  { byId, now }: { readonly byId: ReadonlyMap<string, TaskRecord>; readonly now: Millis },
): ScheduleInfo {
  const { definition, last, createdAt, pausedAt, count } = schedule;
  const record = last === null ? undefined : byId.get(last.id);
  const state = pausedAt !== null ? "paused" : isEnded(schedule) ? "ended" : "active";
  const { words, runs, problem } = looked(schedule, now);
  return {
    name,
    task: schedule.taskName,
    origin: schedule.origin,
    state,
    cron: definition.cron,
    interval: definition.interval,
    words,
    timezone: definition.timezone,
    jitter: definition.jitter,
    startAt: date(definition.startAt),
    endAt: date(definition.endAt),
    limit: definition.limit,
    misfire: definition.misfire,
    overlap: definition.overlap,
    input: definition.input === null ? undefined : decodeJson(definition.input),
    options: definition.options === null ? null : (decodeJson(definition.options) as TickOptions),
    createdAt: new Date(createdAt),
    pausedAt: date(pausedAt),
    count,
    nextRuns: state === "active" ? runs : [],
    last: last && {
      id: last.id,
      scheduledFor: new Date(last.scheduledFor),
      status: record === undefined ? null : statusOf(record, now),
      finishedAt: date(record?.finishedAt ?? null),
    },
    problem: schedule.problem ?? problem ?? (state === "active" ? overdue(schedule, now) : null),
  };
}

/** Schedulers look each second: nobody who could has done so. */
function overdue({ next, taskName }: Schedule, now: Millis): string | null {
  if (next === null || now - next <= OVERDUE) return null;
  return `due since ${new Date(next).toISOString()}: no running worker knows task ${taskName}`;
}

const isEnded = ({ next, waiting }: Schedule): boolean => next === null && waiting.length === 0;

/** What needs the calendar; it may not know a zone that the process which made the schedule knows. */
function looked(
  { definition, createdAt, next, count }: Schedule,
  now: Millis,
): { readonly words: string; readonly runs: readonly Date[]; readonly problem: string | null } {
  try {
    const left = definition.limit === null ? RUNS : Math.min(RUNS, definition.limit - count);
    const from = next === null ? null : Math.max(next - 1, now);
    const instants = from === null ? [] : instantsAfter(timetableOf(definition, createdAt), from, left);
    return { words: wordsOf(definition), runs: instants.map((at) => new Date(at)), problem: null };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return { words: definition.cron ?? `every ${definition.interval} ms`, runs: [], problem };
  }
}

function damaged(name: string, problem: string): ScheduleInfo {
  return {
    name,
    task: "",
    origin: "runtime",
    state: "damaged",
    cron: null,
    interval: null,
    words: "",
    timezone: "UTC",
    jitter: 0,
    startAt: null,
    endAt: null,
    limit: null,
    misfire: "latest",
    overlap: "skip",
    input: undefined,
    options: null,
    createdAt: new Date(0),
    pausedAt: null,
    count: 0,
    nextRuns: [],
    last: null,
    problem,
  };
}

const date = (instant: Millis | null): Date | null => (instant === null ? null : new Date(instant));
