/** Schedules at run time: made, changed, paused, looked at and removed; and run once out of turn. */
import type { ScheduleRow } from "../contracts/queue-backend.ts";
import { quoted } from "../model/duration.ts";
import { SiderealError } from "../model/errors.ts";
import { encodeJson } from "../model/json.ts";
import { checkName } from "../model/names.ts";
import type { JsonText, Millis } from "../model/record.ts";
import { paused, redefined, resumed, type Schedule, type ScheduleDefinition, scheduled } from "../model/schedule.ts";
import type { TaskHandle } from "./handle.ts";
import type { Parts } from "./parts.ts";
import { instant } from "./prepare.ts";
import type { Producer } from "./producer.ts";
import { checkSchedule, mustBeSchedulable, type ScheduleTiming } from "./schedule-options.ts";
import { asking, firstRow, nextRow, readRow, replaceRow, rowNamed } from "./schedule-rows.ts";
import { inputOf, optionsOf } from "./schedule-ticks.ts";
import type { NewSchedule, ScheduleChanges, ScheduleInfo, SchedulePage, Schedules } from "./schedule-types.ts";
import { instantsAfter, viewed } from "./schedule-view.ts";
import { checkTaskOptions } from "./task.ts";
import { timetableOf } from "./timetables.ts";
import type { EnqueueOptions, Task } from "./vocabulary.ts";

const MOST_CONFLICTS = 100;
const TICK_OPTIONS: readonly string[] = [
  ...["queue", "priority", "expiresIn", "retries", "timeout", "metadata", "tags", "description"],
];

export class CoreSchedules<Tx> implements Schedules {
  readonly #parts: Parts;
  readonly #producer: Producer<Tx>;
  readonly #mustBeOpen: () => void;

  constructor(parts: Parts, producer: Producer<Tx>, mustBeOpen: () => void) {
    this.#parts = parts;
    this.#producer = producer;
    this.#mustBeOpen = mustBeOpen;
  }

