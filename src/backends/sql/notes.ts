/** The notes that an operation takes of what it did: others may want to hear of it once it is committed. */
import { isTerminal, type Millis, type TaskRecord } from "../../model/record.ts";

export class Notes {
  /** Whether records became ready. */
  work = false;
  /** Whether a running record was asked to stop. */
  cancel = false;
  /** The earliest time since which a record that came in or returned is ready. */
  readyAt: Millis = Number.POSITIVE_INFINITY;
  /** The records that reached a terminal state. */
  readonly ended: string[] = [];

  /** A record is pending now that was not before. */
  pending({ readyAt }: TaskRecord, now: Millis): void {
    if (readyAt <= now) this.work = true;
    if (readyAt < this.readyAt) this.readyAt = readyAt;
  }

  /** A record was replaced by this one. */
  changed(to: TaskRecord, now: Millis): void {
    if (isTerminal(to)) this.ended.push(to.id);
    else if (to.state === "pending") this.pending(to, now);
    else if (to.state === "running" && to.cancelRequestedAt !== null) this.cancel = true;
  }
}
