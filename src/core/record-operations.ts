/** What operators ask of a queue and what they are told: the shapes of finding records and of changing many at once. */
import type { Duration } from "../model/duration.ts";
import type { EndReason, Millis, TaskRecord, TaskStatus } from "../model/record.ts";

/**
 * Which records are meant. Every member that is given must hold; a list means one of its values, except `tags`. Instants
 * are of the store's clock; `…After` includes its instant, `…Before` does not. A member that is undefined counts as absent.
 */
export interface RecordFilter {
  readonly status?: TaskStatus | readonly TaskStatus[];
  readonly queue?: string | readonly string[];
  /** Name of the task. */
  readonly task?: string | readonly string[];
  /** All of these tags. */
  readonly tags?: string | readonly string[];
  /** Name of the last error that is kept on the record, its class as a rule: `"TypeError"`. */
  readonly errorName?: string | readonly string[];
  /** Why it ended: `"error"`, `"timeout"`, `"poison"`, `"expired"`, …, or the words of a cancel. */
  readonly reason?: EndReason | readonly EndReason[];
  /** Ticks of this schedule. */
  readonly schedule?: string | readonly string[];
  readonly createdAfter?: Date | Millis;
  readonly createdBefore?: Date | Millis;
  /** Records that have not finished match neither this nor the next. */
  readonly finishedAfter?: Date | Millis;
  readonly finishedBefore?: Date | Millis;
}

export interface FindOptions {
  /** Where the page before ended: the `cursor` that came with it. Default: from the beginning. */
  readonly cursor?: string | null;
  /** Most records of one page, 1 to 200; default 50. */
  readonly limit?: number;
  /** By time of creation; default `"newest"` first. */
  readonly order?: "newest" | "oldest";
}

/** One page. */
export interface FoundRecords {
  readonly records: readonly TaskRecord[];
  /**
   * Give it to the next call; null: nothing is left. A page that is short, or empty, can have a cursor: one call looks at
   * a bounded number of records.
   */
  readonly cursor: string | null;
}

/** How to change many records. */
export interface BulkOptions {
  /** Count what matches and change nothing; default false. */
  readonly dryRun?: boolean;
  /** Most changes per second, 0.01 to 100,000; null: as fast as the store takes them. Default: revive 100, cancel null. */
  readonly perSecond?: number | null;
  /** Most records; at least 1. Default: all that match. */
  readonly limit?: number;
  /** Allows an empty filter, which means every record; default false. */
  readonly all?: boolean;
  /** Stops between two batches once it is aborted; what was changed stays changed. */
  readonly signal?: AbortSignal;
  /** Told after each batch how far it is. */
  readonly onProgress?: (soFar: BulkReport) => void;
}

export interface BulkCancelOptions extends BulkOptions {
  /** Kept with each record; up to 1,000 characters. */
  readonly reason?: string;
}

/** What became of the records that matched when the operation began. */
export interface BulkReport {
  readonly dryRun: boolean;
  /** How many matched, as far as it came. */
  readonly matched: number;
  readonly changed: number;
  /** Somebody else had changed them meanwhile, so that they no longer match. */
  readonly skipped: number;
  /** They could not be written; the log says why. */
  readonly failed: number;
  /** False: `limit` or `signal` ended it before all that match were seen. */
  readonly complete: boolean;
}

/**
 * What became of a revival: `revived` (it is pending again), `not-finished` (nothing to revive yet), `completed` (a
 * success is never revived: `retry` makes a new record of it), `gone` (no such record).
 */
export type ReviveOutcome = "revived" | "not-finished" | "completed" | "gone";

/** A task that this process has registered. */
export interface TaskSummary {
  readonly name: string;
  readonly queue: string;
  readonly priority: number;
  /** Extra attempts after a failed first one. */
  readonly retries: number;
  /** Longest run of one attempt in milliseconds; null: unlimited. */
  readonly timeout: Millis | null;
  readonly delay: Duration | null;
  /** The schedule of its definition in words, `at 03:00 every day, Europe/Berlin`; null where it has none. */
  readonly schedule: string | null;
  /** Null: the configuration's. */
  readonly executionBackend: string | null;
  readonly tags: readonly string[];
  readonly description: string | null;
  /** File and line. */
  readonly definedAt: string;
}
