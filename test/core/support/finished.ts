/** Finished records in bulk, made by the verbs of the lifecycle without a worker. */
import assert from "node:assert/strict";
import type { QueueBackend } from "../../../src/contracts/queue-backend.ts";
import { cancelled, completed, failed } from "../../../src/model/lifecycle.ts";
import type { TaskRecord } from "../../../src/model/record.ts";
import { draftOf, idOf } from "../../../src/testing/backend-contract/stage.ts";

export interface Ends {
  readonly completed?: number;
  readonly failed?: number;
  readonly cancelled?: number;
  readonly task?: string;
  readonly queue?: string;
}

const BATCH = 500;
let made = 0;

/** So many records of each state; they finish at the store's present. */
export async function finished(store: QueueBackend<never> | QueueBackend<unknown>, ends: Ends): Promise<void> {
  const { task = "bulk", queue = "default" } = ends;
  for (const state of ["completed", "failed", "cancelled"] as const) {
    for (let left = ends[state] ?? 0; left > 0; left -= BATCH) {
      const limit = Math.min(BATCH, left);
      const drafts = Array.from({ length: limit }, () => {
        made += 1;
        return draftOf(idOf(made), { task, queue });
      });
      await store.insert(drafts);
      const token = made.toString(16).padStart(32, "0");
      const request = { token, workerId: "bulk", limit, lease: 60_000, tasks: [task], queues: [queue] };
      const claimed = await store.claim({ ...request, queueLimits: {}, executions: ["local"] });
      const now = await store.now();
      const changes = claimed.map((from) => ({ from, to: ended(from, state, now) }));
      assert.deepEqual(new Set(await store.apply(changes)), new Set([true]));
    }
  }
}

function ended(record: TaskRecord, state: "completed" | "failed" | "cancelled", now: number): TaskRecord {
  if (state === "completed") return completed(record, { now, result: null });
  if (state === "cancelled") return cancelled(record, { now, reason: "test", by: "acknowledge" });
  const error = { name: "Error", message: "no", stack: null, code: null, attempt: 1, at: now };
  return failed(record, { now, error, retryable: false, retryIn: 0 });
}
