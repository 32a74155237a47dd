/** What is made of a thrown error: what may be kept of it, and how long the next attempt waits. */
import { parseDuration } from "../model/duration.ts";
import { RetryAfterError } from "../model/errors.ts";
import type { Millis, TaskFailure, TaskRecord } from "../model/record.ts";
import { backoffDelay } from "../model/retry.ts";
import { describeFailure, isKind } from "./failure.ts";
import type { Parts } from "./parts.ts";
import { sanitized } from "./sanitize.ts";
import type { Task } from "./vocabulary.ts";

type Known = Pick<TaskRecord, "id" | "taskName" | "attempt">;

/** What may be stored and logged of an error. */
export function describedFailure(parts: Parts, record: Known, thrown: unknown): TaskFailure {
  const failure = describeFailure(thrown, record.attempt, parts.storeTime.now());
  const { sanitizeError } = parts.settings;
  if (sanitizeError === null) return failure;
  return sanitized(sanitizeError, failure, namesOf(record), parts.runtime.logger);
}

/** How long the next attempt waits: as the error says, or the task's function, or its policy. */
export function retryDelay(parts: Parts, task: Task, record: TaskRecord, thrown: unknown): Millis {
  const { policy, failures, attempt } = record;
  const { random, logger } = parts.runtime;
  try {
    if (isKind(thrown, RetryAfterError)) return parseDuration(thrown.after, "RetryAfterError.after");
    if (policy.backoff.kind === "custom" && task.customBackoff !== null) {
      const delay: unknown = task.customBackoff(attempt, thrown);
      if (delay instanceof Promise) delay.catch(() => {});
      return parseDuration(delay, `Task ${task.name}: backoff()`);
    }
  } catch (caught) {
    const error = parts.settings.sanitizeError === null ? caught : describedFailure(parts, record, caught);
    logger.warn("a retry delay is not usable; the task's default back-off applies", { ...namesOf(record), error });
  }
  return backoffDelay(policy.backoff, failures + 1, random.next());
}

function namesOf({ id, taskName, attempt }: Known): { id: string; task: string; attempt: number } {
  return { id, task: taskName, attempt };
}
