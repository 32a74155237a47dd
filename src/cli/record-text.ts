/** Records for people and for programs: one row, one screen, one JSON object. */
import { formatAge, type TaskRecord, type TaskStatus } from "../index.ts";
import { safe } from "./console.ts";
import { isoOf, lengthText, tableOf } from "./values.ts";

/** Characters of one cell of a table, and lines of one value on the screen. */
const CELL = 60;
const LINES = 40;

/** The status of a record at a moment of the store's clock. */
export function statusAt({ state, readyAt }: TaskRecord, now: number): TaskStatus {
  if (state === "dispatched") return "running";
  return state === "pending" && readyAt > now ? "scheduled" : state;
}

/** The table of `records list`. */
export function recordTable(records: readonly TaskRecord[], now: number): string {
  const columns = [
    ...[{ title: "Id" }, { title: "Status" }, { title: "Task" }, { title: "Queue" }],
    ...([
      { title: "Attempt", align: "right" },
      { title: "Age", align: "right" },
    ] as const),
    { title: "Why" },
  ];
  const rows = records.map((record) => [
    ...[record.id, statusAt(record, now), record.taskName, record.queue, String(record.attempt)],
    ...[formatAge(now - record.createdAt), cell(why(record))],
  ]);
  return tableOf(
    columns,
    rows.map((row) => row.map(safe)),
  );
}

/** Why it is what it is, in a few words: what ended it, or what went wrong last. */
function why({ reason, error, cancelRequestedAt }: TaskRecord): string {
  const words = [
    ...(cancelRequestedAt === null ? [] : ["cancel requested"]),
    ...(reason === null || (reason === "error" && error !== null) ? [] : [reason]),
    ...(error === null ? [] : [`${error.name}: ${error.message}`]),
  ];
  return words.join("; ");
}

function cell(text: string): string {
  const line = text.replaceAll(/\s+/gu, " ").trim();
  return line.length > CELL ? `${line.slice(0, CELL - 1)}…` : line;
}

/** Everything about one record, for people. */
export function recordScreen(record: TaskRecord, now: number): string {
  const lines: string[] = [];
  const line = (name: string, value: string | null): void => {
    if (value !== null && value !== "") lines.push(`${name.padEnd(14)}${safe(value).replaceAll("\n", "\n  ")}`);
  };
  line("id", record.id);
  line("task", record.taskName);
  line("status", `${statusAt(record, now)}${record.reason === null ? "" : `, because: ${record.reason}`}`);
  line("queue", `${record.queue}, priority ${record.priority}`);
  line("runs in", `${record.execution}${record.executionProfile === null ? "" : `, ${record.executionProfile}`}`);
  line("description", record.description);
  line("tags", record.tags.join(", "));
  line("key", record.key);
  line("origin", originText(record));
  for (const [name, at] of moments(record, now)) line(name, at === null ? null : moment(at, now));
  line("attempts", attemptsText(record));
  line("policy", policyText(record));
  line("worker", record.state === "running" ? record.workerId : null);
  line("progress", progressText(record, now));
  return `${[...lines, ...blocks(record)].join("\n")}\n`;
}

function moments(record: TaskRecord, now: number): (readonly [string, number | null])[] {
  const waits = record.state === "pending" && record.readyAt > now;
  return [
    ["created", record.createdAt],
    ["ready", waits ? record.readyAt : null],
    ["expires", record.state === "pending" ? record.expiresAt : null],
    ["started", record.startedAt],
    ["cancel asked", record.cancelRequestedAt],
    ["lease until", record.leaseUntil],
    ["finished", record.finishedAt],
  ];
}

function moment(at: number, now: number): string {
  const distance = at > now ? `in ${formatAge(at - now)}` : `${formatAge(now - at)} ago`;
  return `${isoOf(at)} (${distance})`;
}

function originText({ origin }: TaskRecord): string | null {
  if (origin === null) return null;
  if (origin.kind === "retry") return `a further run of ${origin.of}`;
  const how = origin.manual === true ? "asked for out of turn" : `for ${isoOf(origin.scheduledFor)}`;
  return `schedule ${origin.schedule}, ${how}`;
}

