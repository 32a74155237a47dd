/**
 * Hints for claims. Pending records lie in lanes (queue, task, execution, priority), each in claim order in the index. What
 * was claimed from a lane lately leaves a trail of dead entries at its head until they are cleaned away, which cannot be
 * done at all while somebody holds an old snapshot. So a worker that has just claimed much goes on where it stopped, and
 * one to which looking everywhere has become dear looks behind the trails and between the lanes that it knows.
 */
import type { ClaimRequest } from "../../contracts/queue-backend.ts";
import type { Millis, TaskRecord } from "../../model/record.ts";

/** What those records share that every claim treats alike. */
export interface LaneName {
  readonly queue: string;
  readonly task: string;
  readonly execution: string;
  readonly priority: number;
}

/** A lane, and where its next record lies at the earliest. */
export interface Lane extends LaneName {
  readonly floor: Millis;
}

/** Where a claim looks. */
export type Route =
  /** At every lane there is, from its beginning. */
  | { readonly kind: "everywhere" }
  /** At these lanes alone, each from its floor: the request is served by all of them. */
  | { readonly kind: "told"; readonly lanes: readonly Lane[] }
  /** At these lanes, each from its floor, served or not; and at whatever lanes lie between them. */
  | { readonly kind: "between"; readonly lanes: readonly Lane[] };

/** Before everything in a lane. */
export const BEGINNING: Millis = Number.MIN_SAFE_INTEGER;

/** How many records must have been claimed in a row before the lanes told are worth their risk. */
const WORTHWHILE = 500;

/** How far before the last record claimed a floor lies: others may commit late what they stamped earlier. */
const SLACK: Millis = 200;

/** How long floors are trusted at least and at most, and how much longer than a look everywhere took. */
const TRUSTED: Millis = 1_000;
const TRUSTED_MOST: Millis = 60_000;
const PATIENCE = 20;

/** A look everywhere that takes longer is not repeated for every claim. */
const DEAR: Millis = 10;

/** A lane that is empty is remembered until the last record claimed is so much younger than its own last one. */
const REMEMBERED: Millis = 600_000;

const EVERYWHERE: Route = { kind: "everywhere" };

export class LaneHints {
  #lanes = new Map<string, Lane>();
  #asked = "";
  #claimed = 0;
  #lookedAt: Millis = Number.NEGATIVE_INFINITY;
  #took: Millis = 0;
  /** The earliest time of what returned since a claim was last begun. */
  #returnedAt: Millis = Number.POSITIVE_INFINITY;

  /** @param mono - The monotonic clock. */
  of(request: ClaimRequest, mono: Millis): Route {
    this.#returnedAt = Number.POSITIVE_INFINITY;
    if (this.#asked !== askedBy(request) || !this.#isTrusted(mono)) return EVERYWHERE;
    // Where queues are limited, a claim that comes back short says nothing about what there is.
    if (this.#claimed >= WORTHWHILE && !isLimited(request))
      return { kind: "told", lanes: [...this.#lanes.values()].filter((lane) => serves(request, lane)) };
    return this.#took < DEAR ? EVERYWHERE : { kind: "between", lanes: [...this.#lanes.values()] };
  }

  /** The lanes to look between, whatever for; undefined: look everywhere. */
  between(mono: Millis): readonly Lane[] | undefined {
    return this.#took >= DEAR && this.#isTrusted(mono) ? [...this.#lanes.values()] : undefined;
  }

  #isTrusted(mono: Millis): boolean {
    return mono - this.#lookedAt <= Math.min(TRUSTED_MOST, Math.max(TRUSTED, this.#took * PATIENCE));
  }

  /** Everywhere was looked, which took from the first to the second instant; these are the lanes, served or not. */
  looked(request: ClaimRequest, lanes: readonly LaneName[], from: Millis, until: Millis): void {
    const asked = askedBy(request);
    if (asked !== this.#asked) {
      this.#claimed = 0;
      this.#lanes = new Map();
    }
    this.#asked = asked;
    this.#lookedAt = until;
    this.#took = until - from;
    const newest = Math.max(...Array.from(this.#lanes.values(), ({ floor }) => floor));
    const known = this.#lanes;
    this.#lanes = new Map([...known].filter(([, { floor }]) => floor > Math.max(BEGINNING, newest - REMEMBERED)));
    this.met(lanes);
  }

  /** There are these lanes. */
  met(lanes: readonly LaneName[]): void {
    for (const lane of lanes) {
      const key = keyOf(lane);
      if (!this.#lanes.has(key)) this.#lanes.set(key, { ...lane, floor: BEGINNING });
    }
  }

  /** A claim took these, in claim order; short: fewer than it asked for. */
  claimed(records: readonly (LaneName & { readonly readyAt: Millis })[], short: boolean): void {
    this.#claimed = short ? 0 : this.#claimed + records.length;
    for (let at = 0; at < records.length; at += 1) {
      const last = records[at] as (typeof records)[number];
      const next = records[at + 1];
      if (next !== undefined && isSame(last, next)) continue;
      const { queue, task, execution, priority, readyAt } = last;
      const lane = { queue, task, execution, priority, floor: Math.min(readyAt - SLACK, this.#returnedAt) };
      this.#lanes.set(keyOf(lane), lane);
    }
  }

  /** A record became ready as of this time, in any lane: no floor may lie behind it. */
  returned(readyAt: Millis): void {
    if (readyAt === Number.POSITIVE_INFINITY) return;
    this.#returnedAt = Math.min(this.#returnedAt, readyAt);
    for (const [key, lane] of this.#lanes) {
      if (readyAt < lane.floor) this.#lanes.set(key, { ...lane, floor: readyAt });
    }
  }
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

export function isLimited({ queueLimits }: ClaimRequest): boolean {
  return Object.keys(queueLimits).length > 0;
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

function isSame(a: LaneName, b: LaneName): boolean {
  return a.priority === b.priority && a.queue === b.queue && a.task === b.task && a.execution === b.execution;
}

function keyOf({ queue, task, execution, priority }: LaneName): string {
  return `${priority} ${queue} ${task} ${execution}`;
}

function askedBy({ queues, tasks, executions }: ClaimRequest): string {
  return JSON.stringify([queues, tasks, executions]);
}
