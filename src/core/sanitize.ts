/**
 * `sanitizeError`: the application's say in what is kept of an error before it is stored or logged. When its answer is
 * of no use, less is kept, never the original.
 */
import type { Logger } from "../contracts/clock.ts";
import type { TaskFailure } from "../model/record.ts";
import { errorName, keptFailure } from "./failure.ts";

/** Whose error it is. */
export interface FailureFacts {
  /** The task's name. */
  readonly task: string;
  readonly id: string;
  readonly attempt: number;
}

/**
 * Makes what is kept of an error. It is called with all that would be kept, and returns what may be: members that it
 * leaves out are dropped, but for the name. It must not be async.
 */
export type SanitizeError = (
  failure: TaskFailure,
  facts: FailureFacts,
) => Partial<Pick<TaskFailure, "name" | "message" | "stack" | "code">>;

const WITHHELD = "(withheld: sanitizeError gave nothing that can be used)";

/** What may be kept of a failure, by the application's hook. Never throws. */
export function sanitized(
  sanitizeError: SanitizeError,
  failure: TaskFailure,
  facts: FailureFacts,
  logger: Logger,
): TaskFailure {
  const least: TaskFailure = { ...failure, message: WITHHELD, stack: null, code: null };
  try {
    const answer: unknown = sanitizeError({ ...failure }, facts);
    if (answer instanceof Promise) answer.catch(() => {});
    const kept = usable(answer, failure);
    if (kept !== null) return kept;
    logger.error("sanitizeError returned nothing usable; only the error's name is kept", { ...facts });
  } catch (error) {
    // Its own words may hold what it was to remove.
    const thrown = errorName(error) ?? "a value that is not an error";
    logger.error("sanitizeError threw; only the error's name is kept", { ...facts, thrown });
  }
  return least;
}

/** The answer, bounded and well-formed again; null where it is no failure. */
function usable(answer: unknown, { name: original, attempt, at }: TaskFailure): TaskFailure | null {
  if (typeof answer !== "object" || answer === null || Array.isArray(answer)) return null;
  if (typeof (answer as { then?: unknown }).then === "function") return null;
  const { name = original, message = "", stack = null, code = null } = answer as Readonly<Record<string, unknown>>;
  if (typeof name !== "string" || typeof message !== "string") return null;
  if ((stack !== null && typeof stack !== "string") || (code !== null && typeof code !== "string")) return null;
  return keptFailure({ name, message, stack, code, attempt, at });
}
