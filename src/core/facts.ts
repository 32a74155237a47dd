/** What is found out about one record before it is explained. */
import type { Millis, TaskRecord } from "../model/record.ts";
import type { QueuePause, WorkerInfo } from "./operators.ts";

export interface Facts {
  readonly record: TaskRecord;
  /** Store time. */
  readonly now: Millis;
  /** Whether its queue is paused. */
  readonly pause: QueuePause | null;
  /** All workers that are listed, alive or not. */
  readonly workers: readonly WorkerInfo[];
  /** Records that are ready in its queue, this one included. */
  readonly ready: number;
}
