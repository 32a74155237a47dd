/** The flags that say which records are meant, the same for each command that takes them. */
import type { RecordFilter, TaskStatus } from "../index.ts";
import { usage } from "./faults.ts";
import { momentOf, nameOf } from "./values.ts";

export interface FilterFlags {
  readonly status?: readonly string[];
  readonly queue?: readonly string[];
  readonly task?: readonly string[];
  readonly tag?: readonly string[];
  readonly error?: readonly string[];
  readonly endedBy?: readonly string[];
  readonly schedule?: readonly string[];
  readonly since?: string;
  readonly until?: string;
  readonly finishedSince?: string;
  readonly finishedUntil?: string;
}

/** A filter as far as it is known before the store's time is. */
export interface Asked {
  /** Whether no flag was given. */
  readonly empty: boolean;
  at(now: number): RecordFilter;
}

const STATUSES: readonly TaskStatus[] = ["pending", "scheduled", "running", "completed", "failed", "cancelled"];

/**
 * Reads the flags.
 * @param possible - The statuses that the command can mean; default all six.
 * @throws Fault, a usage error that names the flag
 */
export function filterOf(flags: FilterFlags, possible: readonly TaskStatus[] = STATUSES): Asked {
  const status = flags.status?.map((text) => statusOf(text, possible));
  const queue = flags.queue?.map((text) => nameOf(text, "--queue"));
  const task = flags.task?.map((text) => nameOf(text, "--task"));
  const fixed: RecordFilter = {
    ...(status !== undefined && { status }),
    ...(queue !== undefined && { queue }),
    ...(task !== undefined && { task }),
    ...(flags.tag !== undefined && { tags: texts(flags.tag, "--tag") }),
    ...(flags.error !== undefined && { errorName: texts(flags.error, "--error") }),
    ...(flags.endedBy !== undefined && { reason: texts(flags.endedBy, "--ended-by") }),
    ...(flags.schedule !== undefined && { schedule: texts(flags.schedule, "--schedule") }),
  };
  const moment = (text: string | undefined, flag: string) => (text === undefined ? null : momentOf(text, flag));
  const moments = [
    ["createdAfter", moment(flags.since, "--since")],
    ["createdBefore", moment(flags.until, "--until")],
    ["finishedAfter", moment(flags.finishedSince, "--finished-since")],
    ["finishedBefore", moment(flags.finishedUntil, "--finished-until")],
  ] as const;
  const timed = moments.flatMap(([name, at]) => (at === null ? [] : [[name, at] as const]));
  return {
    empty: Object.keys(fixed).length === 0 && timed.length === 0,
    at: (now) => {
      const times = Object.fromEntries(timed.map(([name, at]) => [name, at(now)]));
      ordered(times["createdAfter"], times["createdBefore"], "--since is not earlier than --until");
      ordered(times["finishedAfter"], times["finishedBefore"], "--finished-since is not earlier than --finished-until");
      return { ...fixed, ...times };
    },
  };
}

function statusOf(text: string, possible: readonly TaskStatus[]): TaskStatus {
  const found = possible.find((status) => status === text);
  if (found !== undefined) return found;
  throw usage(`--status is ${JSON.stringify(text)}`, `This command takes ${possible.join(", ")}.`);
}

function texts(values: readonly string[], flag: string): readonly string[] {
  const wrong = values.find((text) => text === "" || text.length > 1_000);
  if (wrong === undefined) return values;
  throw usage(`${flag} has ${wrong.length} characters`, "Give 1 to 1,000 characters.");
}

function ordered(after: number | undefined, before: number | undefined, mistake: string): void {
  if (after !== undefined && before !== undefined && after >= before) {
    throw usage(mistake, "Nothing lies between the two.");
  }
}
