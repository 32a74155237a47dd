/** Random lives of one record: whatever happens to it in whatever order, the invariants hold. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  cancelled,
  claimed,
  completed,
  dispatched,
  expired,
  failed,
  LIMITS,
  LOG_LIMITS,
  lapsed,
  noted,
  released,
  revived,
  TRANSITIONS,
  type Verb,
} from "../../src/model/lifecycle.ts";
import { isTerminal, type TaskRecord } from "../../src/model/record.ts";
import { FAILURE, NOW, POLICY, recordOf } from "./records.ts";

interface Event {
  readonly verb: Exclude<Verb, "enqueued">;
  readonly wait: number;
  readonly because: "shutdown" | "snooze" | "unstarted";
  readonly by: "request" | "acknowledge" | "force";
  readonly retryable: boolean;
  readonly begun: boolean;
  readonly characters: number;
}

/** What the record's budgets must be, counted apart from the lifecycle. */
interface Account {
  attempt: number;
  failures: number;
  losses: number;
  interruptions: number;
  snoozes: number;
}

const events = fc.array(
  fc.record<Event>({
    // Claims are as frequent as all ends of attempts together, or most events would find nothing to do.
    verb: fc.oneof(
      { weight: 6, arbitrary: fc.constant<Event["verb"]>("claimed") },
      {
        weight: 12,
        arbitrary: fc.constantFrom<Event["verb"]>(
          ...([...new Set(TRANSITIONS.map(({ verb }) => verb))].filter(
            (verb) => verb !== "enqueued",
          ) as Event["verb"][]),
        ),
      },
    ),
    wait: fc.constantFrom(0, 0, 1, 1_000, -5_000),
    because: fc.constantFrom("shutdown", "snooze", "unstarted"),
    by: fc.constantFrom("request", "acknowledge", "force"),
    retryable: fc.boolean(),
    begun: fc.boolean(),
    characters: fc.constantFrom(0, 10, 5_000, 70_000),
  }),
  { minLength: 20, maxLength: 80 },
);

const start = fc.record({
  retries: fc.integer({ min: 0, max: 4 }),
  losses: fc.constantFrom(0, LIMITS.losses - 1),
  interruptions: fc.constantFrom(0, LIMITS.interruptions - 1),
  snoozes: fc.constantFrom(0, LIMITS.snoozes - 1),
});

function happens(record: TaskRecord, event: Event, now: number, n: number): TaskRecord {
  const claim = { now, token: n.toString(16).padStart(32, "0"), lease: 30_000, workerId: `worker-${n}` };
  const line = { at: now, attempt: record.attempt, message: "x".repeat(event.characters) };
  switch (event.verb) {
    case "claimed":
      return claimed(record, claim);
    case "dispatched":
      return dispatched(record, claim);
    case "completed":
      return completed(record, { now, result: null });
    case "failed":
      return failed(record, { now, error: FAILURE, retryable: event.retryable, retryIn: 250 });
    case "released":
      return released(record, { now, because: event.because, readyIn: 5 });
    case "lapsed":
      return lapsed(record, { now, retryIn: 250 });
    case "cancelled":
      return cancelled(record, { now, reason: null, by: event.by });
    case "expired":
      return expired(record, { now });
    case "revived":
      return revived(record, { now });
    case "noted":
      return noted(record, event.begun ? { begun: true, lines: [line] } : { lines: [line, line] });
  }
}

/** Keeps the books the way the protocol's prose says. */
function book(account: Account, before: TaskRecord, event: Event): void {
  if (event.verb === "claimed") account.attempt += 1;
  if (event.verb === "released" && event.because === "unstarted") account.attempt -= 1;
  if (event.verb === "failed") account.failures += 1;
  if (event.verb === "lapsed" && before.state === "running" && (account.losses === 0 || before.begun))
    account.losses += 1;
  const returned = event.verb === "released" && before.cancelRequestedAt === null;
  if (returned && event.because === "shutdown") account.interruptions += 1;
  if (returned && event.because === "snooze") account.snoozes += 1;
  if (event.verb === "revived") Object.assign(account, { failures: 0, losses: 0, interruptions: 0, snoozes: 0 });
}

