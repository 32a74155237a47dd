/** "Why is it not running?": gathers what there is to know about one record and lets `causes.ts` decide. */
import { isTerminal, statusOf, type TaskRecord } from "../model/record.ts";
import { causesOf } from "./causes.ts";
import type { Facts } from "./facts.ts";
import type { Explanation } from "./operators.ts";
import type { Parts } from "./parts.ts";
import { pauseOf } from "./pauses.ts";
import { listWorkers, pauseHold } from "./queues.ts";

/** Explains a record as it is now; null where there is none of that id. */
export async function explain(parts: Parts, id: string): Promise<Explanation | null> {
  const [[record], now] = await Promise.all([parts.calls.find({ by: "id", ids: [id] }), parts.storeTime.sync()]);
  if (record === undefined) return null;
  const causes = causesOf(await factsOf(parts, record));
  const { taskName, queue } = record;
  return { id, taskName, queue, status: statusOf(record, now), at: now, causes };
}

async function factsOf(parts: Parts, record: TaskRecord): Promise<Facts> {
  const now = parts.storeTime.now();
  if (isTerminal(record)) return { record, now, pause: null, workers: [], ready: 0 };
  const [hold, workers, tallies] = await Promise.all([
    pauseHold(parts, record.queue),
    listWorkers(parts),
    record.state === "pending" ? parts.calls.tally([record.queue]) : [],
  ]);
  const ready = tallies.find(({ queue }) => queue === record.queue)?.pending ?? 0;
  return { record, now, pause: hold === undefined ? null : pauseOf(hold), workers, ready };
}
