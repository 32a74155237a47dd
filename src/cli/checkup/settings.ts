/** Settings that are legal and dangerous all the same. */
import { type Finding, formatAge, type Settings, type WorkerSettings } from "../../index.ts";

/** What the settings are judged by. */
export interface Circumstances {
  readonly production: boolean;
  /** Whether processes share the store. */
  readonly shared: boolean;
  readonly store: string;
  /** Whether the store wakes workers by signals. */
  readonly signals: boolean;
}

const SECOND = 1_000;
const YEAR = 365 * 86_400 * SECOND;

type Danger = readonly [message: string, advice: string];

/** One warning for each, or one line that there is none. */
export function settingFindings(settings: Settings, around: Circumstances): readonly Finding[] {
  const { worker } = settings;
  const dangers: readonly (Danger | null)[] = [
    inProduction(settings, around),
    lease(worker),
    recovery(worker),
    polling(worker, around),
    slots(worker),
    stopping(worker),
    ...(["completed", "failed", "cancelled"] as const).map((state) => kept(worker, state)),
  ];
  const found = dangers.filter((danger) => danger !== null);
  if (found.length === 0) return [{ check: "settings", level: "ok", message: "nothing dangerous", advice: null }];
  return found.map(([message, advice]) => ({ check: "settings", level: "warning", message, advice }));
}

function inProduction({ executionBackend }: Settings, { production, shared, store }: Circumstances): Danger | null {
  if (!production) return null;
  if (!shared)
    return [
      `the ${store} store in production: a restart loses every task`,
      "Use a store that survives, such as sqlite(path).",
    ];
  if (executionBackend !== "immediate") return null;
  return [
    "executionBackend is immediate in production: enqueue waits for the whole task, and nothing retries it after a crash",
    'Set executionBackend to "local" and run a worker.',
  ];
}

function lease({ leaseDuration }: WorkerSettings): Danger | null {
  if (leaseDuration >= 5 * SECOND) return null;
  return [
    `worker.leaseDuration is ${leaseDuration} ms: a pause of that length (a blocked event loop, a slow disk) loses running tasks to other workers`,
    "Use at least 5s; the default is 30s.",
  ];
}

function recovery({ staleAfter }: WorkerSettings): Danger | null {
  if (staleAfter <= 600 * SECOND) return null;
  return [
    `worker.staleAfter is ${formatAge(staleAfter)}: the tasks of a worker that died wait that long`,
    "Use a few times the lease at most; long tasks renew their lease while they run.",
  ];
}

function polling({ pollInterval }: WorkerSettings, { signals }: Circumstances): Danger | null {
  if (pollInterval < 10)
    return [
      `worker.pollInterval is ${pollInterval} ms: idle workers keep the store busy`,
      "Use at least 10ms; the default is 100ms.",
    ];
  if (signals || pollInterval <= 10 * SECOND) return null;
  return [
    `worker.pollInterval is ${formatAge(pollInterval)}, and nothing wakes workers of this store sooner`,
    "Use a few seconds at most.",
  ];
}

function slots({ maxConcurrency }: WorkerSettings): Danger | null {
  if (maxConcurrency <= 500) return null;
  return [
    `worker.maxConcurrency is ${maxConcurrency}: so many handlers in one event loop delay each other and the renewals`,
    "Use 500 at most in one process, and more processes.",
  ];
}

function stopping({ gracefulShutdownTimeout, finalCancelTimeout }: WorkerSettings): Danger | null {
  if (gracefulShutdownTimeout <= 30 * SECOND) return null;
  const whole = Math.ceil((gracefulShutdownTimeout + finalCancelTimeout) / SECOND);
  return [
    `a stop may take ${whole} s, and containers are killed after 10 or 30 s unless told otherwise`,
    `Set the supervisor's stop time-out (terminationGracePeriodSeconds, TimeoutStopSec, --stop-timeout) above ${whole} s.`,
  ];
}

function kept({ retention }: WorkerSettings, state: "completed" | "failed" | "cancelled"): Danger | null {
  const { age, count } = retention[state];
  if (count !== null || (age !== null && age <= YEAR)) return null;
  const how = age === null ? "for ever" : `for ${formatAge(age)}`;
  return [
    `${state} tasks are kept ${how}: the store grows and its reads become slower`,
    `Set worker.retention.${state} to an age, a count, or both.`,
  ];
}
