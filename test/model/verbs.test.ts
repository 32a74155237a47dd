/** What each verb writes, field by field: these fields get these values, and every other field stays. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  cancelled,
  claimed,
  completed,
  DEADLINE_GRACE,
  dispatched,
  enqueued,
  expired,
  failed,
  isExpired,
  isOwned,
  LIMITS,
  LOG_LIMITS,
  lapsed,
  leaseEnd,
  noted,
  released,
  revived,
  stamped,
} from "../../src/model/lifecycle.ts";
import { isTerminal, statusOf, type TaskRecord } from "../../src/model/record.ts";
import { FAILURE, NOW, POLICY, recordIn, recordOf, STATES } from "./records.ts";

const REQUEUED = {
  state: "pending",
  queuedAt: NOW,
  begun: false,
  ref: null,
  leaseUntil: null,
  workerId: null,
} as const;
const ENDED = { finishedAt: NOW, key: null, ref: null, leaseUntil: null } as const;
const asked: Partial<TaskRecord> = { cancelRequestedAt: 5, reason: "enough" };
const failing = { now: NOW, error: FAILURE, retryable: true, retryIn: 250 };

/** Runs a verb and compares with the record it began from. */
function writes(from: TaskRecord, verb: (record: TaskRecord) => TaskRecord, fields: Partial<TaskRecord>): void {
  assert.deepEqual(verb(from), { ...from, version: from.version + 1, ...fields });
}

describe("enqueued", () => {
  const given = { id: "i", taskName: "t", queue: "q", execution: "local", priority: 3, input: null, policy: POLICY };
  const nothing = { executionProfile: null, metadata: null, tags: [], description: null, origin: null, key: null };
  const times = { createdAt: 0, queuedAt: 0, readyAt: 0, expiresAt: null, startedAt: null, finishedAt: null };
  const spent = { attempt: 0, failures: 0, losses: 0, interruptions: 0, snoozes: 0, revivals: 0, begun: false };
  const outcome = { cancelRequestedAt: null, reason: null, result: null, error: null, progress: null, logs: [] };
  const owner = { claim: null, ref: null, leaseUntil: null, workerId: null };

  it("a draft is complete but for the times that the store stamps", () => {
    const record = { ...given, ...nothing, state: "pending", version: 1, ...times, ...spent, ...outcome, ...owner };
    assert.deepEqual(enqueued(given), { record, runAt: null, readyIn: 0, expiresAt: null, expiresIn: null });
  });
  it("what is given is in it", () => {
    const more = { executionProfile: "p", metadata: "{}", tags: ["a"], description: "d", key: "k" };
    const when = { runAt: 1, readyIn: 2, expiresAt: 3, expiresIn: 4 };
    const draft = enqueued({ ...given, ...more, ...when });
    assert.deepEqual(draft, { record: { ...enqueued(given).record, ...more }, ...when });
  });
});

describe("claimed", () => {
  const facts = { now: NOW, token: "b".repeat(32), lease: 30_000, workerId: "worker-2" };
  const owned = { state: "running", claim: facts.token, workerId: "worker-2" } as const;

  it("starts an attempt under the token", () => {
    writes(recordOf(), (r) => claimed(r, facts), { ...owned, attempt: 1, startedAt: NOW, leaseUntil: NOW + 30_000 });
  });
  it("gives a fence that grows even if the clock does not", () => {
    const from = recordIn("pending", { startedAt: NOW + 9 });
    const times = { startedAt: NOW + 10, leaseUntil: NOW + 30_000 };
    writes(from, (r) => claimed(r, facts), { ...owned, attempt: 3, ...times });
  });
  it("takes a dispatched record over for the remote worker", () => {
    const from = recordIn("dispatched", { startedAt: null, attempt: 0 });
    writes(from, (r) => claimed(r, facts), { ...owned, attempt: 1, startedAt: NOW, leaseUntil: NOW + 30_000 });
  });
  it("never leases beyond the attempt's timeout and its grace", () => {
    const policy = { ...POLICY, timeout: 1_000 };
    assert.equal(claimed(recordOf({ policy }), facts).leaseUntil, NOW + 1_000 + DEADLINE_GRACE);
    assert.equal(leaseEnd({ policy, startedAt: NOW - 900 }, NOW, 5), NOW + 5);
    assert.equal(leaseEnd({ policy, startedAt: NOW - 100_000 }, NOW, 5), NOW - 100_000 + 1_000 + DEADLINE_GRACE);
    assert.equal(leaseEnd({ policy: POLICY, startedAt: NOW }, NOW, 2 ** 40), NOW + 2 ** 40);
  });
});

