/** What somebody may decide about a record: any verb of the lifecycle that its state allows, or its removal. */
import {
  cancelled,
  claimed,
  completed,
  dispatched,
  expired,
  failed,
  lapsed,
  noted,
  released,
  revived,
} from "../../../model/lifecycle.ts";
import type { Millis, TaskRecord } from "../../../model/record.ts";
import type { Chance } from "../chance.ts";

/** One decision, and its name for the trace. */
export interface Decision {
  readonly verb: string;
  readonly to: TaskRecord | null;
}

type Choice = (record: TaskRecord, now: Millis, chance: Chance) => TaskRecord | null;

const DELAYS: readonly [Millis, ...Millis[]] = [0, 0, 1, 40, 1_000, 30_000];

const remove: Choice = () => null;
const cancel: Choice = (record, now, chance) =>
  cancelled(record, {
    now,
    reason: chance.pick([null, "enough", "🛑"]),
    by: chance.pick(["request", "request", "acknowledge", "force"]),
  });

const fail: Choice = (record, now, chance) => {
  const message = chance.pick(["no", "é\n💥", ""]);
  const error = {
    name: "Error",
    message,
    stack: chance.pick([null, "at x"]),
    code: null,
    attempt: record.attempt,
    at: now,
  };
  return failed(record, { now, error, retryable: chance.often(0.8), retryIn: chance.pick(DELAYS) });
};

const release: Choice = (record, now, chance) =>
  released(record, { now, because: chance.pick(["shutdown", "snooze", "unstarted"]), readyIn: chance.pick(DELAYS) });

const note: Choice = (record, now, chance) =>
  noted(record, {
    ...(chance.often(0.5)
      ? { progress: { current: chance.below(9), total: 9, message: null, detail: null, at: now } }
      : {}),
    ...(chance.often(0.5) ? { lines: [{ at: now, attempt: record.attempt, message: `line ${chance.below(9)}` }] } : {}),
    ...(chance.often(0.3) ? { begun: true } : {}),
  });

const send: Choice = (record, now, chance) =>
  dispatched(record, {
    now,
    token: chance.token(),
    lease: chance.pick([20, 30_000]),
    workerId: "dispatcher",
    ref: chance.pick([null, "job-1"]),
  });

const CHOICES: Record<TaskRecord["state"], Readonly<Record<string, Choice>>> = {
  pending: { cancel, expire: (record, now) => expired(record, { now }), send, remove },
  dispatched: {
    cancel,
    lapse: (record, now, chance) => lapsed(record, { now, retryIn: chance.pick(DELAYS) }),
    arrive: (record, now, chance) => claimed(record, { now, token: chance.token(), lease: 30_000, workerId: "remote" }),
  },
  running: {
    complete: (record, now, chance) => completed(record, { now, result: chance.pick([null, "1", '{"b":1,"a":2}']) }),
    fail,
    release,
    note,
    cancel,
    lapse: (record, now, chance) => lapsed(record, { now, retryIn: chance.pick(DELAYS) }),
  },
  completed: { remove },
  failed: { revive: (record, now) => revived(record, { now }), remove },
  cancelled: { revive: (record, now) => revived(record, { now }), remove },
};

/** A random decision that the record's state allows. */
export function decide(record: TaskRecord, now: Millis, chance: Chance): Decision {
  const [verb, choice] = chance.pick(Object.entries(CHOICES[record.state])) ?? ["remove", remove];
  return { verb, to: choice(record, now, chance) };
}
