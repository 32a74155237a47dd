/** What an operator does to one record: cancel it, bring it back, run it again. */
import { quoted } from "../model/duration.ts";
import { SiderealError } from "../model/errors.ts";
import { cancelled, revived } from "../model/lifecycle.ts";
import { isTerminal, type TaskRecord } from "../model/record.ts";
import { clean } from "./failure.ts";
import type { CancelOutcome } from "./handle.ts";
import { runInline } from "./inline.ts";
import type { Parts } from "./parts.ts";
import type { ReviveOutcome } from "./record-operations.ts";
import type { Decide } from "./settle.ts";

/** Cancels one record. */
export async function cancelOne(parts: Parts, id: string, why: string | undefined): Promise<CancelOutcome> {
  const reason = reasonOf(why);
  // A process that only enqueues has not asked for the store's clock since it opened the store.
  const [record] = await Promise.all([read(parts, id), parts.storeTime.sync()]);
  if (record === null) return "gone";
  const settled = await parts.settler.settle(record, (current) =>
    isTerminal(current) ? null : cancelled(current, { now: parts.storeTime.now(), reason, by: "request" }),
  );
  if (settled.verdict === "gone") return "gone";
  if (settled.verdict === "stale") return "too-late";
  return settled.record.state === "cancelled" ? "cancelled" : "requested";
}

/** Revives one record. @throws TASK_UNKNOWN for an immediate one whose task is not registered here */
export async function reviveOne(parts: Parts, id: string): Promise<ReviveOutcome> {
  const [record] = await Promise.all([read(parts, id), parts.storeTime.sync()]);
  if (record === null) return "gone";
  if (record.state === "completed") return "completed";
  if (!isTerminal(record)) return "not-finished";
  if (!isRunnable(parts, record)) {
    const who = `revive: task ${id} runs in the call that revives it, and`;
    throw new SiderealError("TASK_UNKNOWN", `${who} no task is registered as ${record.taskName}`);
  }
  const settled = await parts.settler.settle(record, revival(parts, record));
  if (settled.verdict === "gone") return "gone";
  // From its end only a revival leads on: another one, or our own whose answer was lost.
  if (settled.verdict === "applied") await runRevived(parts, settled.record);
  return "revived";
}

/** A revival of the record as it was seen: one that was revived since is left to whoever did that. */
export function revival(parts: Parts, seen: TaskRecord): Decide {
  return (current) =>
    current.revivals === seen.revivals && (current.state === "failed" || current.state === "cancelled")
      ? revived(current, { now: parts.storeTime.now() })
      : null;
}

/** Whether this process can bring the record back: an immediate one is run by whoever does that, and by nobody else. */
export function isRunnable({ registry }: Parts, record: TaskRecord): boolean {
  return record.execution !== "immediate" || registry.get(record.taskName) !== undefined;
}

/** Runs a revived record here if nobody else would. */
export async function runRevived(parts: Parts, record: TaskRecord): Promise<void> {
  if (record.execution === "immediate") await runInline(parts, record);
}

/** The record that is to run again. @throws RECORD_GONE, ILLEGAL_TRANSITION while it has not ended, TASK_UNKNOWN */
export async function ended(parts: Parts, id: string): Promise<TaskRecord> {
  const record = await read(parts, id);
  if (record === null) throw new SiderealError("RECORD_GONE", `retry: task ${quoted(id)} is not in the store`);
  if (!isTerminal(record)) {
    const allowed = "completed, failed or cancelled";
    throw new SiderealError("ILLEGAL_TRANSITION", `retry: task ${id} is ${record.state}, not ${allowed}`);
  }
  if (isRunnable(parts, record)) return record;
  const who = `retry: task ${id} runs in the call that retries it, and`;
  throw new SiderealError("TASK_UNKNOWN", `${who} no task is registered as ${record.taskName}`);
}

/** The words of a cancel as they are stored. @throws OPTION_INVALID */
export function reasonOf(why: unknown): string | null {
  if (why === undefined) return null;
  if (typeof why === "string") return clean(why, 1_000);
  throw new SiderealError("OPTION_INVALID", `cancel: reason is ${quoted(why)}, not a text`);
}

async function read(parts: Parts, id: string): Promise<TaskRecord | null> {
  const [record] = await parts.calls.find({ by: "id", ids: [id] });
  return record ?? null;
}
