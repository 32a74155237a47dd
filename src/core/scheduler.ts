/**
 * The scheduler: due schedules become records. Every worker has one and none leads: a step replaces the row only at the
 * version it was decided from, and a tick's id follows from its instant, so a late or repeated step changes nothing.
 */
import type { ScheduleChange, ScheduleRow } from "../contracts/queue-backend.ts";
import { SiderealError } from "../model/errors.ts";
import { type Draft, isTerminal, type Millis } from "../model/record.ts";
import { type DueDecision, decide, type LiveTick, needsLive, type Schedule, troubled } from "../model/schedule.ts";
import { clean } from "./failure.ts";
import type { Parts } from "./parts.ts";
import { mustBeSchedulable } from "./schedule-options.ts";
import { nextRow, PAGE, readRow, rowNamed } from "./schedule-rows.ts";
import { initializeSchedules } from "./schedule-sync.ts";
import { inputOf, tickDrafts, tickId } from "./schedule-ticks.ts";
import { timetableOf } from "./timetables.ts";
import type { Task } from "./vocabulary.ts";

/** Longest rest between two looks. */
const REST: Millis = 1_000;
/** Ticks written together. */
const TICKS = 1_000;
/** Rows per pass; a flood is worked off over several. */
const PASS = 1_000;
/** A schedule in trouble is looked at again so much later. */
const TROUBLE: Millis = 60_000;

/** The longest that a task's validation of its input may take. */
const VALIDATION: Millis = 10_000;

/** A step that is ready to be written. */
interface Step {
  readonly change: ScheduleChange;
  readonly late: boolean;
  /** Set when no tick could be made. */
  readonly problem: string | null;
}

