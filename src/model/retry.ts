/** Back-off: how long until the next attempt. */
import { type Duration, parseDuration, quoted } from "./duration.ts";
import { SiderealError } from "./errors.ts";
import type { BackoffPolicy, Millis } from "./record.ts";

/** A task's own formula. @param attempt - The attempt that failed, from 1. */
export type CustomBackoff = (attempt: number, error: unknown) => Duration;

/** How to wait between attempts. A bare duration means `fixed`. */
export type Backoff =
  | Duration
  | {
      readonly type: "fixed" | "linear" | "exponential";
      /** Base delay; default `"1s"`. */
      readonly delay?: Duration;
      /** Growth per failure of `exponential`, 1 to 100; default 2. */
      readonly factor?: number;
      /** Upper bound before jitter; default `"1h"`, or the delay where that is longer. */
      readonly maxDelay?: Duration;
      /** 0 to 1: spread the delay over `delay · (1 ± jitter)`; default 0.2. */
      readonly jitter?: number;
    }
  | CustomBackoff;

/** Exponential from one second, doubling up to an hour, ±20 %. */
export const DEFAULT_BACKOFF: BackoffPolicy = {
  kind: "exponential",
  delay: 1_000,
  factor: 2,
  maxDelay: 3_600_000,
  jitter: 0.2,
};

/** Delay before a record runs again whose worker was lost, by the number of losses: kept short, since it is bounded by `LIMITS.losses`. */
const LOSS_BACKOFF: BackoffPolicy = { kind: "exponential", delay: 250, factor: 4, maxDelay: 2_000, jitter: 0.2 };

const FIELDS: readonly string[] = ["type", "delay", "factor", "maxDelay", "jitter"];

/** Reads a back-off option. @throws OPTION_INVALID, DURATION_INVALID */
export function parseBackoff(value: Backoff, what: string): BackoffPolicy {
  if (typeof value === "function") return { ...DEFAULT_BACKOFF, kind: "custom" };
  if (typeof value !== "object" || value === null) {
    const delay = parseDuration(value, what);
    return { kind: "fixed", delay, factor: 1, maxDelay: delay, jitter: 0 };
  }
  const { type, delay = 1_000, factor = 2, jitter = 0.2 } = value;
  if (!["fixed", "linear", "exponential"].includes(type)) {
    throw new SiderealError(
      "OPTION_INVALID",
      `${what}.type is ${quoted(type)}, not "fixed", "linear" or "exponential"`,
    );
  }
  inRange(factor, 1, 100, `${what}.factor`);
  inRange(jitter, 0, 1, `${what}.jitter`);
  for (const name of Object.keys(value)) {
    if (!FIELDS.includes(name)) throw new SiderealError("OPTION_INVALID", `${what} has no field ${quoted(name)}`);
  }
  const base = parseDuration(delay, `${what}.delay`);
  const { maxDelay = Math.max(base, DEFAULT_BACKOFF.maxDelay) } = value;
  return { kind: type, delay: base, factor, maxDelay: parseDuration(maxDelay, `${what}.maxDelay`), jitter };
}

/**
 * Delay after the given number of failures.
 * @param failures - 1 after the first failure.
 * @param roll - A random number in [0, 1).
 */
export function backoffDelay(policy: BackoffPolicy, failures: number, roll: number): Millis {
  if (policy.delay === 0) return 0;
  const n = Math.max(1, failures);
  const grown =
    policy.kind === "fixed"
      ? policy.delay
      : policy.kind === "linear"
        ? policy.delay * n
        : policy.delay * policy.factor ** (n - 1);
  const capped = Math.min(grown, policy.maxDelay);
  return Math.round(capped * (1 + policy.jitter * (2 * roll - 1)));
}

/** Delay after the given number of lost leases. */
export function lossDelay(losses: number, roll: number): Millis {
  return backoffDelay(LOSS_BACKOFF, losses, roll);
}

function inRange(value: unknown, least: number, most: number, what: string): void {
  if (typeof value === "number" && value >= least && value <= most) return;
  throw new SiderealError("OPTION_INVALID", `${what} is ${quoted(value)}, not a number from ${least} to ${most}`);
}