function attemptsText(record: TaskRecord): string {
  const parts = [
    `${record.failures} failed`,
    ...(record.losses > 0 ? [`${record.losses} lost`] : []),
    ...(record.interruptions > 0 ? [`${record.interruptions} interrupted`] : []),
    ...(record.snoozes > 0 ? [`${record.snoozes} snoozed`] : []),
    ...(record.revivals > 0 ? [`revived ${record.revivals} times`] : []),
  ];
  return `${record.attempt} (${parts.join(", ")})`;
}

function policyText({ policy }: TaskRecord): string {
  const { kind, delay, maxDelay } = policy.backoff;
  const backoff = policy.retries === 0 ? "" : `, back-off ${kind} from ${lengthText(delay)} to ${lengthText(maxDelay)}`;
  return `${policy.retries} retries${backoff}, timeout ${policy.timeout === null ? "none" : lengthText(policy.timeout)}`;
}

function progressText({ progress }: TaskRecord, now: number): string | null {
  if (progress === null) return null;
  const { current, total, message, detail, at } = progress;
  const of = total === null ? "" : ` of ${total}`;
  return `${current}${of}, ${[message, detail, `${formatAge(now - at)} ago`].filter((part) => part !== null).join(", ")}`;
}

function blocks({ input, metadata, result, error, logs }: TaskRecord): string[] {
  const code = error?.code === null || error?.code === undefined ? "" : ` (${error.code})`;
  const failure =
    error === null
      ? null
      : `${error.name}${code}: ${error.message}\nof attempt ${error.attempt}, ${isoOf(error.at)}${frames(error.stack)}`;
  const log = logs.map(({ at, attempt, message }) => `${isoOf(at)} #${attempt} ${message}`).join("\n");
  return [
    ...block("input", input === null ? null : pretty(input)),
    ...block("metadata", metadata === null ? null : pretty(metadata)),
    ...block("result", result === null ? null : pretty(result)),
    ...block("error", failure),
    ...block("log", log === "" ? null : log),
  ];
}

/** A stack without its head, which repeats the message. */
function frames(stack: string | null): string {
  const first = stack?.search(/\n\s+at /u) ?? -1;
  return first < 0 ? "" : (stack ?? "").slice(first);
}

/** A value of several lines under its name; a long one ends in a hint. */
function block(name: string, text: string | null): string[] {
  if (text === null) return [];
  const all = text.trimEnd().split("\n");
  const shown = all.slice(0, LINES).map((line) => (line.length > 500 ? `${line.slice(0, 499)}…` : line));
  const isCut = all.length > LINES || all.some((line) => line.length > 500);
  return [
    "",
    `${name}:`,
    ...[...shown, ...(isCut ? ["… cut; --json shows all"] : [])].map((line) => `  ${safe(line)}`),
  ];
}

function pretty(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json;
  }
}

/** Members that only guard a record's writes, and the state, which its status says better. */
const GUARDS: ReadonlySet<string> = new Set(["state", "claim", "ref", "begun"]);

/** One record as JSON: instants as ISO 8601, stored JSON as values, and nothing that guards its writes. */
export function recordJson(record: TaskRecord, now: number): Record<string, unknown> {
  const { error, progress, logs, origin } = record;
  const iso = (at: number | null): string | null => (at === null ? null : isoOf(at));
  return {
    ...Object.fromEntries(Object.entries(record).filter(([name]) => !GUARDS.has(name))),
    ...{ status: statusAt(record, now), input: value(record.input), metadata: value(record.metadata) },
    ...{ result: value(record.result), createdAt: iso(record.createdAt), expiresAt: iso(record.expiresAt) },
    ...{ queuedAt: iso(record.queuedAt), readyAt: iso(record.readyAt), startedAt: iso(record.startedAt) },
    ...{ finishedAt: iso(record.finishedAt), cancelRequestedAt: iso(record.cancelRequestedAt) },
    leaseUntil: iso(record.leaseUntil),
    error: error && { ...error, at: iso(error.at) },
    progress: progress && { ...progress, at: iso(progress.at) },
    logs: logs.map((line) => ({ ...line, at: iso(line.at) })),
    origin: origin?.kind === "schedule" ? { ...origin, scheduledFor: iso(origin.scheduledFor) } : origin,
  };
}

function value(json: string | null): unknown {
  return json === null ? null : JSON.parse(json);
}
