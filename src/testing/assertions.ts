/** What a test may claim about enqueued tasks. Each looks at the store, so it sees what any process enqueued. */
import type { CoreService } from "../core/service.ts";
import type { Task } from "../core/vocabulary.ts";
import { type Duration, parseDuration } from "../model/duration.ts";
import { SiderealError } from "../model/errors.ts";
import type { Millis, TaskRecord, TaskStatus } from "../model/record.ts";
import { statusOf } from "../model/record.ts";
import { allRecords, described } from "./records.ts";

/** What an enqueued task must look like; what is left out may be anything. */
export interface Expected {
  /** Every member named here must be in the input, at any depth; arrays must have equal length. A function decides itself. */
  readonly input?: unknown;
  readonly queue?: string;
  readonly priority?: number;
  /** The uniqueness key it holds: a finished task holds none. */
  readonly key?: string;
  /** Each of these, among others. */
  readonly tags?: readonly string[];
  /** As `input`. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly status?: TaskStatus;
  /** Ready to run at this instant of the store's clock, give or take `within`. */
  readonly at?: Date | Millis;
  /** With `at`: the tolerance, default 0. Without: ready to run at most so long from now. */
  readonly within?: Duration;
}

type Store = Pick<CoreService<never>, "parts">;
type Named = string | Task<never, unknown>;

const SHOWN = 10;

/** Every record of the task, in any state, in order of creation. */
export function enqueued(service: Store, task: Named): Promise<TaskRecord[]> {
  return allRecords(service.parts.calls, { task: nameOf(task) });
}

/**
 * Claims that such a task was enqueued; finished ones count too.
 * @param expected.count - Exactly so many; default: at least one.
 * @returns the records that match
 * @throws ASSERTION_FAILED, whose message lists what was found instead
 */
export async function assertEnqueued(
  service: Store,
  task: Named,
  expected: Expected & { readonly count?: number } = {},
): Promise<TaskRecord[]> {
  const { count, ...wanted } = expected;
  const found = await enqueued(service, task);
  const matching = await matches(service, found, wanted);
  if (count === undefined ? matching.length > 0 : matching.length === count) return matching;
  const number = count === undefined ? "none" : `${matching.length}, not ${count},`;
  const like = Object.keys(wanted).length === 0 ? "" : ` like ${shown(wanted)}`;
  throw new SiderealError(
    "ASSERTION_FAILED",
    `assertEnqueued: of task ${nameOf(task)}${like} ${number} was enqueued.${await alternatives(service, found)}`,
  );
}

/** Claims that no such task was enqueued. @throws ASSERTION_FAILED, whose message lists those that were */
export async function refuteEnqueued(service: Store, task: Named, expected: Expected = {}): Promise<void> {
  const matching = await matches(service, await enqueued(service, task), expected);
  if (matching.length === 0) return;
  const like = Object.keys(expected).length === 0 ? "" : ` like ${shown(expected)}`;
  throw new SiderealError(
    "ASSERTION_FAILED",
    `refuteEnqueued: ${matching.length} of task ${nameOf(task)}${like} enqueued:${listed(matching)}`,
  );
}

async function matches(service: Store, records: readonly TaskRecord[], expected: Expected): Promise<TaskRecord[]> {
  const now = await service.parts.calls.now();
  return records.filter((record) => isLike(record, expected, now));
}

function isLike(record: TaskRecord, expected: Expected, now: Millis): boolean {
  const { queue, priority, key, tags = [], status } = expected;
  return (
    (queue === undefined || record.queue === queue) &&
    (priority === undefined || record.priority === priority) &&
    (key === undefined || record.key === key) &&
    (status === undefined || statusOf(record, now) === status) &&
    tags.every((tag) => record.tags.includes(tag)) &&
    (!("input" in expected) || includes(parsed(record.input), expected.input)) &&
    (!("metadata" in expected) || includes(parsed(record.metadata), expected.metadata)) &&
    isInTime(record, expected, now)
  );
}

function isInTime(record: TaskRecord, { at, within }: Expected, now: Millis): boolean {
  const tolerance = within === undefined ? 0 : parseDuration(within, "assertEnqueued: within");
  if (at !== undefined) return Math.abs(record.readyAt - (at instanceof Date ? at.getTime() : at)) <= tolerance;
  return within === undefined || record.readyAt <= now + tolerance;
}

/** Whether everything that is expected is in the value. */
function includes(value: unknown, expected: unknown): boolean {
  if (typeof expected === "function") return Boolean(expected(value));
  if (typeof expected !== "object" || expected === null) return Object.is(value, expected);
  if (typeof value !== "object" || value === null || Array.isArray(value) !== Array.isArray(expected)) return false;
  if (Array.isArray(expected) && expected.length !== (value as unknown[]).length) return false;
  return Object.entries(expected).every(
    ([name, part]) =>
      (part === undefined || Object.hasOwn(value, name)) && includes((value as Record<string, unknown>)[name], part),
  );
}

async function alternatives(service: Store, found: readonly TaskRecord[]): Promise<string> {
  if (found.length > 0) return ` Found of this task:${listed(found)}`;
  const others = new Map<string, number>();
  for (const { taskName } of await allRecords(service.parts.calls))
    others.set(taskName, (others.get(taskName) ?? 0) + 1);
  if (others.size === 0) return " Nothing at all was enqueued";
  return ` Found other tasks: ${[...others].map(([name, count]) => `${name} (${count})`).join(", ")}`;
}

function listed(records: readonly TaskRecord[]): string {
  const more = records.length > SHOWN ? `\n  … and ${records.length - SHOWN} more` : "";
  return records
    .slice(0, SHOWN)
    .map((record) => `\n  ${described(record)}`)
    .join("")
    .concat(more);
}

function shown(expected: Expected): string {
  return JSON.stringify(expected, (_, value) => (typeof value === "function" ? "a function" : value));
}

const parsed = (text: string | null): unknown => (text === null ? undefined : JSON.parse(text));
const nameOf = (task: Named): string => (typeof task === "string" ? task : task.name);
