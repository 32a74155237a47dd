/** Schedules as their users see them at run time: the calls, and what is told of one. */
import type { Duration } from "../model/duration.ts";
import type { Json } from "../model/json.ts";
import type { Millis, TaskStatus } from "../model/record.ts";
import type { TaskHandle } from "./handle.ts";
import type { Misfire, Overlap, ScheduledInput, ScheduleTiming } from "./schedule-options.ts";

/** A task, as far as a schedule's types follow from it. */
export interface Schedulable<Input> {
  readonly name: string;
  run(input: Input, context: never): unknown;
}

/** What each tick is enqueued with, instead of the task's own. */
export interface TickOptions {
  readonly queue?: string;
  readonly priority?: number;
  readonly expiresIn?: Duration;
  readonly retries?: number;
  readonly timeout?: Duration;
  readonly metadata?: Readonly<Record<string, Json>>;
  readonly tags?: readonly string[];
  readonly description?: string;
}

/** A schedule made at run time. */
export type NewSchedule<Input> = ScheduleTiming &
  ScheduledInput<Input> & {
    /** The task, or the name of a registered one. It must not be `immediate`, nor unique for ever. */
    readonly task: Schedulable<Input> | string;
    readonly options?: TickOptions;
  };

/** Parts to change; null takes a part away, what is left out stays. A `cron` replaces an `interval`, and the reverse. */
export type ScheduleChanges = {
  readonly [Part in keyof ScheduleTiming]?: ScheduleTiming[Part] | null;
} & { readonly input?: unknown; readonly options?: TickOptions | null };

/** One schedule, as stored. */
export interface ScheduleInfo {
  readonly name: string;
  readonly task: string;
  /** `code`: the task's definition makes it; it has the task's name. */
  readonly origin: "code" | "runtime";
  /**
   * `active`, `paused`, `ended` (by `endAt`, by `limit`, or because no instant is left), or `damaged`: its row cannot be
   * read, and all but the name, `state` and `problem` are placeholders.
   */
  readonly state: "active" | "paused" | "ended" | "damaged";
  readonly cron: string | null;
  readonly interval: Millis | null;
  /** For people: `at 03:00 every day`, `every 5m`. */
  readonly words: string;
  readonly timezone: string;
  readonly jitter: Millis;
  readonly startAt: Date | null;
  readonly endAt: Date | null;
  readonly limit: number | null;
  readonly misfire: Misfire;
  readonly overlap: Overlap;
  readonly input: unknown;
  readonly options: TickOptions | null;
  readonly createdAt: Date;
  readonly pausedAt: Date | null;
  /** Ticks made so far. */
  readonly count: number;
  /** The next three nominal instants; none while it is paused or after its end. */
  readonly nextRuns: readonly Date[];
  /** The newest tick; its status is null when its record was removed since, or did not come to be because another record holds its key. */
  readonly last: {
    readonly id: string;
    readonly scheduledFor: Date;
    readonly status: TaskStatus | null;
    readonly finishedAt: Date | null;
  } | null;
  /** Why no tick can be made at present. */
  readonly problem: string | null;
}

/** One page of schedules, by name. */
export interface SchedulePage {
  readonly schedules: readonly ScheduleInfo[];
  /** Give it to the next call; null: nothing is left. */
  readonly cursor: string | null;
}

/** Schedules at run time: `queueService.schedules`. Every call needs an open service. */
export interface Schedules {
  /**
   * Makes a schedule; its first tick comes after now.
   * @param name - 1 to 200 letters, digits and `. _ : -`.
   * @throws SCHEDULE_EXISTS, SCHEDULE_IN_CODE, SCHEDULE_INVALID, TASK_UNKNOWN, NAME_INVALID, INPUT_INVALID, …
   */
  create<Input>(name: string, schedule: NewSchedule<Input>): Promise<ScheduleInfo>;
  /**
   * Changes a schedule made at run time. A new `cron`, `interval`, `timezone` or `startAt` counts from now on; after any
   * other change what is due stays due. Pause and count stay.
   * @throws SCHEDULE_UNKNOWN; SCHEDULE_IN_CODE: change the code instead; SCHEDULE_INVALID, …
   */
  update(name: string, changes: ScheduleChanges): Promise<ScheduleInfo>;
  /** Stops the ticks until `resume`, through restarts and deployments; what runs goes on. @throws SCHEDULE_UNKNOWN */
  pause(name: string): Promise<ScheduleInfo>;
  /** Goes on with the first instant after now; what was missed meanwhile is not made up for. @throws SCHEDULE_UNKNOWN */
  resume(name: string): Promise<ScheduleInfo>;
  /** Runs it once now, besides the series: paused or not, whatever still runs, and without counting. @throws SCHEDULE_UNKNOWN */
  runNow(name: string): Promise<TaskHandle>;
  /**
   * The next nominal instants of a schedule, or of one that does not exist yet. Pauses and limits are not looked at.
   * @param options.count - 1 to 1,000; default 5.
   * @param options.from - They come after this instant; default the store's now.
   * @throws SCHEDULE_UNKNOWN, SCHEDULE_INVALID, OPTION_INVALID
   */
  preview(
    schedule: string | ScheduleTiming,
    options?: { readonly count?: number; readonly from?: Date | Millis },
  ): Promise<readonly Date[]>;
  /** One schedule; null when there is none of that name. */
  get(name: string): Promise<ScheduleInfo | null>;
  /** A page of all schedules. @param options.limit - 1 to 1,000; default 100. */
  list(options?: { readonly cursor?: string | null; readonly limit?: number }): Promise<SchedulePage>;
  /** Removes a schedule; its ticks stay. One that code defines comes back at the next start. @returns whether there was one */
  remove(name: string): Promise<boolean>;
}

/** What `initializeSchedules` did, by name. */
export interface ScheduleReport {
  readonly created: readonly string[];
  readonly updated: readonly string[];
  readonly unchanged: readonly string[];
  /** Made by code before, and no task here defines them any more. */
  readonly missing: readonly string[];
  /** Those of the missing ones that were removed (`"remove-missing"`). */
  readonly removed: readonly string[];
}
