/** Scheduled tasks for one test, and what became of their ticks. */
import type { TestContext } from "node:test";
import { registry } from "../../../src/core/registry.ts";
import type { ScheduleOptions } from "../../../src/core/schedule-options.ts";
import { task } from "../../../src/core/task.ts";
import type { Task, TaskContext, TaskOptions } from "../../../src/core/vocabulary.ts";
import type { TaskRecord } from "../../../src/model/record.ts";
import { allRecords } from "../../../src/testing/records.ts";
import type { Stage } from "./stage.ts";

/** The instant at which every stage begins. */
export const DAWN: number = Date.UTC(2030, 0, 1);

/** Defines a task with a schedule, in place of one of that name; the test's end forgets it. */
export function scheduledTask(
  t: TestContext,
  name: string,
  schedule: ScheduleOptions<void>,
  options: TaskOptions<void> = {},
  handler: (input: void, context: TaskContext) => unknown = () => {},
): Task<void> {
  registry.remove(name);
  t.after(() => registry.remove(name));
  return task<void>(name, { ...options, schedule }, handler);
}

/** The records of a schedule's ticks, by nominal instant; manual ones left out. */
export async function ticksOf({ store }: Pick<Stage, "store">, schedule: string): Promise<readonly TaskRecord[]> {
  const records = await allRecords(store);
  return records
    .filter(({ origin }) => origin?.kind === "schedule" && origin.schedule === schedule && origin.manual !== true)
    .sort((a, b) => instantOf(a) - instantOf(b));
}

/** The nominal instant of a tick, in seconds since the stage began. */
export function secondsOf(record: TaskRecord): number {
  return (instantOf(record) - DAWN) / 1_000;
}

function instantOf({ origin }: TaskRecord): number {
  return origin?.kind === "schedule" ? origin.scheduledFor : Number.NaN;
}
