/**
 * Every error the package throws: one table of stable codes, one class that carries them, and further classes only
 * where callers branch. `docs/errors.md` is checked against the table.
 */

/** What is known of one code. */
export interface ErrorRow {
  /** What happened, in general; the message of a concrete error says it in particular. */
  readonly sentence: string;
  /** How to fix it. */
  readonly advice: string;
  /** Whether the same call may succeed later without a change. */
  readonly retryable: boolean;
  /** Whether the write may have happened: `no`, or `unknown` (repeat the call under the same id to learn it). */
  readonly committed: "no" | "unknown";
}

const row = (sentence: string, advice: string, retryable = false, committed: "no" | "unknown" = "no"): ErrorRow => ({
  sentence,
  advice,
  retryable,
  committed,
});

/** The stable codes. */
export type ErrorCode =
  | "CONFIG_INVALID"
  | "CONFIG_CONFLICT"
  | "DURATION_INVALID"
  | "SCHEDULE_INVALID"
  | "SCHEDULE_EXISTS"
  | "SCHEDULE_UNKNOWN"
  | "SCHEDULE_IN_CODE"
  | "NAME_INVALID"
  | "TASK_DUPLICATE"
  | "TASK_UNKNOWN"
  | "TASK_MODULE_FAILED"
  | "TASK_MODULE_MISSING"
  | "INPUT_NOT_JSON"
  | "INPUT_INVALID"
  | "INPUT_TOO_LARGE"
  | "RESULT_NOT_JSON"
  | "RESULT_TOO_LARGE"
  | "OPTION_INVALID"
  | "KEY_CONFLICT"
  | "ID_CONFLICT"
  | "TRANSACTION_UNSUPPORTED"
  | "TASK_FAILED"
  | "TASK_CANCELLED"
  | "RESULT_TIMEOUT"
  | "RECORD_GONE"
  | "ATTEMPT_TIMEOUT"
  | "LEASE_UNCERTAIN"
  | "LEASE_LOST"
  | "SHUTDOWN"
  | "ILLEGAL_TRANSITION"
  | "STORE_TIMEOUT"
  | "STORE_UNAVAILABLE"
  | "STORE_BUSY"
  | "STORE_FULL"
  | "STORE_READ_ONLY"
  | "STORE_CORRUPT"
  | "STORE_SCHEMA"
  | "STORE_CLOSED"
  | "STORE_FAILED"
  | "DEPENDENCY_MISSING"
  | "DEPENDENCY_UNKNOWN"
  | "DEPENDENCY_FAILED"
  | "WORKER_INVALID"
  | "WORKER_STARTED"
  | "WORKER_FAILED"
  | "APP_NOT_FOUND"
  | "APP_INVALID"
  | "APP_FAILED"
  | "NOT_OPEN"
  | "ASSERTION_FAILED";

