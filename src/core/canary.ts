/** Is the scheduler alive? A recurring task, the canary, answers: if it completed lately, schedules, store and workers all work. */
import type { Page } from "../contracts/queue-backend.ts";
import { parseDuration } from "../model/duration.ts";
import type { Millis } from "../model/record.ts";
import type { Parts } from "./parts.ts";
import type { SchedulerHealth, SchedulerHealthOptions } from "./reports.ts";

/** A store looks at 10,000 records per page at most: together a million, the work of minutes even in a very busy fleet. */
const CALLS = 100;
const FIRST_LOOK = 20;
const LOOK = 1_000;

/** Looks for the canary's last completion. @throws DURATION_INVALID, STORE_… */
export async function schedulerHealth(parts: Parts, options: SchedulerHealthOptions = {}): Promise<SchedulerHealth> {
  const within = parseDuration(options.within ?? "5m", "schedulerHealth: within", 1);
  const task = parts.settings.schedulerCanaryTask;
  if (parts.registry.get(task) === undefined) return { state: "unregistered", task };
  const since = (await parts.storeTime.sync()) - within;
  // The newest record need not be the last to complete: an older one may have waited or run for long.
  let last: Millis | null = null;
  let after: string | null = null;
  for (let call = 0; call < CALLS; call += 1) {
    const limit = call === 0 ? FIRST_LOOK : LOOK;
    const page: Page = await parts.calls.page({ order: "newest", after, limit, tasks: [task], states: ["completed"] });
    for (const { finishedAt } of page.records) last = Math.max(last ?? 0, finishedAt ?? 0);
    if (last !== null && last >= since) return { state: "healthy", task, completedAt: last };
    after = page.next;
    if (after === null) break;
  }
  return { state: "stale", task, since, lastCompletedAt: last };
}
