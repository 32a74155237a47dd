/** Schedules in code and schedules in the store, brought together at a start; any number of processes may do it at once. */
import type { ScheduleRow } from "../contracts/queue-backend.ts";
import { SiderealError } from "../model/errors.ts";
import { redefined, type ScheduleDefinition, scheduled } from "../model/schedule.ts";
import { encodeDefinition, isForeign } from "../model/schedule-text.ts";
import type { Parts } from "./parts.ts";
import { mustBeSchedulable } from "./schedule-options.ts";
import { allRows, asking, firstRow, nextRow, readRow, replaceRow, rowNamed } from "./schedule-rows.ts";
import { inputOf } from "./schedule-ticks.ts";
import type { ScheduleReport } from "./schedule-types.ts";
import { timetableOf } from "./timetables.ts";
import type { Task } from "./vocabulary.ts";

/** Conflicts in a row on one schedule before it is taken as a bug of the store. */
const MOST_CONFLICTS = 100;

type Scheduled = Task & { readonly schedule: ScheduleDefinition };

/**
 * Writes the schedules of the registered tasks, where they are new or changed.
 * @throws SCHEDULE_INVALID, INPUT_INVALID before anything is written; STORE_…
 */
export async function initializeSchedules(parts: Parts): Promise<ScheduleReport> {
  const mode = parts.settings.initializeSchedules;
  const report = { created: [], updated: [], unchanged: [], missing: [], removed: [] } as {
    [Kind in keyof ScheduleReport]: string[];
  };
  if (mode === false) return report;
  const tasks = await schedulable(parts);
  if (tasks === null) return report;
  await asking(parts, () => parts.storeTime.sync());
  const rows = await asking(parts, async () => {
    const found = new Map<string, ScheduleRow>();
    for await (const row of allRows(parts)) found.set(row.name, row);
    return found;
  });
  for (const task of tasks) report[await define(parts, task, rows.get(task.name) ?? null)].push(task.name);
  const own = new Set(tasks.map(({ name }) => name));
  for (const row of rows.values()) {
    const schedule = readRow(row);
    if (typeof schedule === "string" || schedule.origin !== "code" || own.has(row.name)) continue;
    report.missing.push(row.name);
    if (mode === "remove-missing" && (await replaceRow(parts, row, null))) report.removed.push(row.name);
  }
  const left = report.missing.filter((name) => !report.removed.includes(name));
  const { logger } = parts.runtime;
  if (left.length > 0) {
    const cure = 'remove them with queueService.schedules.remove, or set initializeSchedules to "remove-missing"';
    logger.warn(`some schedules are no longer defined by any task here; ${cure}`, { schedules: left });
  }
  if (report.removed.length > 0) {
    logger.info("schedules that no task here defines any more were removed", { schedules: report.removed });
  }
  return report;
}

/** The tasks whose definition has a schedule; null where nothing can be scheduled. */
async function schedulable(parts: Parts): Promise<readonly Scheduled[] | null> {
  const { registry, settings, runtime } = parts;
  const tasks = registry.names().flatMap((name) => {
    const task = registry.get(name);
    return task === undefined || task.schedule === null ? [] : [task as Scheduled];
  });
  if (tasks.length > 0 && settings.executionBackend === "immediate") {
    const names = tasks.map(({ name }) => name);
    runtime.logger.warn('schedules rest while executionBackend is "immediate": no worker makes ticks', {
      tasks: names,
    });
    return null;
  }
  for (const task of tasks) {
    mustBeSchedulable(task.options, `Task ${task.name}: schedule`, settings.executionBackend);
    await inputOf(task, task.schedule.input);
  }
  return tasks;
}

/** Makes one schedule what the code says. Whoever is faster has done it. */
async function define(
  parts: Parts,
  { name, schedule: definition }: Scheduled,
  first: ScheduleRow | null,
): Promise<"created" | "updated" | "unchanged"> {
  let row = first;
  for (let conflicts = 0; conflicts < MOST_CONFLICTS; conflicts += 1) {
    const now = parts.storeTime.now();
    if (row !== null && isForeign(row.body)) return "unchanged";
    const before = row === null ? null : readRow(row);
    const facts = { taskName: name, origin: "code", definition, now } as const;
    if (row === null || before === null || typeof before === "string") {
      const made = scheduled({ ...facts, timetable: timetableOf(definition, now) });
      const to = row === null ? firstRow(parts, name, made, now) : nextRow(row, made, now);
      if (await replaceRow(parts, row, to)) return row === null ? "created" : "updated";
    } else {
      const isSame = encodeDefinition(before.definition) === encodeDefinition(definition);
      if (isSame && before.origin === "code") return "unchanged";
      const next = redefined(before, { ...facts, timetable: timetableOf(definition, before.createdAt) });
      if (await replaceRow(parts, row, nextRow(row, next, now))) return "updated";
    }
    row = await asking(parts, () => rowNamed(parts, name));
  }
  throw new SiderealError("STORE_FAILED", `Schedule ${name} kept changing: ${MOST_CONFLICTS} conflicts in a row`);
}
