/** How an explanation says things: instants, workers, and texts that others wrote. */
import { formatAge } from "../model/duration.ts";
import type { Millis } from "../model/record.ts";
import { clean } from "./failure.ts";
import type { Cause, CauseCode, WorkerInfo } from "./operators.ts";

/** The last instant that a date can say. */
const LAST: Millis = 8_640_000_000_000_000;
const MOST_NAMED = 5;

/** A value that somebody stored as an instant; null where no date can say it. */
export function instantOf(value: unknown): Millis | null {
  return typeof value === "number" && Math.abs(value) <= LAST ? value : null;
}

export function cause(code: CauseCode, sentence: string, advice: string): Cause {
  return { code, sentence, advice };
}

/** An instant, and how far away it is: `2030-01-01T00:00:00.000Z (in 2h)`. */
export function when(at: Millis, now: Millis): string {
  const far = at > now ? `in ${formatAge(at - now)}` : `${formatAge(now - at)} ago`;
  return Math.abs(at) <= LAST ? `${new Date(at).toISOString()} (${far})` : far;
}

/** The first line of a text that others wrote, short. */
export function errorText(text: string): string {
  return clean(text.split(/[\r\n]/u, 1)[0] ?? "", 300).replace(/\.$/u, "");
}

/** A worker, and where it runs. */
export function place({ id, host, pid }: WorkerInfo): string {
  return host === null || pid === null ? id : `${id} (host ${host}, process ${pid})`;
}

/** Names for a sentence; of many, the first few. */
export function named(names: readonly string[]): string {
  const first = names.slice(0, MOST_NAMED).join(", ");
  return names.length > MOST_NAMED ? `${first} and ${names.length - MOST_NAMED} more` : first;
}
