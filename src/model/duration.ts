/** Durations: `"250ms" | "30s" | "5m" | "2h" | "1d"`, or a number of milliseconds. */
import { SiderealError } from "./errors.ts";
import type { Millis } from "./record.ts";

export type DurationUnit = "ms" | "s" | "m" | "h" | "d";

/** A length of time: text with a unit, or a number of milliseconds. */
export type Duration = number | `${number}${DurationUnit}`;

const UNITS: Readonly<Record<DurationUnit, Millis>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The longest duration taken: 100 years. */
export const LONGEST_DURATION: Millis = 100 * 365 * UNITS.d;

/**
 * Reads a duration as milliseconds, rounded up to whole ones.
 * @param what - Names the setting or option in the error message.
 * @param least - Smallest value taken; default 0.
 * @throws DURATION_INVALID for anything else: NaN, Infinity, negative, unknown units, more than 100 years.
 */
export function parseDuration(value: unknown, what: string, least: Millis = 0): Millis {
  const millis = typeof value === "number" ? value : typeof value === "string" ? fromText(value) : Number.NaN;
  // Fractions of a nanosecond are what binary arithmetic adds to "0.07s".
  if (millis >= least && millis <= LONGEST_DURATION) return Math.ceil(Number(millis.toFixed(6))) + 0;
  const bounds = least > 0 ? `at least ${least} ms` : "not negative";
  throw new SiderealError(
    "DURATION_INVALID",
    `${what} is ${quoted(value)}, which is no duration (${bounds}, at most 100 years)`,
  );
}

/** A duration for people: `250ms`, `1.5s`, `2m`, `3h`, `1d`. */
export function formatDuration(millis: Millis): string {
  for (const unit of ["d", "h", "m", "s"] as const) {
    if (millis >= UNITS[unit]) return `${Number((millis / UNITS[unit]).toFixed(1))}${unit}`;
  }
  return `${Math.round(millis)}ms`;
}

/** An age or a distance in time for people, in whole units, cut off: `0s`, `12s`, `3m`, `2h`, `4d`. A negative one is `0s`. */
export function formatAge(millis: Millis): string {
  const unit = (["d", "h", "m"] as const).find((name) => millis >= UNITS[name]) ?? "s";
  return `${Math.max(0, Math.floor(millis / UNITS[unit]))}${unit}`;
}

function fromText(text: string): Millis {
  const match = /^(\d{1,15}(?:\.\d{1,6})?)(ms|s|m|h|d)$/u.exec(text);
  return match === null ? Number.NaN : Number(match[1]) * UNITS[match[2] as DurationUnit];
}

/** A value as shown in an error message: short, on one line, without the user and password of an address. Never throws. */
export function quoted(value: unknown): string {
  let text: string;
  try {
    text = shown(value);
  } catch {
    text = `a ${typeof value} that cannot be shown`;
  }
  const safe = text.replace(/:\/\/[^\s"]*@/gu, "://***@");
  return safe.length > 80 ? `${safe.slice(0, 77)}…` : safe;
}

function shown(value: unknown): string {
  switch (typeof value) {
    case "function":
      return "a function";
    case "bigint":
      return `${value}n`;
    case "string":
      return JSON.stringify(value.length > 1_000 ? value.slice(0, 1_000) : value);
    case "object":
      break;
    default:
      return String(value);
  }
  try {
    return JSON.stringify(value) ?? Object.prototype.toString.call(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}
