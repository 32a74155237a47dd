/** Where a public function was called from, for messages that name the user's file. */
import { fileURLToPath } from "node:url";

/**
 * File and line of the caller of `callee`, as `path:line`; `unknown` where the runtime gives no stack.
 * A query (as in `?t=1` after a reload) is cut off.
 */
export function callSite(callee: (...args: never) => unknown): string {
  const holder: { stack?: string } = {};
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = 1;
  Error.captureStackTrace(holder, callee);
  Error.stackTraceLimit = before;
  const frame = holder.stack?.split("\n").at(-1) ?? "";
  const match = /\(?((?:file:\/\/)?[^()\s][^()]*?):(\d+):\d+\)?\s*$/u.exec(frame);
  if (match?.[1] === undefined) return "unknown";
  const file = match[1]
    .replace(/^.*? \(?(?=file:|\/)/u, "")
    .replace(/^at (?:async )?/u, "")
    .trim()
    .replace(/\?.*$/u, "");
  return `${file.startsWith("file:") ? fileURLToPath(file) : file}:${match[2]}`;
}