export class Scheduler {
  readonly #parts: Parts;
  /** When schedules of ours are due next, as far as we know: one that nobody here can serve must not hide the others. */
  readonly #due = new Map<string, Millis>();
  /** Of the last look: the earliest due of all, if it lay in the future. */
  #earliest: Millis | null = null;
  #after: string | null = null;
  /** False while the schedules in code still have to be brought into the store. */
  #isInitialized = true;
  /** What was logged, by schedule: once is enough. */
  readonly #told = new Map<string, string>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Brings the schedules in code into the store. A store in trouble that may pass does not keep a worker from starting:
   * the passes go on trying.
   * @throws SCHEDULE_INVALID, INPUT_INVALID
   */
  async initialize(): Promise<void> {
    try {
      await initializeSchedules(this.#parts);
      this.#isInitialized = true;
    } catch (error) {
      if (!(error instanceof SiderealError && error.retryable)) throw error;
      this.#isInitialized = false;
      this.#parts.runtime.logger.warn("schedules could not be initialised yet and will be tried again", { error });
    }
  }

  /** How long to rest before the next pass. */
  rest(): Millis {
    const { runtime, storeTime } = this.#parts;
    const least = this.#after === null ? REST * (0.8 + runtime.random.next() * 0.2) : 1;
    const now = storeTime.now();
    let wait = least;
    if (this.#earliest !== null && this.#earliest > now) wait = Math.min(wait, this.#earliest - now);
    for (const [name, due] of this.#due) {
      if (due > now) wait = Math.min(wait, due - now);
      else this.#due.delete(name);
    }
    return wait;
  }

  /** One look at what is due. */
  async pass(): Promise<void> {
    const { calls, storeTime } = this.#parts;
    if (!this.#isInitialized) await this.initialize();
    const [next] = await calls.schedules({ by: "next" });
    this.#earliest = next?.dueAt ?? null;
    if (this.#earliest === null || this.#earliest > storeTime.now()) return;
    for (let rows = 0; rows < PASS; rows += PAGE) {
      const page = await calls.schedules({ by: "due", after: this.#after, limit: PAGE });
      const now = await storeTime.sync();
      await this.#write(await this.#plan(page, now));
      this.#after = page.length < PAGE ? null : (page.at(-1)?.name ?? null);
      if (this.#after === null) return;
    }
  }

  async #plan(page: readonly ScheduleRow[], now: Millis): Promise<readonly Step[]> {
    const steps = await Promise.all(
      page.map((row) =>
        this.#step(row, now).catch((error: unknown) => {
          this.#tell(row.name, "a schedule could not be looked at and will be tried again", error);
          return null;
        }),
      ),
    );
    return steps.filter((step) => step !== null);
  }

  /** What is to be done about one row; null: nothing, or it is not ours. @throws what a store throws */
  async #step(row: ScheduleRow, now: Millis): Promise<Step | null> {
    this.#due.delete(row.name);
    const schedule = readRow(row);
    if (typeof schedule === "string") {
      // The text stays as it is: another version of this package may be able to read it.
      const to = { name: row.name, version: row.version + 1, dueAt: now + TROUBLE, body: row.body };
      return { change: { from: row, to, ticks: [] }, late: false, problem: schedule };
    }
    const task = this.#parts.registry.get(schedule.taskName);
    if (task === undefined) return null;
    const live = await this.#live(schedule);
    let made: { readonly decision: DueDecision; readonly ticks: readonly Draft[] } | null;
    try {
      made = await this.#made(row.name, schedule, task, { now, live });
    } catch (error) {
      // The user's code or content: it can stop this schedule only, and its ticks wait until it is mended.
      const problem = clean(error instanceof Error ? error.message : String(error), 1_000) || "unknown";
      const to = nextRow(row, troubled(schedule, problem), now, now + TROUBLE);
      return { change: { from: row, to, ticks: [] }, late: false, problem };
    }
    if (made === null) return null;
    const { decision, ticks } = made;
    // After a stall of ours the schedule may have moved on, and its runs with it.
    if (decision.cancel.length > 0 && (await rowNamed(this.#parts, row.name))?.version !== row.version) return null;
    // Before their successor is inserted: should we die in between, the next look does both again.
    for (const id of decision.cancel) {
      await this.#parts.service.cancel(id, { reason: `schedule ${row.name}: its next run is due` });
    }
    const change = { from: row, to: nextRow(row, decision.schedule, now), ticks };
    return { change, late: decision.missed, problem: null };
  }

  async #made(
    name: string,
    schedule: Schedule,
    task: Task,
    { now, live }: { readonly now: Millis; readonly live: readonly LiveTick[] },
  ): Promise<{ readonly decision: DueDecision; readonly ticks: readonly Draft[] } | null> {
    const { settings } = this.#parts;
    mustBeSchedulable(task.options, `Schedule ${name}`, settings.executionBackend);
    const timetable = timetableOf(schedule.definition, schedule.createdAt);
    const decision = decide(schedule, { now, timetable, live, idOf: (instant) => tickId(name, instant) });
    if (decision === null) return null;
    const input =
      decision.ticks.length === 0 ? undefined : await this.#inTime(inputOf(task, schedule.definition.input));
    return { decision, ticks: tickDrafts(settings, name, schedule, decision.ticks, { task, input }) };
  }

  /** A validation that never ends must not keep the other schedules waiting. */
  async #inTime<T>(work: Promise<T>): Promise<T> {
    let cancel = (): void => {};
    const late = new Promise<never>((_, reject) => {
      const why = `the validation of its input took longer than ${VALIDATION} ms`;
      cancel = this.#parts.runtime.clock.after(VALIDATION, () => reject(new Error(why)));
    });
    return Promise.race([work, late]).finally(cancel);
  }

  async #live(schedule: Schedule): Promise<readonly LiveTick[]> {
    if (!needsLive(schedule)) return [];
    const records = await this.#parts.calls.find({ by: "id", ids: schedule.live });
    const byId = new Map(records.map((record) => [record.id, record]));
    return schedule.live.flatMap((id) => {
      const record = byId.get(id);
      if (record === undefined || isTerminal(record)) return [];
      // One that waits for a retry has been started.
      return [{ id, isPending: record.state === "pending" && record.attempt === 0 }];
    });
  }

  /** Writes the steps in as few calls as their ticks allow. */
  async #write(steps: readonly Step[]): Promise<void> {
    for (let at = 0; at < steps.length; ) {
      let end = at;
      for (let ticks = 0; end < steps.length; end += 1) {
        ticks += steps[end]?.change.ticks.length ?? 0;
        if (end > at && ticks > TICKS) break;
      }
      await this.#writeTogether(steps.slice(at, end));
      at = end;
    }
  }

  async #writeTogether(steps: readonly Step[]): Promise<void> {
    let written: readonly boolean[];
    try {
      written = await this.#parts.calls.advance(steps.map(({ change }) => change));
    } catch (error) {
      if (steps.length === 1 || (error instanceof SiderealError && error.retryable)) throw error;
      // One of them is to blame, and must not keep the others from being written.
      for (const step of steps) {
        await this.#writeTogether([step]).catch((reason: unknown) =>
          this.#tell(step.change.from?.name ?? "", "a schedule's ticks could not be stored", reason),
        );
      }
      return;
    }
    const lost: string[] = [];
    for (const [at, step] of steps.entries()) {
      const { to } = step.change;
      if (to === null) continue;
      if (written[at] === true) this.#wrote(to, step);
      else lost.push(to.name);
    }
    if (lost.length === 0) return;
    // Whoever was faster did what was to be done; only when to look again is still to be learnt.
    for (const row of await this.#parts.calls.schedules({ by: "name", names: lost })) this.#remember(row);
  }

  #wrote(row: ScheduleRow, { late, problem, change }: Step): void {
    this.#remember(row);
    const { logger } = this.#parts.runtime;
    if (problem !== null) this.#tell(row.name, "a schedule is in trouble", problem);
    else this.#told.delete(row.name);
    if (late) logger.warn("a schedule's ticks were missed", { schedule: row.name, made: change.ticks.length });
  }

  #remember({ name, dueAt }: ScheduleRow): void {
    if (dueAt !== null) this.#due.set(name, dueAt);
  }

  #tell(schedule: string, message: string, error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    if (this.#told.get(schedule) === text) return;
    this.#told.set(schedule, text);
    this.#parts.runtime.logger.error(message, { schedule, error });
  }
}
