/**
 * Schedules, decided: what a schedule becomes when a scheduler gets to it, and which ticks belong to that step. Pure:
 * the store's time, the timetable and what still runs are facts; the store only compares versions and sets.
 */
import type { JsonText, Millis } from "./record.ts";
import type { Timetable } from "./timetable.ts";

/** What becomes of ticks that no scheduler got to in time. */
export type MisfirePolicy =
  | "skip"
  | "latest"
  /** The newest `max` of those that are no older than `within`. */
  | { readonly all: { readonly max: number; readonly within: Millis } };

/** What becomes of a tick whose predecessors have not ended. */
export type OverlapPolicy = "allow" | "skip" | "queue-one" | "cancel-running";

/** What a schedule was told to be. */
export interface ScheduleDefinition {
  /** Either this or `interval`. */
  readonly cron: string | null;
  readonly interval: Millis | null;
  readonly timezone: string;
  readonly jitter: Millis;
  readonly startAt: Millis | null;
  readonly endAt: Millis | null;
  /** Ticks altogether. */
  readonly limit: number | null;
  readonly misfire: MisfirePolicy;
  readonly overlap: OverlapPolicy;
  readonly input: JsonText | null;
  /** Options of each tick's enqueue, a JSON object; null: the task's own. */
  readonly options: JsonText | null;
}

/** A schedule as its row's body says. */
export interface Schedule {
  readonly taskName: string;
  readonly origin: "code" | "runtime";
  readonly definition: ScheduleDefinition;
  readonly createdAt: Millis;
  readonly pausedAt: Millis | null;
  /** The last nominal instant dealt with; every later one is still to come. */
  readonly cursor: Millis;
  /** The first nominal instant after the cursor; null: the series has ended. */
  readonly next: Millis | null;
  /** Ticks made so far. */
  readonly count: number;
  /** Missed instants that wait until there is room for them, oldest first. */
  readonly waiting: readonly Millis[];
  /** Ids of ticks that may not have ended. */
  readonly live: readonly string[];
  /** The newest tick made. */
  readonly last: { readonly id: string; readonly scheduledFor: Millis } | null;
  /** Why the last look failed. */
  readonly problem: string | null;
}

/** A tick that has not ended. */
export interface LiveTick {
  readonly id: string;
  /** Not started yet. */
  readonly isPending: boolean;
}

/** What a decision is made from, besides the schedule. */
export interface DueFacts {
  /** The store's clock. */
  readonly now: Millis;
  readonly timetable: Timetable;
  /** Those of `schedule.live` that have not ended; not looked at where ticks may overlap. */
  readonly live: readonly LiveTick[];
  readonly idOf: (instant: Millis) => string;
}

export interface DueDecision {
  readonly schedule: Schedule;
  /** Nominal instants of the ticks to insert with this step, oldest first. */
  readonly ticks: readonly Millis[];
  /** Ticks to cancel before. */
  readonly cancel: readonly string[];
  /** Whether instants were missed, made up for or not. */
  readonly missed: boolean;
}

/**
 * How late a tick may be and still be on time: within `always` in any case, within `alone` as long as the following
 * one has not come.
 */
export const ON_TIME = { always: 5_000, alone: 60_000 } as const;

/** Bounds of one schedule: ticks of one step, and ids that it remembers. */
export const SCHEDULE_LIMITS = { ticks: 1_000, live: 100, liveWhereAllowed: 10 } as const;

/** A schedule that waits for room is looked at so often. */
const LOOK_AGAIN: Millis = 1_000;

/** Facts of a definition, new or changed. */
export interface DefinitionFacts {
  readonly taskName: string;
  readonly origin: "code" | "runtime";
  readonly definition: ScheduleDefinition;
  readonly now: Millis;
  readonly timetable: Timetable;
}

/** A new schedule: its first tick comes after `now`. */
export function scheduled(facts: DefinitionFacts): Schedule {
  const { taskName, origin, definition, now, timetable } = facts;
  return {
    taskName,
    origin,
    definition,
    createdAt: now,
    pausedAt: null,
    cursor: now,
    next: timetable.next(now),
    count: 0,
    waiting: [],
    live: [],
    last: null,
    problem: null,
  };
}

/**
 * The schedule under another definition. A new timetable counts from now on, and so does a series that had ended; else
 * what is due stays due. Pause, count and what still runs stay in any case.
 */
export function redefined(schedule: Schedule, facts: DefinitionFacts): Schedule {
  const { taskName, origin, definition, now, timetable } = facts;
  const before = schedule.definition;
  const moved = (["cron", "interval", "timezone", "startAt"] as const).some(
    (part) => before[part] !== definition[part],
  );
  const cursor = moved || schedule.next === null ? Math.max(schedule.cursor, now) : schedule.cursor;
  const isOver = definition.limit !== null && schedule.count >= definition.limit;
  const keepsWaiting = !moved && !isOver && typeof definition.misfire === "object" && takesTurns(definition.overlap);
  return {
    ...schedule,
    taskName,
    origin,
    definition,
    cursor,
    next: isOver ? null : timetable.next(cursor),
    waiting: keepsWaiting ? schedule.waiting : [],
    problem: null,
  };
}

/** Paused: no ticks until it is resumed. A paused one stays as it is. */
export function paused(schedule: Schedule, now: Millis): Schedule {
  return schedule.pausedAt === null ? { ...schedule, pausedAt: now } : schedule;
}

/** Resumed: goes on with the first instant after now; what was missed meanwhile is not made up for. */
export function resumed(schedule: Schedule, now: Millis, timetable: Timetable): Schedule {
  if (schedule.pausedAt === null) return schedule;
  const cursor = Math.max(schedule.cursor, now);
  const next = schedule.next === null ? null : timetable.next(cursor);
  return { ...schedule, pausedAt: null, cursor, next, waiting: [] };
}

