/** A record filter, checked at the door: what a store can look for itself, and a test for the rest. */
import type { PageQuery } from "../contracts/queue-backend.ts";
import { quoted } from "../model/duration.ts";
import { SiderealError } from "../model/errors.ts";
import { checkName } from "../model/names.ts";
import { type Millis, type RecordState, statusOf, type TaskRecord, type TaskStatus } from "../model/record.ts";
import { instant } from "./prepare.ts";
import type { RecordFilter } from "./record-operations.ts";
import { isText } from "./task.ts";

export interface Selection {
  /** The part that the store looks for. */
  readonly query: Pick<PageQuery, "queues" | "tasks" | "states">;
  /** Whether what the store finds is all that is asked for, so that `matches` need not be called. */
  readonly exact: boolean;
  /** Whether nothing was asked for. */
  readonly empty: boolean;
  /** Whether the record is meant, at store time `now`. */
  matches(record: TaskRecord, now: Millis): boolean;
}

export const STATUSES: readonly TaskStatus[] = ["pending", "scheduled", "running", "completed", "failed", "cancelled"];

const MEMBERS: ReadonlySet<string> = new Set<keyof RecordFilter>([
  ...(["status", "queue", "task", "tags", "errorName", "reason", "schedule"] as const),
  ...(["createdAfter", "createdBefore", "finishedAfter", "finishedBefore"] as const),
]);
/** Values of one member. */
const MOST_VALUES = 1_000;

type Check = (record: TaskRecord, now: Millis) => boolean;

/**
 * Checks a filter.
 * @param who - Names the call in messages.
 * @param possible - The only statuses that the call can mean; default all six.
 * @throws OPTION_INVALID, NAME_INVALID
 */
export function selectionOf(filter: RecordFilter, who: string, possible: readonly TaskStatus[] = STATUSES): Selection {
  const given = members(filter, who);
  const names = (member: "queue" | "task"): readonly string[] | undefined =>
    listed(filter[member], `${who}: ${member}`, "a name", (value) => checkName(value, `${who}: ${member}`) === value);
  const texts = (member: "tags" | "errorName" | "reason" | "schedule"): readonly string[] | undefined =>
    listed(filter[member], `${who}: ${member}`, "a text of 1 to 1,000 characters", (value) => isText(value, 1_000));
  const wanted = listed(filter.status, `${who}: status`, `one of ${possible.join(", ")}`, (value) =>
    possible.includes(value as TaskStatus),
  );
  const statuses = (wanted as readonly TaskStatus[] | undefined) ?? possible;
  const [queues, tasks] = [names("queue"), names("task")];
  const [tags, errors, reasons, schedules] = [texts("tags"), texts("errorName"), texts("reason"), texts("schedule")];
  const checks: Check[] = [
    ...timeChecks(filter, who),
    ...(tags === undefined ? [] : [(record: TaskRecord) => tags.every((tag) => record.tags.includes(tag))]),
    ...(errors === undefined ? [] : [({ error }: TaskRecord) => error !== null && errors.includes(error.name)]),
    ...(reasons === undefined ? [] : [({ reason }: TaskRecord) => reason !== null && reasons.includes(reason)]),
    ...(schedules === undefined ? [] : [(record: TaskRecord) => isTickOf(record, schedules)]),
  ];
  // The store knows no `scheduled`; of the two halves of `pending` it gives both.
  const halved = statuses.includes("pending") !== statuses.includes("scheduled");
  if (halved) checks.push((record, now) => statuses.includes(statusOf(record, now)));
  const states = statuses.length === STATUSES.length ? undefined : statesOf(statuses);
  return {
    query: {
      ...(queues !== undefined && { queues }),
      ...(tasks !== undefined && { tasks }),
      ...(states !== undefined && { states }),
    },
    exact: checks.length === 0,
    empty: given.length === 0,
    matches: (record, now) =>
      (queues?.includes(record.queue) ?? true) &&
      (tasks?.includes(record.taskName) ?? true) &&
      (states?.includes(record.state) ?? true) &&
      checks.every((check) => check(record, now)),
  };
}

function members(filter: RecordFilter, who: string): string[] {
  if (typeof filter !== "object" || filter === null || Array.isArray(filter)) {
    throw new SiderealError("OPTION_INVALID", `${who}: the filter is ${quoted(filter)}, not an object`);
  }
  const given = Object.entries(filter).filter(([, value]) => value !== undefined);
  for (const [name] of given) {
    if (MEMBERS.has(name)) continue;
    const allowed = [...MEMBERS].join(", ");
    throw new SiderealError("OPTION_INVALID", `${who}: a filter has no ${quoted(name)}; it may have ${allowed}`);
  }
  return given.map(([name]) => name);
}

/** One value or a list of them as a list. */
function listed(
  value: unknown,
  what: string,
  expected: string,
  isRight: (one: unknown) => boolean,
): readonly string[] | undefined {
  if (value === undefined) return undefined;
  const all: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (all.length === 0 || all.length > MOST_VALUES) {
    throw new SiderealError("OPTION_INVALID", `${what} has ${all.length} values, not 1 to ${MOST_VALUES}`);
  }
  for (const one of all) {
    if (!isRight(one)) throw new SiderealError("OPTION_INVALID", `${what} is ${quoted(one)}, not ${expected}`);
  }
  return all as readonly string[];
}

function timeChecks(filter: RecordFilter, who: string): Check[] {
  const checks: Check[] = [];
  for (const field of ["created", "finished"] as const) {
    const after = instant(filter[`${field}After`], `${who}: ${field}After`);
    const before = instant(filter[`${field}Before`], `${who}: ${field}Before`);
    if (after === null && before === null) continue;
    if (after !== null && before !== null && after >= before) {
      throw new SiderealError("OPTION_INVALID", `${who}: ${field}After is not earlier than ${field}Before`);
    }
    checks.push((record) => {
      const at = field === "created" ? record.createdAt : record.finishedAt;
      return at !== null && (after === null || at >= after) && (before === null || at < before);
    });
  }
  return checks;
}

function isTickOf({ origin }: TaskRecord, schedules: readonly string[]): boolean {
  return origin?.kind === "schedule" && schedules.includes(origin.schedule);
}

function statesOf(statuses: readonly TaskStatus[]): readonly RecordState[] {
  const states = statuses.flatMap((status): RecordState[] => {
    if (status === "running") return ["running", "dispatched"];
    return [status === "scheduled" ? "pending" : status];
  });
  return [...new Set(states)];
}
