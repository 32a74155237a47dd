/** What the user may say about how long finished records are kept, and its checks. */
import { type Duration, parseDuration, quoted } from "../model/duration.ts";
import { SiderealError } from "../model/errors.ts";
import type { Millis } from "../model/record.ts";

/** The states that retention removes records of. */
export type FinishedState = "completed" | "failed" | "cancelled";

/** How long records of one state are kept: an age alone, both limits, or `null` for ever. */
export type RetentionLimit =
  | Duration
  | null
  | {
      /** Removed so long after they finished; `null`: at no age. Default: that of the state. */
      readonly age?: Duration | null;
      /** Only the newest so many are kept, over all queues, 0 to 1,000,000,000; `null` (default): any number. */
      readonly count?: number | null;
    };

/** By state; a state that is left out has its default: 7 days for completed records, 30 for failed and cancelled ones. */
export interface RetentionConfig {
  readonly completed?: RetentionLimit;
  readonly failed?: RetentionLimit;
  readonly cancelled?: RetentionLimit;
}

/** The limits of one state, with defaults filled in; null: none. */
export interface RetentionRule {
  readonly age: Millis | null;
  readonly count: number | null;
}

export type RetentionRules = Readonly<Record<FinishedState, RetentionRule>>;

const DAY: Millis = 86_400_000;
const MOST_KEPT = 1_000_000_000;
const DEFAULT_AGES: Readonly<Record<FinishedState, Millis>> = {
  completed: 7 * DAY,
  failed: 30 * DAY,
  cancelled: 30 * DAY,
};

export const FINISHED: readonly FinishedState[] = ["completed", "failed", "cancelled"];

/** Fills in defaults; a duration or null counts for all three states. @throws CONFIG_INVALID, DURATION_INVALID */
export function resolveRetention(value: Duration | null | RetentionConfig | undefined): RetentionRules {
  const what = "worker.retention";
  if (value !== undefined && (value === null || typeof value !== "object")) {
    const rule = { age: value === null ? null : parseDuration(value, what), count: null };
    return { completed: rule, failed: rule, cancelled: rule };
  }
  const limits = value ?? {};
  only(limits, FINISHED, what);
  return {
    completed: ruleOf(limits.completed, "completed"),
    failed: ruleOf(limits.failed, "failed"),
    cancelled: ruleOf(limits.cancelled, "cancelled"),
  };
}

function ruleOf(limit: RetentionLimit | undefined, state: FinishedState): RetentionRule {
  const what = `worker.retention.${state}`;
  if (limit === null) return { age: null, count: null };
  if (limit === undefined) return { age: DEFAULT_AGES[state], count: null };
  if (typeof limit !== "object") return { age: parseDuration(limit, what), count: null };
  only(limit, ["age", "count"], what);
  const { age, count = null } = limit;
  if (count !== null && !(Number.isInteger(count) && count >= 0 && count <= MOST_KEPT)) {
    throw new SiderealError(
      "CONFIG_INVALID",
      `${what}.count is ${quoted(count)}, not null or a whole number from 0 to ${MOST_KEPT}`,
    );
  }
  if (age === undefined) return { age: DEFAULT_AGES[state], count };
  return { age: age === null ? null : parseDuration(age, `${what}.age`), count };
}

function only(value: object, names: readonly string[], what: string): void {
  const strange = Array.isArray(value) ? value : Object.keys(value).find((name) => !names.includes(name));
  if (strange === undefined) return;
  throw new SiderealError(
    "CONFIG_INVALID",
    `${what} has ${quoted(strange)}; allowed are a duration, null, or an object of ${names.join(", ")}`,
  );
}
