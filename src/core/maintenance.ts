/**
 * Maintenance on demand: one bounded pass over what workers do all the time, for fleets that keep it apart (a cron job).
 * A lock of the whole fleet lets one run at a time.
 */
import { parseDuration, quoted } from "../model/duration.ts";
import { SiderealError } from "../model/errors.ts";
import type { Millis } from "../model/record.ts";
import type { Parts } from "./parts.ts";
import {
  MAINTENANCE_PHASES,
  type MaintainOptions,
  type MaintenancePhase,
  type MaintenanceReport,
  type PhaseReport,
} from "./reports.ts";
import { isRetentionOn, Retention } from "./retention.ts";
import { expirySweep, recoverySweep, type Sweep } from "./upkeep.ts";

type PhaseResult = Pick<PhaseReport, "status" | "changed"> & { readonly error?: unknown };

export const MAINTENANCE_HOLD = "maintenance";
const LOCK_LEASE: Millis = 60_000;
/** Between two looks at lapsed leases their owners get this many heartbeats to renew. */
const PATIENCE = 1.5;

/** One run of maintenance. @throws OPTION_INVALID, DURATION_INVALID; STORE_… if the lock could not be asked for */
export async function maintain(parts: Parts, options: MaintainOptions = {}): Promise<MaintenanceReport> {
  const wanted = phasesOf(options.phases);
  const most = parseDuration(options.maxDuration ?? "60s", "maintain: maxDuration", 1);
  const { clock, logger } = parts.runtime;
  const began = clock.mono();
  const lock = new Lock(parts, began + most);
  const acquired = await lock.take();
  const phases: PhaseReport[] = [];
  try {
    for (const phase of wanted) {
      const start = clock.mono();
      const result: PhaseResult = acquired ? await run(parts, phase, lock) : { status: "skipped", changed: 0 };
      if (result.error !== undefined) logger.warn("a phase of maintenance failed", { phase, error: result.error });
      const error = result.error === undefined ? null : codeOf(result.error);
      phases.push({
        phase,
        status: result.status,
        changed: result.changed,
        durationMs: since(clock.mono(), start),
        error,
      });
    }
  } finally {
    if (acquired) await lock.giveBack();
  }
  return { outcome: outcomeOf(acquired, phases), acquired, durationMs: since(clock.mono(), began), phases };
}

function phasesOf(phases: readonly MaintenancePhase[] = MAINTENANCE_PHASES): readonly MaintenancePhase[] {
  const list: unknown = phases;
  const strange = Array.isArray(list) ? list.find((phase) => !MAINTENANCE_PHASES.includes(phase)) : list;
  if (strange === undefined && phases.length > 0) return MAINTENANCE_PHASES.filter((phase) => phases.includes(phase));
  const what = strange === undefined ? "phases is empty" : `${quoted(strange)} is no phase`;
  throw new SiderealError("OPTION_INVALID", `maintain: ${what}; there are ${MAINTENANCE_PHASES.join(", ")}`);
}

async function run(parts: Parts, phase: MaintenancePhase, lock: Lock): Promise<PhaseResult> {
  try {
    if (phase === "stale") return await stale(parts, lock);
    return await terminal(parts, lock);
  } catch (error) {
    return { status: "failed", changed: 0, error };
  }
}

/**
 * Takes lapsed records over only if time went on evenly between two looks, long enough for a living owner to renew: a host
 * that slept wakes with leases that look over. Whoever runs all the time (`Reaper`) knows; a single run has to wait.
 */