function holds(before: TaskRecord, after: TaskRecord, event: Event): void {
  assert.equal(after.version, before.version + 1);
  if (isTerminal(before)) assert.equal(event.verb, "revived", "only a revival leaves a terminal state");
  if (isTerminal(after)) {
    assert.deepEqual([after.key, after.leaseUntil, after.ref], [null, null, null]);
    assert.notEqual(after.finishedAt, null);
  } else {
    assert.equal(after.finishedAt, null);
    assert.ok(after.failures <= after.policy.retries && after.losses < LIMITS.losses);
    assert.ok(after.interruptions <= LIMITS.interruptions && after.snoozes <= LIMITS.snoozes);
  }
  assert.ok(after.failures <= after.policy.retries + 1 && after.losses <= LIMITS.losses);
  if (before.key === null) assert.equal(after.key, null, "a key once given up stays free");
  if (before.cancelRequestedAt !== null && event.verb !== "revived") {
    assert.ok(
      after.state === "running" || isTerminal(after),
      "after a cancel request there is no way back to the queue",
    );
  }
  if (after.state === "pending") {
    const { begun, leaseUntil, workerId, cancelRequestedAt, reason, ref } = after;
    assert.deepEqual(
      [begun, leaseUntil, workerId, cancelRequestedAt, reason, ref],
      [false, null, null, null, null, null],
    );
  }
  const claims = event.verb === "claimed" || event.verb === "dispatched";
  if (claims) assert.notEqual(after.claim, before.claim);
  else assert.equal(after.claim, before.claim, "a claim is only ever overwritten by the next");
  if (event.verb === "claimed") assert.ok((after.startedAt ?? 0) > (before.startedAt ?? 0), "the fence grows");
  else assert.equal(after.startedAt, before.startedAt);
  assert.ok(after.logs.length <= LOG_LIMITS.lines);
  assert.ok(after.logs.reduce((sum, { message }) => sum + message.length, 0) <= LOG_LIMITS.characters);
  const fixed = ({ id, taskName, queue, execution, priority, input, policy, createdAt, metadata, tags }: TaskRecord) =>
    [id, taskName, queue, execution, priority, input, policy, createdAt, metadata, tags] as const;
  assert.deepEqual(fixed(after), fixed(before));
}

describe("a record's life", () => {
  it("keeps every invariant, whatever happens in whatever order", () => {
    const reached = new Set<string>();
    fc.assert(
      fc.property(start, events, ({ retries, losses: lost, interruptions, snoozes }, list) => {
        let record: TaskRecord = recordOf({
          losses: lost,
          interruptions,
          snoozes,
          policy: { ...POLICY, retries, timeout: 1_000 },
        });
        const account: Account = { attempt: 0, failures: 0, losses: lost, interruptions, snoozes };
        let now = NOW;
        for (const [n, event] of list.entries()) {
          // A clock that runs backwards is a store's fault; the fence must not depend on it all the same.
          now += event.wait;
          if (!TRANSITIONS.some(({ verb, from }) => verb === event.verb && from === record.state)) {
            assert.throws(() => happens(record, event, now, n + 1));
            continue;
          }
          const after = happens(record, event, now, n + 1);
          holds(record, after, event);
          book(account, record, event);
          const { attempt, failures, losses } = after;
          const spent = { attempt, failures, losses, interruptions: after.interruptions, snoozes: after.snoozes };
          assert.deepEqual(spent, account);
          reached.add(`${event.verb} ${record.state} ${after.state}`);
          record = after;
        }
      }),
      { numRuns: 2_000, seed: 20_260_101 },
    );
    const rows = TRANSITIONS.filter(({ from }) => from !== null).map(({ verb, from, to }) => `${verb} ${from} ${to}`);
    assert.deepEqual(
      rows.filter((row) => !reached.has(row)),
      [],
      "the lives led reach every transition there is",
    );
  });
});