describe("dispatched", () => {
  it("leases the record to its ticket and starts no attempt", () => {
    const facts = { now: NOW, token: "c".repeat(32), lease: 9, workerId: "dispatcher", ref: "job-1" };
    const fields = {
      state: "dispatched",
      claim: facts.token,
      ref: "job-1",
      leaseUntil: NOW + 9,
      workerId: "dispatcher",
    } as const;
    writes(recordIn("pending"), (r) => dispatched(r, facts), fields);
    const { ref: _, ...bare } = facts;
    writes(recordIn("pending"), (r) => dispatched(r, bare), { ...fields, ref: null });
  });
});

describe("completed", () => {
  it("keeps the result, frees the key, forgets the error", () => {
    const from = recordIn("running", { error: FAILURE, ref: "job-1" });
    writes(from, (r) => completed(r, { now: NOW, result: "2" }), {
      ...ENDED,
      state: "completed",
      result: "2",
      error: null,
    });
  });
  it("stands even if a cancel was requested meanwhile", () => {
    const fields = { ...ENDED, state: "completed", result: null, reason: null } as const;
    writes(recordIn("running", asked), (r) => completed(r, { now: NOW, result: null }), fields);
  });
});

describe("failed", () => {
  it("spends a retry and waits", () => {
    const fields = { ...REQUEUED, failures: 1, error: FAILURE, readyAt: NOW + 250 };
    writes(recordIn("running"), (r) => failed(r, failing), fields);
  });
  it("ends once the retries are spent", () => {
    const fields = { ...ENDED, state: "failed", failures: 2, error: FAILURE, reason: "error" } as const;
    writes(recordIn("running", { failures: 1 }), (r) => failed(r, failing), fields);
  });
  it("ends at once if the error allows no retry, with the reason given", () => {
    const fields = { ...ENDED, state: "failed", failures: 1, error: FAILURE, reason: "timeout" } as const;
    writes(recordIn("running"), (r) => failed(r, { ...failing, retryable: false, reason: "timeout" }), fields);
  });
  it("ends cancelled, not retried, if a cancel was requested", () => {
    const fields = { ...ENDED, state: "cancelled", failures: 1, error: FAILURE, reason: "enough" } as const;
    writes(recordIn("running", asked), (r) => failed(r, failing), fields);
  });
});

describe("released", () => {
  it("unstarted: as if it had never been claimed, but for version, claim and fence", () => {
    const from = recordIn("running", { queuedAt: 3, readyAt: 4 });
    writes(from, (r) => released(r, { now: NOW, because: "unstarted" }), {
      ...REQUEUED,
      queuedAt: 3,
      readyAt: 4,
      attempt: 1,
    });
  });
  it("shutdown: spends an interruption and no retry", () => {
    const fields = { ...REQUEUED, interruptions: 1, readyAt: NOW };
    writes(recordIn("running"), (r) => released(r, { now: NOW, because: "shutdown" }), fields);
  });
  it("snooze: spends a snooze and no retry", () => {
    const fields = { ...REQUEUED, snoozes: 1, readyAt: NOW + 60_000 };
    writes(recordIn("running"), (r) => released(r, { now: NOW, because: "snooze", readyIn: 60_000 }), fields);
  });
  it("ends when the budget of such returns is spent, not before", () => {
    const often = { interruptions: LIMITS.interruptions - 1, snoozes: LIMITS.snoozes - 1 };
    for (const because of ["shutdown", "snooze"] as const) {
      assert.equal(released(recordIn("running", often), { now: NOW, because }).state, "pending");
    }
    const over = { interruptions: LIMITS.interruptions + 1 };
    const from = recordIn("running", { interruptions: LIMITS.interruptions });
    writes(from, (r) => released(r, { now: NOW, because: "shutdown" }), {
      ...ENDED,
      ...over,
      state: "failed",
      reason: "interrupted",
    });
    const tired = recordIn("running", { snoozes: LIMITS.snoozes });
    const done = { ...ENDED, snoozes: LIMITS.snoozes + 1, state: "failed", reason: "snoozed" } as const;
    writes(tired, (r) => released(r, { now: NOW, because: "snooze" }), done);
  });
  for (const because of ["unstarted", "shutdown", "snooze"] as const) {
    it(`${because}: ends cancelled if a cancel was requested`, () => {
      const next = released(recordIn("running", asked), { now: NOW, because });
      assert.deepEqual([next.state, next.reason, next.key, next.finishedAt], ["cancelled", "enough", null, NOW]);
    });
  }
});

