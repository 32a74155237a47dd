/** Why a record is where it is: one row per cause, decided from facts alone; and that the decision never fails. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { causesOf } from "../../src/core/causes.ts";
import type { Facts } from "../../src/core/facts.ts";
import type { CauseCode, WorkerInfo } from "../../src/core/operators.ts";
import { enqueued, stamped } from "../../src/model/lifecycle.ts";
import type { TaskRecord } from "../../src/model/record.ts";

const NOW = Date.UTC(2030, 0, 1, 12);
const POLICY: TaskRecord["policy"] = {
  retries: 3,
  backoff: { kind: "fixed", delay: 1_000, factor: 1, maxDelay: 1_000, jitter: 0 },
  timeout: null,
  requeueOnShutdown: true,
};
const ERROR = { name: "TypeError", message: "no such page.\nmore", stack: null, code: null, attempt: 2, at: NOW };

/** A pending record that has been ready for a minute, changed as given. */
function record(changes: Partial<TaskRecord> = {}): TaskRecord {
  const facts = { id: "r1", taskName: "render", queue: "reports", execution: "local", priority: 0, input: null };
  return { ...stamped(enqueued({ ...facts, policy: POLICY }), NOW - 60_000), ...changes };
}

/** A live worker with a free slot that runs everything, changed as given. */
function worker(changes: Partial<WorkerInfo> = {}): WorkerInfo {
  return {
    ...{ id: "w1", readable: true, host: "alpha", pid: 7, version: "1.0.0", node: "26.0.0", startedAt: NOW - 90_000 },
    ...{ state: "running", ready: true, queues: [], concurrency: 2, full: [], tasks: ["render"], taskCount: 1 },
    ...{ executions: ["local"], running: [], runningCount: 0, claimed: 0 },
    ...{ heartbeatAt: NOW - 3_000, heartbeatAge: 3_000, alive: true },
    ...changes,
  };
}

const run = (task: string, stuck = false, id = "other") => ({
  id,
  task,
  queue: "reports",
  startedAt: NOW - 5_000,
  stuck,
});
const busy = { running: [run("index"), run("index")], runningCount: 2 };
const dead = { alive: false, heartbeatAge: 32_000, heartbeatAt: NOW - 32_000 };
const later = { readyAt: NOW + 7_200_000 };
const mine = {
  state: "running",
  attempt: 2,
  startedAt: NOW - 5_000,
  leaseUntil: NOW + 25_000,
  workerId: "w1",
} as const;
const done = { attempt: 2, startedAt: NOW - 65_000, finishedAt: NOW - 60_000 };

interface Row {
  readonly what: string;
  readonly facts: Partial<Facts>;
  /** All codes, in order. */
  readonly codes: readonly CauseCode[];
  /** In the first sentence. */
  readonly says: RegExp;
  /** In the first advice. */
  readonly advises: RegExp;
}