/** The schedule after a look that failed: nothing is taken as dealt with. */
export function troubled(schedule: Schedule, problem: string): Schedule {
  return { ...schedule, problem };
}

/** When a schedule wants to be looked at; null: never by itself. */
export function dueAt(schedule: Schedule, now: Millis): Millis | null {
  if (schedule.pausedAt !== null) return null;
  if (schedule.waiting.length > 0) return Math.min(schedule.next ?? now + LOOK_AGAIN, now + LOOK_AGAIN);
  return schedule.next;
}

/** Whether a decision needs to know what still runs. */
export function needsLive(schedule: Schedule): boolean {
  return schedule.definition.overlap !== "allow" && schedule.live.length > 0;
}

/**
 * What a schedule becomes at `now`, and its ticks: strictly increasing instants after the cursor, or ones that waited,
 * never one twice. Null: there is nothing to do yet.
 */
export function decide(schedule: Schedule, facts: DueFacts): DueDecision | null {
  if (schedule.pausedAt !== null) return null;
  const due = dueInstants(schedule, facts);
  if (due === null && schedule.waiting.length === 0) return null;
  const { onTime, missed, newest, late } = due ?? { onTime: [], missed: [], newest: schedule.cursor, late: false };
  const chosen = chooseTicks(schedule, facts, [...schedule.waiting, ...missed], onTime);
  if (due === null && chosen.ticks.length === 0) return null;
  const { limit, overlap } = schedule.definition;
  const ticks = limit === null ? chosen.ticks : chosen.ticks.slice(0, Math.max(0, limit - schedule.count));
  const count = schedule.count + ticks.length;
  const isOver = limit !== null && count >= limit;
  const next = due === null ? schedule.next : facts.timetable.next(newest);
  const ids = ticks.map(facts.idOf);
  const before = overlap === "allow" ? schedule.live : facts.live.map(({ id }) => id);
  const remembered = overlap === "allow" ? SCHEDULE_LIMITS.liveWhereAllowed : SCHEDULE_LIMITS.live;
  const [id, scheduledFor] = [ids.at(-1), ticks.at(-1)];
  return {
    ticks,
    cancel: chosen.cancel,
    missed: late,
    schedule: {
      ...schedule,
      cursor: newest,
      next: isOver ? null : next,
      count,
      waiting: isOver ? [] : chosen.waiting,
      live: [...before, ...ids].slice(-remembered),
      last: id === undefined || scheduledFor === undefined ? schedule.last : { id, scheduledFor },
      problem: null,
    },
  };
}

interface Due {
  /** To be made, oldest first. */
  readonly onTime: readonly Millis[];
  /** Missed ones to be made up for, oldest first. */
  readonly missed: readonly Millis[];
  /** The newest instant that has come: the next cursor. */
  readonly newest: Millis;
  /** Whether any was missed. */
  readonly late: boolean;
}

/** The instants that have come since the cursor, newest first, as far as the misfire policy wants them. */
function dueInstants({ cursor, next, definition }: Schedule, { now, timetable }: DueFacts): Due | null {
  if (next === null || next > now) return null;
  const newest = timetable.previous(now);
  // The zone's rules may have changed since `next` was worked out.
  if (newest === null || newest <= cursor) return { onTime: [], missed: [], newest: cursor, late: false };
  const earlier = (instant: Millis): Millis | null => {
    const before = timetable.previous(instant - 1);
    return before === null || before <= cursor ? null : before;
  };
  const onTime: Millis[] = [];
  let at: Millis | null = newest;
  for (let grace: Millis = ON_TIME.alone; at !== null && now - at <= grace; grace = ON_TIME.always) {
    if (onTime.length >= SCHEDULE_LIMITS.ticks) break;
    onTime.unshift(at);
    at = earlier(at);
  }
  const late = at !== null;
  const missed: Millis[] = [];
  const { misfire } = definition;
  const { max, within } =
    typeof misfire === "object"
      ? misfire.all
      : { max: misfire === "latest" && onTime.length === 0 ? 1 : 0, within: Number.POSITIVE_INFINITY };
  for (; at !== null && missed.length < max && now - at <= within; at = earlier(at)) missed.push(at);
  return { onTime, missed: missed.reverse(), newest, late };
}

interface Choice {
  readonly ticks: readonly Millis[];
  readonly waiting: readonly Millis[];
  readonly cancel: readonly string[];
}

/** Which of the instants become ticks now, by the overlap policy; `older` are waiting and missed ones. */
function chooseTicks(
  { definition }: Schedule,
  { live }: DueFacts,
  older: readonly Millis[],
  onTime: readonly Millis[],
): Choice {
  const all = [...older, ...onTime];
  const { misfire, overlap } = definition;
  if (overlap === "allow") return { ticks: all, waiting: [], cancel: [] };
  if (overlap === "cancel-running") {
    // Each would cancel the one before it.
    const ticks = all.slice(-1);
    return { ticks, waiting: [], cancel: ticks.length === 0 ? [] : live.map(({ id }) => id) };
  }
  const isFree = overlap === "skip" ? live.length === 0 : live.every(({ isPending }) => !isPending);
  const ticks = isFree ? all.slice(0, 1) : [];
  const rest = older.slice(older.length > 0 ? ticks.length : 0);
  const waiting = typeof misfire === "object" ? rest.slice(-misfire.all.max) : [];
  return { ticks, waiting, cancel: [] };
}

/** Whether missed ticks are made up for one after the other. */
function takesTurns(overlap: OverlapPolicy): boolean {
  return overlap === "skip" || overlap === "queue-one";
}