describe("lapsed", () => {
  const lapse = (record: TaskRecord): TaskRecord => lapsed(record, { now: NOW, retryIn: 250 });
  const back = { ...REQUEUED, readyAt: NOW + 250 };

  it("the first loss counts, whoever was to blame", () => {
    writes(recordIn("running", { begun: false }), lapse, { ...back, losses: 1 });
  });
  it("a later loss counts only if the attempt is known to have begun", () => {
    writes(recordIn("running", { losses: 1, begun: false }), lapse, { ...back, losses: 1 });
    writes(recordIn("running", { losses: 1, begun: true }), lapse, { ...back, losses: 2 });
    writes(recordIn("running", { losses: LIMITS.losses - 1, begun: false }), lapse, { ...back });
  });
  it("the last one ends the record as poison", () => {
    const from = recordIn("running", { losses: LIMITS.losses - 1, begun: true });
    writes(from, lapse, { ...ENDED, state: "failed", reason: "poison", losses: LIMITS.losses });
  });
  it("ends cancelled if a cancel was requested, even at the last loss", () => {
    for (const losses of [0, LIMITS.losses - 1]) {
      const from = recordIn("running", { ...asked, losses, begun: true });
      writes(from, lapse, { ...ENDED, state: "cancelled", reason: "enough", losses: losses + 1 });
    }
  });
  it("a lost ticket is nobody's fault", () => {
    writes(recordIn("dispatched", { ref: "job-1" }), lapse, back);
  });
});

describe("cancelled", () => {
  it("ends a record that does not run, at once", () => {
    for (const state of ["pending", "dispatched"] as const) {
      for (const by of ["request", "force"] as const) {
        const fields = { ...ENDED, state: "cancelled", reason: "enough" } as const;
        writes(recordIn(state), (r) => cancelled(r, { now: NOW, reason: "enough", by }), fields);
      }
    }
  });
  it("asks a running one to stop and leaves it its lease and its key", () => {
    const request = (reason: string | null) => (r: TaskRecord) => cancelled(r, { now: NOW, reason, by: "request" });
    writes(recordIn("running"), request("enough"), { cancelRequestedAt: NOW, reason: "enough" });
    writes(recordIn("running", asked), request(null), { cancelRequestedAt: 5, reason: "enough" });
  });
  it("acknowledged or forced, it ends a running one", () => {
    for (const by of ["acknowledge", "force"] as const) {
      const fields = { ...ENDED, state: "cancelled", reason: "enough" } as const;
      writes(recordIn("running", asked), (r) => cancelled(r, { now: NOW, reason: null, by }), fields);
    }
  });
});