const rows: readonly Row[] = [
  {
    what: "a paused queue",
    facts: { pause: { at: NOW - 180_000, reason: "the printer burns." } },
    codes: ["queue-paused"],
    says: /^Queue reports is paused since 2030-01-01T11:57:00\.000Z \(3m ago\): the printer burns\.$/u,
    advises: /sidereal queues resume reports/u,
  },
  {
    what: "a paused queue whose note is damaged",
    facts: { pause: { at: null, reason: null } },
    codes: ["queue-paused"],
    says: /^Queue reports is paused\.$/u,
    advises: /resume/u,
  },
  {
    what: "a paused queue and no worker",
    facts: { pause: { at: NOW, reason: null }, workers: [] },
    codes: ["queue-paused", "no-worker"],
    says: /paused since/u,
    advises: /resume/u,
  },
  {
    what: "a record that is not due",
    facts: { record: record(later) },
    codes: ["not-due"],
    says: /scheduled for 2030-01-01T14:00:00\.000Z \(in 2h\)/u,
    advises: /Wait/u,
  },
  {
    what: "a record that is not due, of a task that nobody knows",
    facts: { record: record({ ...later, taskName: "unknown" }) },
    codes: ["not-due", "task-not-known"],
    says: /scheduled/u,
    advises: /Wait/u,
  },
  {
    what: "a retry",
    facts: { record: record({ ...later, attempt: 2, failures: 2, error: ERROR }) },
    codes: ["retry-wait"],
    says: /^Attempt 2 failed with TypeError: no such page; it is tried again at 2030-01-01T14:\S+ \(in 2h\), retry 2 of 3\.$/u,
    advises: /mend the cause/u,
  },
  {
    what: "a retry after a lost worker",
    facts: { record: record({ ...later, attempt: 1, losses: 1 }) },
    codes: ["retry-wait"],
    says: /worker of attempt 1 was lost/u,
    advises: /kills/u,
  },
  {
    what: "a snooze",
    facts: { record: record({ ...later, attempt: 3, failures: 1, error: ERROR, snoozes: 1 }) },
    codes: ["snoozed"],
    says: /Attempt 3 put it off until/u,
    advises: /handler chose/u,
  },
  {
    what: "a deadline that has passed",
    facts: { record: record({ expiresAt: NOW - 1_000 }) },
    codes: ["deadline-passed"],
    says: /had to start by 2030-01-01T11:59:59\.000Z \(1s ago\).*about to cancel/u,
    advises: /later deadline/u,
  },
  {
    what: "a deadline that has passed while nobody works",
    facts: { record: record({ expiresAt: NOW - 1_000 }), workers: [] },
    codes: ["deadline-passed"],
    says: /the next worker that starts/u,
    advises: /later deadline/u,
  },
  {
    what: "a deadline that is to come",
    facts: { record: record({ expiresAt: NOW + 60_000 }), workers: [] },
    codes: ["no-worker", "expires"],
    says: /No worker is running/u,
    advises: /sidereal run/u,
  },
  {
    what: "no worker",
    facts: { workers: [] },
    codes: ["no-worker"],
    says: /none was heard of in the last minute/u,
    advises: /sidereal run/u,
  },
  {
    what: "only workers without a heartbeat",
    facts: { workers: [worker({ ...dead, heartbeatAge: 50_000, id: "w0" }), worker(dead)] },
    codes: ["worker-not-responding"],
    says: /w1 was last heard of 32s ago/u,
    advises: /process still lives/u,
  },
  {
    what: "an immediate record whose process has ended",
    facts: { record: record({ execution: "immediate" }) },
    codes: ["execution-not-served"],
    says: /execution backend immediate; alive are w1/u,
    advises: /has ended: cancel it/u,
  },
  {
    what: "an execution backend of which nobody knows",
    facts: { record: record({ execution: "cloud" }) },
    codes: ["execution-not-served"],
    says: /execution backend cloud/u,
    advises: /Configure a worker/u,
  },
  {
    what: "a queue that nobody serves",
    facts: { workers: [worker({ queues: ["mail", "sms"] })] },
    codes: ["queue-not-served"],
    says: /No live worker claims from queue reports; alive are w1 \(mail, sms\)/u,
    advises: /sidereal run --queue reports/u,
  },
  {
    what: "a task that nobody knows",
    facts: { workers: [worker({ tasks: ["index"] }), worker({ id: "w2", tasks: ["mail"] })] },
    codes: ["task-not-known"],
    says: /knows the task render; alive are w1, w2/u,
    advises: /taskModules/u,
  },
  {
    what: "one that serves the queue and another that knows the task",
    facts: { workers: [worker({ tasks: ["index"] }), worker({ id: "w2", queues: ["mail"] })] },
    codes: ["not-served"],
    says: /none does both/u,
    advises: /queue reports too/u,
  },
  {
    what: "workers that all stop",
    facts: { workers: [worker({ state: "stopping" })] },
    codes: ["worker-stopping"],
    says: /is stopping: w1/u,
    advises: /Start a worker/u,
  },
  {
    what: "workers that the store does not answer",
    facts: { workers: [worker({ ready: false })] },
    codes: ["worker-not-ready"],
    says: /gets answers from the store: w1/u,
    advises: /logs/u,
  },
  {
    what: "a cap that is reached",
    facts: { workers: [worker({ full: ["reports"], ...busy })] },
    codes: ["queue-cap-reached"],
    says: /cap of queue reports is reached on every worker that could run it: w1/u,
    advises: /queueConcurrency\.reports/u,
  },
  {
    what: "slots that are taken, and others ahead",
    facts: { workers: [worker({ running: [run("index"), run("render", true)], runningCount: 2 })], ready: 4 },
    codes: ["slots-taken", "others-ahead"],
    says: /taken: 2 of 2, by 1 × index, 1 × render; 1 ignore their signal/u,
    advises: /maxConcurrency/u,
  },
  {
    what: "a cap here and taken slots there",
    facts: { workers: [worker({ full: ["reports"] }), worker({ id: "w2", ...busy })] },
    codes: ["slots-taken"],
    says: /2 of 2, by 2 × index/u,
    advises: /maxConcurrency/u,
  },
  {
    what: "others ahead",
    facts: { ready: 12 },
    codes: ["others-ahead"],
    says: /Up to 11 other records are ready in queue reports/u,
    advises: /priority/u,
  },
  {
    what: "nothing in its way",
    facts: {},
    codes: ["about-to-start"],
    says: /w1 should claim it/u,
    advises: /Look again/u,
  },
  {
    what: "a worker whose description cannot be read, which may do anything",
    facts: {
      workers: [
        worker({
          readable: false,
          tasks: [],
          taskCount: 0,
          executions: [],
          state: null,
          ready: false,
          concurrency: null,
        }),
      ],
    },
    codes: ["about-to-start"],
    says: /w1/u,
    advises: /Look again/u,
  },
  {
    what: "a worker that knows more tasks than it told of",
    facts: { workers: [worker({ tasks: ["a"], taskCount: 900 })] },
    codes: ["about-to-start"],
    says: /w1/u,
    advises: /Look again/u,
  },
  {
    what: "a running record",
    facts: {
      record: record({ ...mine, progress: { current: 1, total: 2, message: null, detail: null, at: NOW - 1_000 } }),
    },
    codes: ["running"],
    says: /^Attempt 2 runs on worker w1 \(host alpha, process 7\), since 2030-01-01T11:59:55\.000Z \(5s ago\), its lease lasts 25s more; progress 1 of 2, 1s ago\.$/u,
    advises: /cancel asks it to stop/u,
  },
  {
    what: "an immediate record that runs",
    facts: { record: record({ ...mine, workerId: "inline" }), workers: [] },
    codes: ["running"],
    says: /inside the process that enqueued it/u,
    advises: /Wait/u,
  },
  {
    what: "a running record that should stop",
    facts: { record: record({ ...mine, cancelRequestedAt: NOW - 2_000, reason: "too late" }) },
    codes: ["cancel-requested", "running"],
    says: /requested 2s ago \(too late\)/u,
    advises: /ctx\.signal/u,
  },
  {
    what: "a stuck handler",
    facts: {
      record: record({ ...mine, cancelRequestedAt: NOW - 20_000 }),
      workers: [worker({ running: [run("render", true, "r1")] })],
    },
    codes: ["stuck", "cancel-requested", "running"],
    says: /ignores its signal, and keeps a slot of worker w1/u,
    advises: /restarting that worker/u,
  },
  {
    what: "a worker that is not heard of any more",
    facts: { record: record(mine), workers: [worker(dead), worker({ id: "w2" })] },
    codes: ["worker-lost", "running"],
    says: /Its worker w1 was last heard of 32s ago; .* taken back after 2030-01-01T12:00:25\.000Z \(in 25s\)/u,
    advises: /another worker takes over/u,
  },
  {
    what: "a worker that is not listed, and no other",
    facts: { record: record(mine), workers: [] },
    codes: ["worker-lost", "running"],
    says: /w1 is not listed any more/u,
    advises: /sidereal run/u,
  },
  {
    what: "a lease that is over",
    facts: { record: record({ ...mine, leaseUntil: NOW - 2_000 }), workers: [worker({ id: "w2" })] },
    codes: ["lease-over", "running"],
    says: /lease of worker w1 ended 2s ago; a live worker puts it back/u,
    advises: /Wait/u,
  },
  {
    what: "a lease that is over while nobody works",
    facts: { record: record({ ...mine, leaseUntil: NOW - 2_000 }), workers: [] },
    codes: ["lease-over", "running"],
    says: /no live worker/u,
    advises: /sidereal run/u,
  },
  {
    what: "a dispatched record",
    facts: { record: record({ state: "dispatched", execution: "cloud", leaseUntil: NOW + 9_000 }) },
    codes: ["dispatched"],
    says: /handed to the execution backend cloud, which has until .* \(in 9s\)/u,
    advises: /back to the queue/u,
  },
  {
    what: "a completed record",
    facts: { record: record({ ...done, state: "completed" }) },
    codes: ["completed"],
    says: /completed at 2030-01-01T11:59:00\.000Z \(1m ago\) in attempt 2, after 5s/u,
    advises: /enqueue it again/u,
  },
  {
    what: "a failed record",
    facts: { record: record({ ...done, state: "failed", reason: "error", failures: 4, error: ERROR }) },
    codes: ["failed"],
    says: /failed for good at \S+ \(1m ago\): 4 of 4 attempts failed; the last error was TypeError: no such page\.$/u,
    advises: /reviving/u,
  },
  {
    what: "a poison pill",
    facts: { record: record({ ...done, state: "failed", reason: "poison", losses: 3 }) },
    codes: ["failed"],
    says: /workers that ran it were lost too often/u,
    advises: /kills the worker/u,
  },
  {
    what: "a cancelled record",
    facts: { record: record({ ...done, state: "cancelled", reason: "not wanted" }) },
    codes: ["cancelled"],
    says: /cancelled at \S+ \(1m ago\): not wanted\.$/u,
    advises: /Revive it/u,
  },
  {
    what: "an expired record",
    facts: { record: record({ ...done, state: "cancelled", reason: "expired", expiresAt: NOW - 60_000 }) },
    codes: ["expired"],
    says: /not started before its deadline, 2030-01-01T11:59:00\.000Z/u,
    advises: /add workers/u,
  },
];

