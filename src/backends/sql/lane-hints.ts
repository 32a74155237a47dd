/**
 * Hints for claims under load. Pending records lie in lanes (queue, task, execution, priority), each in claim order in
 * the index. What was claimed from a lane lately leaves a trail of dead entries at its head until vacuum removes them, and
 * cannot be removed at all while somebody holds an old snapshot. So a worker that has just claimed much from some lanes
 * goes on where it stopped, for a while; a claim that comes back short looks at everything again.
 */
import type { ClaimRequest } from "../../contracts/queue-backend.ts";
import type { Millis } from "../../model/record.ts";

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

/** How many records must have been claimed in a row before hints are worth their risk. */
const WORTHWHILE = 500;

/** How far before the last record claimed a hint begins: others may commit late what they stamped earlier. */
const SLACK: Millis = 200;

/** How long hints are followed at least, and how much longer than a look at everything took. */
const TRUSTED: Millis = 1_000;
const PATIENCE = 20;

export class LaneHints {
  #floors = new Map<string, Lane>();
  #asked = "";
  #claimed = 0;
  #lookedAt: Millis = 0;
  #trusted: Millis = TRUSTED;

  /** The lanes to look at; undefined: look at everything. @param mono - The monotonic clock. */
  of(request: ClaimRequest, mono: Millis): readonly Lane[] | undefined {
    if (this.#claimed < WORTHWHILE || mono - this.#lookedAt > this.#trusted) return undefined;
    return this.#asked === askedBy(request) ? [...this.#floors.values()] : undefined;
  }

  /** Everything was looked at, which took from the first to the second instant; these are the lanes that the request serves. */
  looked(request: ClaimRequest, lanes: readonly LaneName[], from: Millis, until: Millis): void {
    const asked = askedBy(request);
    if (asked !== this.#asked) this.#claimed = 0;
    this.#asked = asked;
    const known = this.#floors;
    this.#floors = new Map(
      lanes.map((lane) => [keyOf(lane), { ...lane, floor: known.get(keyOf(lane))?.floor ?? Number.MIN_SAFE_INTEGER }]),
    );
    this.#lookedAt = until;
    this.#trusted = Math.max(TRUSTED, (until - from) * PATIENCE);
  }

  /** A claim took these, in claim order; short: fewer than it asked for. */
  claimed(records: readonly (LaneName & { readonly readyAt: Millis })[], short: boolean): void {
    this.#claimed = short ? 0 : this.#claimed + records.length;
    for (const { queue, task, execution, priority, readyAt } of records) {
      const lane = { queue, task, execution, priority, floor: readyAt - SLACK };
      this.#floors.set(keyOf(lane), lane);
    }
  }

  /** A record became ready as of this time: before a lane's floor, nobody would look for it. */
  returned(readyAt: Millis): void {
    for (const { floor } of this.#floors.values()) {
      if (readyAt < floor) {
        this.#claimed = 0;
        return;
      }
    }
  }
}

function keyOf({ queue, task, execution, priority }: LaneName): string {
  return `${priority} ${queue} ${task} ${execution}`;
}

function askedBy({ queues, tasks, executions }: ClaimRequest): string {
  return JSON.stringify([queues, tasks, executions]);
}
