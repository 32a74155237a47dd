/**
 * Changing many records: what matched when the operation began, oldest first, in batches at a bounded rate. Each record
 * is decided upon by itself, so a run that broke off is simply run again.
 */
import type { Clock } from "../contracts/clock.ts";
import { quoted } from "../model/duration.ts";
import { SiderealError } from "../model/errors.ts";
import { cancelled } from "../model/lifecycle.ts";
import { isTerminal, type Millis, type TaskRecord, type TaskStatus } from "../model/record.ts";
import { type Selection, selectionOf } from "./filter.ts";
import { LOOK } from "./finding.ts";
import { isRunnable, reasonOf, revival, runRevived } from "./one-record.ts";
import type { Parts } from "./parts.ts";
import type { BulkCancelOptions, BulkOptions, BulkReport, RecordFilter } from "./record-operations.ts";
import type { Decide } from "./settle.ts";

/** Revived per second unless told otherwise: what failed together should not come back together. */
export const REVIVE_RATE = 100;
/** Batches per second where the rate allows it. */
const BATCHES = 10;

const OPTIONS: readonly string[] = ["dryRun", "perSecond", "limit", "all", "signal", "onProgress"];

/** What is done to each record. */
interface Verb {
  readonly name: "revive" | "cancel";
  readonly options: readonly string[];
  readonly statuses: readonly TaskStatus[];
  readonly perSecond: number | null;
  /** Whether a record that matches was what it is when the operation began, at store time `began`. */
  wasSo(record: TaskRecord, began: Millis): boolean;
  decide(seen: TaskRecord): Decide;
  after(record: TaskRecord): Promise<void>;
}

/** Revives the failed and cancelled records that match. @throws OPTION_INVALID, NAME_INVALID, STORE_… */
export function reviveMany(parts: Parts, filter: RecordFilter, options: BulkOptions): Promise<BulkReport> {
  return operate(parts, filter, options, {
    name: "revive",
    options: OPTIONS,
    statuses: ["failed", "cancelled"],
    perSecond: REVIVE_RATE,
    // One that ended after the beginning may have been revived in it, here or by another operator.
    wasSo: (record, began) => Math.max(record.finishedAt ?? 0, record.startedAt ?? 0, record.queuedAt) <= began,
    decide: (seen) => (isRunnable(parts, seen) ? revival(parts, seen) : () => null),
    after: (record) => runRevived(parts, record),
  });
}

/** Cancels the unfinished records that match. @throws OPTION_INVALID, NAME_INVALID, STORE_… */
export function cancelMany(parts: Parts, filter: RecordFilter, options: BulkCancelOptions): Promise<BulkReport> {
  const reason = reasonOf(options?.reason);
  return operate(parts, filter, options, {
    name: "cancel",
    options: [...OPTIONS, "reason"],
    statuses: ["pending", "scheduled", "running"],
    perSecond: null,
    wasSo: (record, began) => record.createdAt <= began && record.cancelRequestedAt === null,
    decide: () => (current) =>
      isTerminal(current) || current.cancelRequestedAt !== null
        ? null
        : cancelled(current, { now: parts.storeTime.now(), reason, by: "request" }),
    after: async () => {},
  });
}

async function operate(parts: Parts, filter: RecordFilter, options: BulkOptions, verb: Verb): Promise<BulkReport> {
  const selection = selectionOf(filter, verb.name, verb.statuses);
  checkOptions(options, verb);
  if (selection.empty && options.all !== true) {
    const fix = "name what is meant, or say all: true";
    throw new SiderealError("OPTION_INVALID", `${verb.name}: the filter is empty, which means every record; ${fix}`);
  }
  return new BulkRun(parts, verb, selection, options).run();
}

class BulkRun {
  readonly #parts: Parts;
  readonly #verb: Verb;
  readonly #selection: Selection;
  readonly #options: BulkOptions;
  readonly #rate: number | null;
  #report: { -readonly [K in keyof BulkReport]: BulkReport[K] };
  /** When the next batch may begin, on the monotonic clock. */
  #next: Millis = 0;

  constructor(parts: Parts, verb: Verb, selection: Selection, options: BulkOptions) {
    this.#parts = parts;
    this.#verb = verb;
    this.#selection = selection;
    this.#options = options;
    this.#rate = options.perSecond === undefined ? verb.perSecond : options.perSecond;
    const dryRun = options.dryRun ?? false;
    this.#report = { dryRun, matched: 0, changed: 0, skipped: 0, failed: 0, complete: true };
  }