const facts = (changes: Partial<Facts>): Facts => ({
  ...{ record: record(), now: NOW, pause: null, workers: [worker()], ready: 1 },
  ...changes,
});

describe("the causes", () => {
  for (const { what, facts: changes, codes, says, advises } of rows) {
    it(what, () => {
      const causes = causesOf(facts(changes));
      assert.deepEqual(
        causes.map(({ code }) => code),
        codes,
      );
      assert.match(causes[0]?.sentence ?? "", says);
      assert.match(causes[0]?.advice ?? "", advises);
      for (const { sentence, advice } of causes) {
        for (const text of [sentence, advice])
          assert.match(text, /^[A-Z][^\n]*[.]$/u, "it is one sentence of one line");
      }
    });
  }

  it("each has a row", () => {
    const all: Record<CauseCode, true> = {
      ...{ "queue-paused": true, "not-due": true, "retry-wait": true, snoozed: true, "deadline-passed": true },
      ...{ expires: true, "no-worker": true, "worker-not-responding": true, "execution-not-served": true },
      ...{ "queue-not-served": true, "task-not-known": true, "not-served": true, "worker-stopping": true },
      ...{ "worker-not-ready": true, "queue-cap-reached": true, "slots-taken": true, "others-ahead": true },
      ...{ "about-to-start": true, running: true, dispatched: true, "cancel-requested": true, stuck: true },
      ...{ "worker-lost": true, "lease-over": true, completed: true, failed: true, cancelled: true, expired: true },
    };
    const seen = new Set(rows.flatMap(({ codes }) => codes));
    assert.deepEqual([...seen].sort(), Object.keys(all).sort());
  });

  it("say something about every record, whatever its fields", () => {
    const millis = fc.option(fc.integer({ min: -8e15, max: 8e15 * 2 }), { nil: null });
    const few = fc.integer({ min: 0, max: 4 });
    const words = fc.constantFrom("", "one.", "two\nlines", "\u0000", "expired");
    const changes = fc.record({
      state: fc.constantFrom<TaskRecord["state"]>(
        "pending",
        "dispatched",
        "running",
        "completed",
        "failed",
        "cancelled",
      ),
      ...{ attempt: few, failures: few, losses: few, snoozes: few },
      ...{ startedAt: millis, finishedAt: millis, expiresAt: millis, leaseUntil: millis, cancelRequestedAt: millis },
      readyAt: fc.integer({ min: -8e15, max: 8e15 * 2 }),
      reason: fc.option(words, { nil: null }),
      error: fc.option(fc.record({ name: words, message: words, attempt: few }), { nil: null }),
    });
    fc.assert(
      fc.property(changes, fc.boolean(), few, (made, works, ready) => {
        const given = record({ ...made, error: made.error && { ...ERROR, ...made.error } });
        const causes = causesOf(facts({ record: given, workers: works ? [worker()] : [], ready }));
        assert.ok(causes.length > 0);
        for (const { sentence } of causes) assert.doesNotMatch(sentence, /\n|undefined|NaN|null/u);
      }),
      { numRuns: 500 },
    );
  });
});
