/** What operators write after flags, and what they are shown: names, numbers, instants, ages. */
import { printable } from "../host/logger.ts";
import { defineQueues, SiderealError } from "../index.ts";
import { detailOf, usage } from "./faults.ts";

/** The name of a queue or task. @throws Fault, a usage error that names the flag */
export function nameOf(text: string, flag: string): string {
  try {
    defineQueues({ worker: { queues: [text] } });
    return text;
  } catch (error) {
    if (!(error instanceof SiderealError)) throw error;
    throw usage(`${flag}: ${detailOf(error)}`, error.advice, { code: error.code });
  }
}

/** A whole number within bounds. @throws Fault, a usage error */
export function wholeOf(text: string, flag: string, least: number, most: number): number {
  const value = /^\d{1,12}$/u.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw usage(`${flag} is ${JSON.stringify(text)}`, `Give a whole number from ${least} to ${most}.`);
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * A moment, written as an ISO 8601 time (UTC unless it says otherwise) or as an age such as `2h`.
 * @returns the milliseconds since the epoch, once the store's time is known
 * @throws Fault, a usage error
 */
export function momentOf(text: string, flag: string): (now: number) => number {
  const age = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/u.exec(text);
  if (age !== null) {
    const length = Number(age[1]) * (UNITS[age[2] ?? ""] ?? 0);
    return (now) => Math.max(0, Math.floor(now - length));
  }
  const time = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d:?\d\d)?)?$/iu.exec(text);
  const at = time === null ? Number.NaN : Date.parse(`${time[1]}T${time[2] ?? "00:00"}${time[3] ?? "Z"}`);
  if (at >= 0) return () => at;
  const fix =
    "Give an ISO time (2026-05-13, 2026-05-13T21:17:51Z; UTC unless it says otherwise) or an age (90s, 2h, 3d).";
  throw usage(`${flag} is ${JSON.stringify(text)}`, fix);
}

/** A length of time to the millisecond, in the largest unit that it is a whole number of: `2h`, `90s`, `1500ms`. */
export function lengthText(millis: number): string {
  const whole = Object.entries(UNITS).findLast(([, size]) => millis % size === 0 && millis >= size);
  return whole === undefined ? `${millis}ms` : `${millis / whole[1]}${whole[0]}`;
}

/** An instant as ISO 8601 in UTC. */
export function isoOf(at: number): string {
  return new Date(at).toISOString();
}

/** One line of JSON that is safe for a terminal, too: what could steer it is written as an escape. */
export function jsonOf(value: unknown): string {
  return `${printable(JSON.stringify(value))}\n`;
}

export interface Column {
  readonly title: string;
  /** Numbers are aligned to the right; default left. */
  readonly align?: "right";
}

/** Rows under titles, two spaces between columns, nothing behind the last one. */
export function tableOf(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map(({ title }, at) => Math.max(title.length, ...rows.map((row) => (row[at] ?? "").length)));
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ align }, at) => {
        const [cell, width] = [cells[at] ?? "", widths[at] ?? 0];
        return align === "right" ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd();
  const head = [columns.map(({ title }) => title), widths.map((width) => "-".repeat(width))];
  return `${[...head, ...rows].map(line).join("\n")}\n`;
}
