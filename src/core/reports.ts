/** What an operator asks of maintenance and of the scheduler's health, and what they answer. */
import type { Duration } from "../model/duration.ts";
import type { Millis } from "../model/record.ts";

/** The phases, in the order in which they run. */
export const MAINTENANCE_PHASES = ["stale", "terminal"] as const;

/** `stale`: lost workers' and overdue records. `terminal`: retention. */
export type MaintenancePhase = (typeof MAINTENANCE_PHASES)[number];

export interface MaintainOptions {
  /** Only these; default all of them. They run in their fixed order. */
  readonly phases?: readonly MaintenancePhase[];
  /** No further page is begun after so long, at least 1 ms; default `"60s"`. */
  readonly maxDuration?: Duration;
}

export interface PhaseReport {
  readonly phase: MaintenancePhase;
  /** `skipped`: not configured, or another run has the lock. `partial`: time was up. */
  readonly status: "completed" | "skipped" | "partial" | "failed";
  /** Records that it changed or removed. */
  readonly changed: number;
  readonly durationMs: Millis;
  /** Code or name of what went wrong; the words go to the logger only. */
  readonly error: string | null;
}

export interface MaintenanceReport {
  readonly outcome: "completed" | "partial" | "failed" | "already_running";
  /** Whether the lock was free. */
  readonly acquired: boolean;
  readonly durationMs: Millis;
  readonly phases: readonly PhaseReport[];
}

export interface SchedulerHealthOptions {
  /** How long ago the canary may have completed last, at least 1 ms; default `"5m"`. */
  readonly within?: Duration;
}

/** Instants are the store's. */
export type SchedulerHealth =
  | { readonly state: "healthy"; readonly task: string; readonly completedAt: Millis }
  /** No task of the canary's name is registered in this process. */
  | { readonly state: "unregistered"; readonly task: string }
  /** It has not completed since `since`; `lastCompletedAt`: the last time before, as far as records tell. */
  | { readonly state: "stale"; readonly task: string; readonly since: Millis; readonly lastCompletedAt: Millis | null };

/** Whether a service reaches its store. */
export interface ServiceHealth {
  readonly healthy: boolean;
  /** Why it is not healthy; empty where it is. */
  readonly reasons: readonly string[];
  /** The store's name. */
  readonly store: string;
  /** How long the store took to answer; null where it did not. */
  readonly roundTrip: Millis | null;
}