  async create<Input>(name: string, schedule: NewSchedule<Input>): Promise<ScheduleInfo> {
    this.#mustBeOpen();
    const who = `Schedule ${nameOf(name)}`;
    if (typeof schedule !== "object" || schedule === null) {
      throw new SiderealError("SCHEDULE_INVALID", `${who} is ${quoted(schedule)}, not an object`);
    }
    const { task: given, options, ...timing } = schedule;
    const task = this.#producer.task(given as unknown as Task | string);
    this.#mustNotBeInCode(name, "made");
    const definition = checkSchedule(timing, who, encodeOptions(options ?? null, who));
    await this.#checkTask(task, definition, who);
    const now = await asking(this.#parts, () => this.#parts.storeTime.sync());
    const facts = { taskName: task.name, origin: "runtime", definition, now } as const;
    const made = scheduled({ ...facts, timetable: timetableOf(definition, now) });
    if (made.next === null) throw new SiderealError("SCHEDULE_INVALID", `${who} would never run: no instant is left`);
    const row = firstRow(this.#parts, name, made, now);
    if (!(await replaceRow(this.#parts, null, row))) {
      throw new SiderealError("SCHEDULE_EXISTS", `There is a schedule ${name} already`);
    }
    return this.#view(row);
  }

  async update(name: string, changes: ScheduleChanges): Promise<ScheduleInfo> {
    this.#mustBeOpen();
    const who = `Schedule ${nameOf(name)}`;
    if (typeof changes !== "object" || changes === null) {
      throw new SiderealError("SCHEDULE_INVALID", `${who}: the changes are ${quoted(changes)}, not an object`);
    }
    return this.#change(name, async (schedule, now) => {
      if (schedule.origin === "code") throw inCode(name, "changed");
      const definition = changed(schedule.definition, changes, who);
      const task = this.#producer.task(schedule.taskName);
      await this.#checkTask(task, definition, who);
      const { taskName, origin, createdAt } = schedule;
      const timetable = timetableOf(definition, createdAt);
      const next = redefined(schedule, { taskName, origin, definition, now, timetable });
      const isOver = definition.limit !== null && schedule.count >= definition.limit;
      if (next.next === null && !isOver) {
        throw new SiderealError("SCHEDULE_INVALID", `${who} would never run: no instant is left`);
      }
      return next;
    });
  }

  pause(name: string): Promise<ScheduleInfo> {
    return this.#change(name, async (schedule, now) => paused(schedule, now));
  }

  resume(name: string): Promise<ScheduleInfo> {
    return this.#change(name, async (schedule, now) =>
      resumed(schedule, now, timetableOf(schedule.definition, schedule.createdAt)),
    );
  }

  async runNow(name: string): Promise<TaskHandle> {
    this.#mustBeOpen();
    const schedule = readable(name, await this.#row(name));
    const task = this.#producer.task(schedule.taskName);
    const input = await inputOf(task, schedule.definition.input);
    const scheduledFor = await this.#parts.storeTime.sync();
    const origin = { kind: "schedule", schedule: name, scheduledFor, manual: true } as const;
    return this.#producer.enqueue(task, input, optionsOf(schedule) as EnqueueOptions<Tx>, origin);
  }

  async preview(
    schedule: string | ScheduleTiming,
    { count = 5, from }: { readonly count?: number; readonly from?: Date | Millis } = {},
  ): Promise<readonly Date[]> {
    this.#mustBeOpen();
    bounded(count, "preview: count");
    const now = await this.#parts.storeTime.sync();
    const after = instant(from, "preview: from") ?? now;
    const { definition, createdAt } =
      typeof schedule === "string"
        ? readable(schedule, await this.#row(schedule))
        : { definition: checkSchedule(schedule, "preview"), createdAt: now };
    return instantsAfter(timetableOf(definition, createdAt), after, count).map((at) => new Date(at));
  }

  async get(name: string): Promise<ScheduleInfo | null> {
    this.#mustBeOpen();
    const [row] = await Promise.all([rowNamed(this.#parts, nameOf(name)), this.#parts.storeTime.sync()]);
    return row && this.#view(row);
  }

  async list(options: { readonly cursor?: string | null; readonly limit?: number } = {}): Promise<SchedulePage> {
    this.#mustBeOpen();
    const { cursor = null, limit = 100 } = options;
    bounded(limit, "list: limit");
    const after = cursor === null ? null : nameOf(cursor, "list: cursor");
    const [rows] = await Promise.all([
      this.#parts.calls.schedules({ by: "all", after, limit }),
      this.#parts.storeTime.sync(),
    ]);
    const last = rows.at(-1);
    return {
      schedules: await viewed(this.#parts, rows),
      cursor: rows.length < limit || last === undefined ? null : last.name,
    };
  }

  async remove(name: string): Promise<boolean> {
    this.#mustBeOpen();
    for (let conflicts = 0; conflicts < MOST_CONFLICTS; conflicts += 1) {
      const row = await asking(this.#parts, () => rowNamed(this.#parts, nameOf(name)));
      if (row === null) return false;
      if (await replaceRow(this.#parts, row, null)) return true;
    }
    throw keptChanging(name);
  }

  async #change(name: string, decide: (schedule: Schedule, now: Millis) => Promise<Schedule>): Promise<ScheduleInfo> {
    this.#mustBeOpen();
    nameOf(name);
    for (let conflicts = 0; conflicts < MOST_CONFLICTS; conflicts += 1) {
      const row = await asking(this.#parts, () => this.#row(name));
      const now = await asking(this.#parts, () => this.#parts.storeTime.sync());
      const before = readable(name, row);
      const after = await decide(before, now);
      if (after === before) return this.#view(row);
      const next = nextRow(row, after, now);
      if (await replaceRow(this.#parts, row, next)) return this.#view(next);
    }
    throw keptChanging(name);
  }

  /** Checks what a tick would meet. */
  async #checkTask(task: Task, definition: ScheduleDefinition, who: string): Promise<void> {
    mustBeSchedulable(task.options, who, this.#parts.settings.executionBackend);
    await inputOf(task, definition.input);
  }

  /** A name that a task's definition gives to its schedule is taken, whether or not its row is there already. */
  #mustNotBeInCode(name: string, what: string): void {
    const task = this.#parts.registry.get(name);
    if (task !== undefined && task.schedule !== null) throw inCode(name, what);
  }

  async #row(name: string): Promise<ScheduleRow> {
    const row = await rowNamed(this.#parts, nameOf(name));
    if (row === null) throw new SiderealError("SCHEDULE_UNKNOWN", `There is no schedule ${name}`);
    return row;
  }

  async #view(row: ScheduleRow): Promise<ScheduleInfo> {
    const [info] = await viewed(this.#parts, [row]);
    return info as ScheduleInfo;
  }
}

function nameOf(value: unknown, what = "The schedule's name"): string {
  return checkName(value, what);
}

function readable(name: string, row: ScheduleRow): Schedule {
  const schedule = readRow(row);
  if (typeof schedule !== "string") return schedule;
  throw new SiderealError("STORE_CORRUPT", `Schedule ${name}: ${schedule}`);
}

function inCode(name: string, what: string): SiderealError {
  return new SiderealError("SCHEDULE_IN_CODE", `Schedule ${name} is defined by its task and cannot be ${what} here`);
}

function keptChanging(name: string): SiderealError {
  return new SiderealError("STORE_FAILED", `Schedule ${name} kept changing: ${MOST_CONFLICTS} conflicts in a row`);
}

function bounded(value: unknown, what: string): void {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 1_000) return;
  throw new SiderealError("OPTION_INVALID", `${what} is ${quoted(value)}, not a whole number from 1 to 1000`);
}

/** The options of each tick's enqueue, as stored. */
function encodeOptions(options: unknown, who: string): JsonText | null {
  if (options === null) return null;
  const unknown = typeof options === "object" ? Object.keys(options).find((name) => !TICK_OPTIONS.includes(name)) : "";
  if (unknown !== undefined || Array.isArray(options)) {
    const found = unknown ? `has ${quoted(unknown)}` : `is ${quoted(options)}`;
    throw new SiderealError("SCHEDULE_INVALID", `${who}: options ${found}; allowed are ${TICK_OPTIONS.join(", ")}`);
  }
  checkTaskOptions(options as object, who);
  return encodeJson(options, {
    what: `${who}: options`,
    notJson: "INPUT_NOT_JSON",
    tooLarge: "INPUT_TOO_LARGE",
    dropUndefined: true,
  });
}

/** The definition with these changes; a null takes a part away. */
function changed(before: ScheduleDefinition, changes: ScheduleChanges, who: string): ScheduleDefinition {
  const { options, input, ...timing } = changes;
  const { input: oldInput, options: oldOptions, ...old } = before;
  const replaces = timing.cron != null ? "interval" : timing.interval != null ? "cron" : null;
  const parts = Object.entries({ ...old, ...(replaces === null ? {} : { [replaces]: null }), ...timing });
  const given = Object.fromEntries(parts.filter(([, value]) => value !== null && value !== undefined));
  const text = options === undefined ? oldOptions : encodeOptions(options, who);
  const next = checkSchedule(input === undefined || input === null ? given : { ...given, input }, who, text);
  return input === undefined ? { ...next, input: oldInput } : next;
}