async function stale(parts: Parts, lock: Lock): Promise<PhaseResult> {
  const { calls, runtime, storeTime, settings } = parts;
  const overdue = await swept(expirySweep(parts), lock);
  if (overdue.status === "partial") return overdue;
  if ((await calls.find({ by: "lapsed", after: null, limit: 1 })).length === 0) return overdue;
  const wait = settings.worker.heartbeatInterval * PATIENCE;
  const [store, mono] = [await storeTime.sync(), runtime.clock.mono()];
  if (!(await lock.pause(wait))) return { ...overdue, status: "partial" };
  const elapsed = runtime.clock.mono() - mono;
  const jump = Math.abs((await storeTime.sync()) - store - elapsed);
  if (jump > wait / 2 || elapsed > wait * 2) return { ...overdue, status: "partial" };
  const lost = await swept(recoverySweep(parts), lock);
  const changed = overdue.changed + lost.changed;
  return overdue.status === "failed" ? { ...overdue, changed } : { ...lost, changed };
}

async function swept(sweep: Sweep, lock: Lock): Promise<PhaseResult> {
  let changed = 0;
  let trouble: { readonly error: unknown } | null = null;
  while (await lock.goOn()) {
    const pass = await sweep.pass();
    changed += pass.changed;
    trouble ??= pass.trouble;
    if (!pass.done) continue;
    return trouble === null ? { status: "completed", changed } : { status: "failed", changed, error: trouble.error };
  }
  return { status: "partial", changed };
}

async function terminal(parts: Parts, lock: Lock): Promise<PhaseResult> {
  const rules = parts.settings.worker.retention;
  if (!isRetentionOn(rules)) return { status: "skipped", changed: 0 };
  const retention = new Retention(parts, rules);
  let changed = 0;
  while (await lock.goOn()) {
    const pruned = await retention.pass(() => lock.goOn());
    changed += pruned.changed;
    if (pruned.done) return { status: "completed", changed };
  }
  return { status: "partial", changed };
}

/** The fleet's lock, and how long this run may go on. */
class Lock {
  readonly #parts: Parts;
  readonly #end: Millis;
  readonly #holder: string;
  #taken: Millis = 0;
  #lost = false;

  /** @param end - By the monotonic clock. */
  constructor(parts: Parts, end: Millis) {
    this.#parts = parts;
    this.#end = end;
    this.#holder = parts.ids.token();
  }

  async take(): Promise<boolean> {
    const { calls, runtime } = this.#parts;
    const sent = runtime.clock.mono();
    const hold = await calls.hold(MAINTENANCE_HOLD, this.#holder, { lease: LOCK_LEASE });
    this.#taken = sent;
    return hold.holder === this.#holder;
  }

  /** Whether there is time and the lock is still ours; it is renewed before its lease is over. */
  async goOn(): Promise<boolean> {
    const now = this.#parts.runtime.clock.mono();
    if (this.#lost || now >= this.#end) return false;
    if (now - this.#taken > LOCK_LEASE / 3) this.#lost = !(await this.take());
    return !this.#lost;
  }

  /** Waits; false at once if the time that is left does not suffice, or if the lock was lost. */
  async pause(wait: Millis): Promise<boolean> {
    const { clock } = this.#parts.runtime;
    const until = clock.mono() + wait;
    if (until >= this.#end) return false;
    for (let left = wait; left > 0; left = until - clock.mono()) {
      await new Promise<void>((resolve) => clock.after(Math.min(left, LOCK_LEASE / 3), resolve));
      if (!(await this.goOn())) return false;
    }
    return true;
  }

  /** A lock that is not given back is over with its lease. */
  async giveBack(): Promise<void> {
    const { calls, runtime } = this.#parts;
    await calls.release(MAINTENANCE_HOLD, this.#holder).catch((error: unknown) => {
      runtime.logger.warn("the maintenance lock could not be given back", { error });
    });
  }
}

function outcomeOf(acquired: boolean, phases: readonly PhaseReport[]): MaintenanceReport["outcome"] {
  if (!acquired) return "already_running";
  if (phases.some(({ status }) => status === "failed")) return "failed";
  return phases.some(({ status }) => status === "partial") ? "partial" : "completed";
}

function codeOf(error: unknown): string {
  if (error instanceof SiderealError) return error.code;
  return error instanceof Error ? error.name : "unknown";
}

const since = (now: Millis, start: Millis): Millis => Math.round((now - start) * 10) / 10;