/** The table of codes. */
export const ERROR_CODES: Readonly<Record<ErrorCode, ErrorRow>> = {
  CONFIG_INVALID: row("A setting has a value that is not allowed.", "Change the setting that the message names."),
  CONFIG_CONFLICT: row("Two settings cannot work together.", "Change one of the settings that the message names."),
  DURATION_INVALID: row(
    "A duration could not be understood.",
    'Write "250ms", "30s", "5m", "2h", "1d", or a number of milliseconds.',
  ),
  SCHEDULE_EXISTS: row("There is a schedule of that name already.", "Use another name, or update the one there is."),
  SCHEDULE_UNKNOWN: row("There is no schedule of that name.", "Look at the names with queueService.schedules.list()."),
  SCHEDULE_IN_CODE: row("A task's definition makes this schedule.", "Change the definition in code and deploy it."),
  SCHEDULE_INVALID: row("A schedule cannot be understood.", "Change the part that the message names."),
  NAME_INVALID: row(
    "A task or queue name has characters that are not allowed.",
    "Use 1 to 200 letters, digits and . _ : - and begin with a letter or digit.",
  ),
  TASK_DUPLICATE: row("Two tasks have the same name.", "Rename one of them; the message names both files."),
  TASK_UNKNOWN: row(
    "No task of that name is registered.",
    "Import the module that defines it, or list it in taskModules.",
  ),
  TASK_MODULE_FAILED: row("A task module could not be loaded.", "Fix the module; the cause is attached."),
  TASK_MODULE_MISSING: row("No file matches a task module's path.", "Check the path or glob in taskModules."),
  INPUT_NOT_JSON: row(
    "The input cannot be stored as JSON without loss.",
    "Change the value at the path that the message names, for example pass a Date as date.toISOString().",
  ),
  INPUT_INVALID: row("The input does not pass the task's validation.", "Fix the fields that the message lists."),
  INPUT_TOO_LARGE: row("The input is larger than 1 MiB.", "Store the data elsewhere and pass a reference to it."),
  RESULT_NOT_JSON: row(
    "The handler returned something that cannot be stored as JSON without loss.",
    "Return plain JSON; the message names the path of the value.",
  ),
  RESULT_TOO_LARGE: row("The result is larger than 1 MiB.", "Store the data elsewhere and return a reference to it."),
  OPTION_INVALID: row("An option has a value that is not allowed.", "Change the option that the message names."),
  KEY_CONFLICT: row(
    "The uniqueness key is held under another lifetime.",
    "Use one uniqueUntil for one key, or reset the key.",
  ),
  ID_CONFLICT: row("A record with this id exists already with another content.", "Use a fresh id."),
  TRANSACTION_UNSUPPORTED: row(
    "This store has no transactions, or cannot join what was given.",
    "Use a store that has transactions, and give one that the message names; or do without.",
  ),
  TASK_FAILED: row("The task failed.", "Read the error on the record; revive the task when the cause is mended."),
  TASK_CANCELLED: row("The task was cancelled.", "Enqueue it again if it is still wanted."),
  RESULT_TIMEOUT: row(
    "The task had not finished in time.",
    "Wait longer with result({ timeout }), or ask again later: the task goes on.",
    true,
  ),
  RECORD_GONE: row("The task record is no longer in the store.", "It was removed by retention or by an operator."),
  ATTEMPT_TIMEOUT: row(
    "The attempt ran over its timeout.",
    "Raise the task's timeout, or make the handler faster.",
    true,
  ),
  LEASE_UNCERTAIN: row(
    "The worker could not renew its lease in time.",
    "Stop touching shared resources; another worker may take over.",
    true,
    "unknown",
  ),
  LEASE_LOST: row(
    "The task belongs to another worker now.",
    "Stop: nothing this attempt reports will be accepted.",
    true,
  ),
  SHUTDOWN: row("The worker is shutting down.", "Stop soon; the task is handed back to the queue.", true),
  ILLEGAL_TRANSITION: row(
    "The record's state does not allow this.",
    "Read the record again; somebody else has changed it.",
  ),
  STORE_TIMEOUT: row(
    "The store did not answer in time.",
    "Check that the store is reachable and not overloaded.",
    true,
    "unknown",
  ),
  STORE_UNAVAILABLE: row(
    "The store cannot be reached.",
    "Check that it is running and the address is right.",
    true,
    "unknown",
  ),
  STORE_BUSY: row(
    "The store stayed locked by another process.",
    "Find the process that holds a long transaction on it.",
    true,
  ),
  STORE_FULL: row("The store has no space left.", "Free space on its disk; nothing was half-written.", true),
  STORE_READ_ONLY: row("The store cannot be written.", "Check the permissions of the database file and its folder."),
  STORE_CORRUPT: row("The store's data is damaged.", "Restore it from a backup; the queue writes nothing to it."),
  STORE_SCHEMA: row(
    "The store's schema is not the one this version needs.",
    "Run `sidereal migrate`, or use the version that made it.",
  ),
  STORE_CLOSED: row("The store is not open.", "Call open() first, and nothing after close()."),
  STORE_FAILED: row(
    "The store refused an operation.",
    "The message names the operation; the cause is attached.",
    true,
    "unknown",
  ),
  DEPENDENCY_MISSING: row(
    "An optional package is not installed.",
    "Install it with the command that the message gives.",
  ),
  DEPENDENCY_UNKNOWN: row(
    "A handler asked for a dependency that its attempt was not given.",
    "Provide it by the provider or the resolver of the dependencies setting.",
  ),
  DEPENDENCY_FAILED: row(
    "The application's dependency provider or resolver failed, or gave something of no use.",
    "Mend the provider or resolver that the message names; the cause is attached.",
    true,
  ),
  WORKER_INVALID: row("The worker cannot run like this.", "Change the setting that the message names."),
  WORKER_STARTED: row("The worker was started twice.", "Create a new Worker for each start."),
  WORKER_FAILED: row(
    "The server's worker process could not be started.",
    "Mend what the message names; SIDEREAL_APP names another file to load.",
  ),
  APP_NOT_FOUND: row(
    "No application was found.",
    "Name it with --app <file>[:export], SIDEREAL_APP, or package.json#sidereal.app.",
  ),
  APP_INVALID: row(
    "The application's export is not usable.",
    "Export a Fastify app with the plugin, a defineQueues(...) config, or a function that returns one.",
  ),
  APP_FAILED: row("The application threw while it was loaded.", "Fix the application; the cause is attached."),
  NOT_OPEN: row("The queue service is not open yet.", "Await open(), or the web application's start, first."),
  ASSERTION_FAILED: row("A test assertion did not hold.", "Read the message: it lists what was found instead."),
};