describe("expired, revived, noted", () => {
  it("expired: says so", () => {
    writes(recordIn("pending"), (r) => expired(r, { now: NOW }), { ...ENDED, state: "cancelled", reason: "expired" });
  });
  it("revived: starts over with fresh budgets, without deadline and key", () => {
    const spent = {
      revivals: 3,
      failures: 4,
      losses: 2,
      interruptions: 9,
      snoozes: 9,
      ...asked,
      expiresAt: 7,
      error: FAILURE,
    };
    for (const state of ["failed", "cancelled"] as const) {
      const fresh = { failures: 0, losses: 0, interruptions: 0, snoozes: 0, cancelRequestedAt: null, reason: null };
      const fields = { ...REQUEUED, ...fresh, revivals: 4, readyAt: NOW, expiresAt: null, finishedAt: null };
      writes(recordIn(state, spent), (r) => revived(r, { now: NOW }), fields);
    }
  });
  it("noted: replaces the progress, adds the lines, and leaves what is not named", () => {
    const progress = { current: 1, total: 2, message: null, detail: null, at: NOW };
    const line = { at: NOW, attempt: 1, message: "here" };
    const from = recordIn("running", { logs: [line] });
    writes(from, (r) => noted(r, { progress, lines: [line], begun: true }), {
      progress,
      logs: [line, line],
      begun: true,
    });
    writes({ ...from, progress, begun: true }, (r) => noted(r, {}), {});
  });
  it("noted: keeps the newest lines within both bounds", () => {
    const lines = (count: number, length: number) =>
      Array.from({ length: count }, (_, n) => ({ at: n, attempt: 1, message: "x".repeat(length) }));
    const kept = (record: TaskRecord, count: number, length: number): number[] =>
      noted(record, { lines: lines(count, length) }).logs.map(({ at }) => at);
    const running = recordIn("running");
    assert.deepEqual(
      kept(running, LOG_LIMITS.lines + 3, 1),
      Array.from({ length: LOG_LIMITS.lines }, (_, n) => n + 3),
    );
    assert.deepEqual(kept(running, 10, LOG_LIMITS.characters / 4), [6, 7, 8, 9]);
    assert.deepEqual(kept(running, 2, LOG_LIMITS.characters), [1]);
    assert.deepEqual(kept(running, 1, LOG_LIMITS.characters + 1), []);
  });
});

describe("stamped", () => {
  const draft = (more: object) => ({ ...enqueued({ ...recordOf(), id: "i" }), ...more });
  const cases = [
    [{}, NOW, null],
    [{ readyIn: 5 }, NOW + 5, null],
    [{ runAt: 9, readyIn: 5 }, 9, null],
    [{ runAt: NOW + 9 }, NOW + 9, null],
    [{ expiresAt: 3 }, NOW, 3],
    [{ expiresIn: 7, expiresAt: 3 }, NOW, NOW + 7],
    [{ expiresIn: 7, readyIn: 5 }, NOW + 5, NOW + 12],
    [{ expiresIn: 7, runAt: 9 }, 9, NOW + 7],
    [{ expiresIn: 0 }, NOW, NOW],
  ] as const;
  for (const [facts, readyAt, expiresAt] of cases) {
    it(`${JSON.stringify(facts)} at ${NOW}: ready at ${readyAt}, expires at ${expiresAt}`, () => {
      const record = stamped(draft(facts), NOW);
      const { createdAt, queuedAt } = record;
      assert.deepEqual(
        { createdAt, queuedAt, readyAt: record.readyAt, expiresAt: record.expiresAt },
        { createdAt: NOW, queuedAt: NOW, readyAt, expiresAt },
      );
    });
  }
});

describe("questions", () => {
  it("isExpired: only a pending record, from the very millisecond of its deadline, whatever attempt it is at", () => {
    for (const state of STATES) assert.equal(isExpired({ state, expiresAt: NOW }, NOW), state === "pending");
    assert.equal(isExpired(recordIn("pending", { expiresAt: NOW + 1 }), NOW), false);
    assert.equal(isExpired(recordIn("pending"), NOW), false);
  });
  it("isOwned: only while it runs under this claim", () => {
    for (const state of STATES) assert.equal(isOwned({ state, claim: "t" }, "t"), state === "running");
    assert.equal(isOwned({ state: "running", claim: "u" }, "t"), false);
  });
  it("isTerminal and statusOf: the six statuses people see", () => {
    assert.deepEqual(
      STATES.filter((state) => isTerminal({ state })),
      ["completed", "failed", "cancelled"],
    );
    assert.equal(statusOf({ state: "pending", readyAt: NOW + 1 }, NOW), "scheduled");
    assert.equal(statusOf({ state: "pending", readyAt: NOW }, NOW), "pending");
    assert.equal(statusOf({ state: "dispatched", readyAt: NOW + 1 }, NOW), "running");
  });
});
