/** Schedules in their rows: reading, compare-and-set, and writing once although the answer may be lost. */
import type { ScheduleChange, ScheduleRow } from "../contracts/queue-backend.ts";
import { SiderealError } from "../model/errors.ts";
import type { Millis } from "../model/record.ts";
import { dueAt, type Schedule } from "../model/schedule.ts";
import { decodeSchedule, encodeSchedule } from "../model/schedule-text.ts";
import type { Parts } from "./parts.ts";

/** Rows per page of a listing. */
export const PAGE = 100;
const TRIES = 4;
/** Versions that one millisecond leaves room for. */
const VERSIONS = 1_024;

/** What a row says; a text where it cannot be read. */
export function readRow(row: ScheduleRow): Schedule | string {
  try {
    return decodeSchedule(row.body);
  } catch (error) {
    return `its row cannot be read: ${error instanceof Error ? error.message : "unknown"}`;
  }
}

/** The row of a schedule that did not exist. Its version is above those of any row of that name that was removed before. */
export function firstRow(
  { runtime }: Pick<Parts, "runtime">,
  name: string,
  schedule: Schedule,
  now: Millis,
): ScheduleRow {
  const version = now * VERSIONS + Math.floor(runtime.random.next() * VERSIONS);
  return { name, version, dueAt: dueAt(schedule, now), body: encodeSchedule(schedule) };
}

/** The row that follows another. @param due - When to look at it, where that is not for the schedule to say. */
export function nextRow(row: ScheduleRow, schedule: Schedule, now: Millis, due?: Millis): ScheduleRow {
  return {
    name: row.name,
    version: row.version + 1,
    dueAt: due ?? dueAt(schedule, now),
    body: encodeSchedule(schedule),
  };
}

/** The row of that name, or null. */
export async function rowNamed({ calls }: Pick<Parts, "calls">, name: string): Promise<ScheduleRow | null> {
  const [row] = await calls.schedules({ by: "name", names: [name] });
  return row ?? null;
}

/** Every row, page by page. */
export async function* allRows({ calls }: Pick<Parts, "calls">): AsyncGenerator<ScheduleRow> {
  for (let after: string | null = null; ; ) {
    const page: readonly ScheduleRow[] = await calls.schedules({ by: "all", after, limit: PAGE });
    yield* page;
    if (page.length < PAGE) return;
    after = page.at(-1)?.name ?? null;
  }
}

/**
 * Replaces a row. A try whose answer was lost is found out about by reading the row again.
 * @returns false when somebody else has changed it
 */
export async function replaceRow(parts: Parts, from: ScheduleRow | null, to: ScheduleRow | null): Promise<boolean> {
  const change: ScheduleChange = { from, to, ticks: [] };
  return asking(parts, async (nth) => {
    const [written] = await parts.calls.advance([change]);
    if (written === true || nth === 1) return written === true;
    const current = await rowNamed(parts, (from ?? (to as ScheduleRow)).name);
    return to === null ? current === null : current?.version === to.version && current.body === to.body;
  });
}

/** Asks the store, again while it is in trouble that may pass. */
export async function asking<T>({ runtime }: Parts, ask: (nth: number) => Promise<T>): Promise<T> {
  for (let nth = 1; ; nth += 1) {
    try {
      return await ask(nth);
    } catch (error) {
      if (!(error instanceof SiderealError && error.retryable) || nth >= TRIES) throw error;
      await new Promise<void>((resolve) => runtime.clock.after(25 * 2 ** nth, resolve));
    }
  }
}