/** Base of all errors thrown by the package; `code` is stable, `message` is for people. */
export class SiderealError extends Error {
  readonly code: ErrorCode;

  /** @param detail - What happened and where; the general advice of the code is added to it. */
  constructor(code: ErrorCode, detail: string, options: { readonly cause?: unknown } = {}) {
    super(`${detail.replace(/\.$/u, "")}. ${ERROR_CODES[code].advice}`, options);
    this.name = new.target.name;
    this.code = code;
  }

  /** How to fix it. */
  get advice(): string {
    return ERROR_CODES[this.code].advice;
  }

  /** Whether the same call may succeed later without a change. */
  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable;
  }

  /** Whether the write may have happened all the same. */
  get committed(): "no" | "unknown" {
    return ERROR_CODES[this.code].committed;
  }
}

/** Thrown by a handler: fail for good, whatever retries are left. */
export class NonRetryableError extends Error {
  override readonly name = "NonRetryableError";
}

/** Thrown by a handler: fail this attempt and try again after exactly this long (it spends a retry). */
export class RetryAfterError extends Error {
  override readonly name = "RetryAfterError";
  /** A duration string or milliseconds. */
  readonly after: string | number;

  constructor(after: string | number, message?: string, options?: ErrorOptions) {
    super(message ?? `retry after ${after}`, options);
    this.after = after;
  }
}

/**
 * The task was cancelled. Thrown by `handle.result()`; it is also the reason of `ctx.signal` after a cancel, and a
 * handler may throw it to end its own record as cancelled.
 */
export class TaskCancelledError extends SiderealError {
  /** The words given to `cancel`, or `expired`. */
  readonly reason: string | null;

  constructor(reason: string | null = null, taskId?: string) {
    const which = taskId === undefined ? "The task" : `Task ${taskId}`;
    super("TASK_CANCELLED", `${which} was cancelled${reason === null ? "" : `: ${reason}`}`);
    this.reason = reason;
  }
}

/** Thrown by `handle.result()` when the task failed for good. */
export class TaskFailedError extends SiderealError {
  readonly taskId: string;
  /** Why it ended: `error`, `timeout`, `poison`, … */
  readonly reason: string;
  /** Name of the error that the handler threw last. */
  readonly errorName: string | null;

  constructor(taskId: string, taskName: string, reason: string, error: { name: string; message: string } | null) {
    const why = error === null ? reason : `${error.name}: ${error.message}`;
    super("TASK_FAILED", `Task ${taskId} (${taskName}) failed (${reason}): ${why}`);
    this.taskId = taskId;
    this.reason = reason;
    this.errorName = error?.name ?? null;
  }
}

/** Whether an unknown value is one of the package's errors with this code. */
export function hasCode(error: unknown, code: ErrorCode): error is SiderealError {
  return error instanceof SiderealError && error.code === code;
}