  async run(): Promise<BulkReport> {
    const { calls, storeTime } = this.#parts;
    const began = await storeTime.sync();
    const last = await this.#last();
    for (let after: string | null = null; last !== null; ) {
      if (this.#isStopped()) return this.#told(false);
      const page = await calls.page({ ...this.#selection.query, order: "oldest", after, limit: LOOK });
      const now = await storeTime.sync();
      const meant = page.records.filter(
        (record) => this.#verb.wasSo(record, began) && this.#selection.matches(record, now),
      );
      const left = (this.#options.limit ?? Number.POSITIVE_INFINITY) - this.#report.matched;
      if (!(await this.#all(meant.slice(0, left))) || meant.length > left) return this.#told(false);
      after = page.next;
      if (after === null || after >= last) break;
    }
    return this.#told(this.#report.complete);
  }

  /** The youngest record that can be meant: what is enqueued from now on lies behind it, so that the run has an end. */
  async #last(): Promise<string | null> {
    for (let after: string | null = null; ; ) {
      const query = { ...this.#selection.query, order: "newest", limit: 1 } as const;
      const { records, next } = await this.#parts.calls.page({ ...query, after });
      if (records[0] !== undefined || next === null) return records[0]?.id ?? null;
      after = next;
    }
  }

  /** @returns false when it was told to stop */
  async #all(meant: readonly TaskRecord[]): Promise<boolean> {
    if (this.#report.dryRun) {
      this.#report.matched += meant.length;
      return true;
    }
    const size = this.#rate === null ? LOOK : Math.min(LOOK, Math.max(1, Math.floor(this.#rate / BATCHES)));
    for (let at = 0; at < meant.length; at += size) {
      await this.#mayGoOn();
      if (this.#isStopped()) return false;
      await this.#batch(meant.slice(at, at + size));
      this.#options.onProgress?.({ ...this.#report });
    }
    return true;
  }

  /** Settles a batch in one write; one record that cannot be written hides no other. */
  async #batch(records: readonly TaskRecord[]): Promise<void> {
    const report = this.#report;
    const began = this.#parts.runtime.clock.mono();
    report.matched += records.length;
    const ends = await Promise.allSettled(records.map((record) => this.#one(record)));
    const errors = ends.flatMap((end) => (end.status === "rejected" ? [end.reason as unknown] : []));
    const changed = ends.filter((end) => end.status === "fulfilled" && end.value).length;
    report.changed += changed;
    report.failed += errors.length;
    report.skipped += records.length - changed - errors.length;
    if (errors.length > 0) {
      const fields = { tasks: errors.length, error: errors[0] };
      this.#parts.runtime.logger.warn(`${this.#verb.name}: tasks could not be written`, fields);
    }
    // The store is in trouble, not the records: the rest would fare no better.
    if (errors.length === records.length && errors.every(isPassing)) throw errors[0];
    if (this.#rate !== null) this.#next = began + (1_000 * changed) / this.#rate;
  }

  async #one(seen: TaskRecord): Promise<boolean> {
    const { settler, storeTime } = this.#parts;
    const decide = this.#verb.decide(seen);
    const settled = await settler.settle(seen, (current) =>
      this.#selection.matches(current, storeTime.now()) ? decide(current) : null,
    );
    if (settled.verdict !== "applied") return false;
    await this.#verb.after(settled.record);
    return true;
  }

  /** Waits until the rate allows another batch, or somebody says stop. */
  async #mayGoOn(): Promise<void> {
    const { clock } = this.#parts.runtime;
    const wait = this.#next - clock.mono();
    if (wait > 0 && !this.#isStopped()) await pause(clock, wait, this.#options.signal);
  }

  #isStopped(): boolean {
    return this.#options.signal?.aborted ?? false;
  }

  #told(complete: boolean): BulkReport {
    return { ...this.#report, complete };
  }
}

function pause(clock: Clock, delay: Millis, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      cancel();
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const cancel = clock.after(delay, end);
    signal?.addEventListener("abort", end);
  });
}

function isPassing(error: unknown): boolean {
  return error instanceof SiderealError && error.retryable;
}

function checkOptions(options: BulkOptions, { name: who, options: known }: Verb): void {
  if (typeof options !== "object" || options === null) throw invalid(who, "options", options, "an object");
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    throw new SiderealError("OPTION_INVALID", `${who}: there is no option ${quoted(name)}, only ${known.join(", ")}`);
  }
  const { dryRun = false, perSecond = null, limit = 1, all = false, signal, onProgress } = options;
  if (typeof dryRun !== "boolean") throw invalid(who, "dryRun", dryRun, "true or false");
  if (typeof all !== "boolean") throw invalid(who, "all", all, "true or false");
  if (perSecond !== null && !(typeof perSecond === "number" && perSecond >= 0.01 && perSecond <= 100_000)) {
    throw invalid(who, "perSecond", perSecond, "a number from 0.01 to 100,000, or null");
  }
  if (!Number.isSafeInteger(limit) || limit < 1) throw invalid(who, "limit", limit, "a whole number of at least 1");
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw invalid(who, "signal", signal, "an AbortSignal");
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw invalid(who, "onProgress", onProgress, "a function");
  }
}

function invalid(who: string, option: string, value: unknown, expected: string): SiderealError {
  return new SiderealError("OPTION_INVALID", `${who}: ${option} is ${quoted(value)}, not ${expected}`);
}
