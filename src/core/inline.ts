/** Immediate execution: a record that is run inside the call that enqueued it, with a lease like any other. */
import { claimed } from "../model/lifecycle.ts";
import type { TaskRecord } from "../model/record.ts";
import { Attempt } from "./attempt.ts";
import { LeaseKeeper } from "./lease.ts";
import type { Parts } from "./parts.ts";

/**
 * Runs an `immediate` record to its end. Retries follow at once, without back-off: nobody else would run them; a
 * snooze is waited for. A handler that ignores its signal is left behind.
 */
export async function runInline(parts: Parts, pending: TaskRecord): Promise<void> {
  const { staleAfter, heartbeatInterval } = parts.settings.worker;
  const leases = new LeaseKeeper(parts.calls, parts.runtime, { lease: staleAfter, every: heartbeatInterval });
  leases.start();
  try {
    let record: TaskRecord | null = pending;
    while (record !== null && record.state === "pending") {
      if (record.snoozes > pending.snoozes) await untilReady(parts, record);
      if (!(await attempted(parts, record, leases))) return;
      [record = null] = await parts.calls.find({ by: "id", ids: [pending.id] });
    }
  } finally {
    await leases.stop();
  }
}

/** @returns false when somebody else has the record by now */
async function attempted(parts: Parts, record: TaskRecord, leases: LeaseKeeper): Promise<boolean> {
  const { settler, storeTime, runtime, ids, settings } = parts;
  const token = ids.token();
  const sent = runtime.clock.mono();
  const taken = await settler.settle(record, (current) =>
    current.state === "pending"
      ? claimed(current, { now: storeTime.now(), token, lease: settings.worker.staleAfter, workerId: "inline" })
      : null,
  );
  if (taken.verdict !== "applied") return false;
  let leave = (): void => {};
  const left = new Promise<true>((resolve) => {
    leave = () => resolve(true);
  });
  const attempt = new Attempt(parts, taken.record, {
    isSure: (id) => leases.isSure(id),
    stuck: leave,
    persist: () => false,
  });
  leases.add(attempt, sent);
  if (await Promise.race([attempt.run(), left])) attempt.abandon();
  await attempt.reported();
  leases.remove(attempt);
  return true;
}

function untilReady({ runtime, storeTime }: Parts, record: TaskRecord): Promise<void> {
  return new Promise((resolve) => runtime.clock.after(Math.max(0, record.readyAt - storeTime.now()), resolve));
}
