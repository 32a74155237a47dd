/** The checker on ledgers written by hand: a quiet story is green, and each kind of lie turns its own check red. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { claimed, completed, enqueued, lapsed, stamped } from "../../src/model/lifecycle.ts";
import type { TaskRecord } from "../../src/model/record.ts";
import { type Evidence, judge } from "./check.ts";
import type { Event, EventName } from "./ledger.ts";
import type { Work } from "./load.ts";
import { covered, gaps, joined, minus } from "./spans.ts";

const work: Work = { n: 0, kind: "plain", before: 10, after: 10 };
const policy = {
  ...{ retries: 3, timeout: null, requeueOnShutdown: true },
  backoff: { kind: "fixed", delay: 50, factor: 1, maxDelay: 50, jitter: 0 } as const,
};
const pending: TaskRecord = stamped(
  enqueued({
    ...{ id: "a", taskName: "chaos.work", queue: "default", execution: "local", priority: 0, policy },
    ...{ input: JSON.stringify(work), key: "client-0" },
  }),
  1_000,
);
const first = claimed(pending, { now: 1_010, token: "t1", lease: 1_000, workerId: "w1" });
const back = lapsed(first, { now: 2_100, retryIn: 0 });
const second = claimed(back, { now: 2_110, token: "t2", lease: 1_000, workerId: "w2" });
const done = (record: TaskRecord, who: string): TaskRecord =>
  completed(record, { now: 2_200, result: JSON.stringify({ who, attempt: record.attempt, fence: record.startedAt }) });

type Line = readonly [
  at: number,
  who: string,
  event: EventName,
  record?: TaskRecord | null,
  extra?: readonly string[] | undefined,
];

function events(lines: readonly Line[]): Event[] {
  return lines.map(([at, who, event, record, extra = []]) => ({
    ...{ at, who, event, extra, id: record?.id ?? "" },
    ...{ attempt: record?.attempt ?? 0, fence: record?.startedAt ?? 0 },
  }));
}

const write = (state: string, record: TaskRecord): string[] => [state, String(record.version), record.claim ?? "-"];

const enqueue: Line[] = [
  [0, "p.1", "spawned", null, ["producer"]],
  [1, "p.1", "enq_call", { ...pending, id: "0" }],
  [2, "p.1", "enq_ack", { ...pending, id: "0" }, ["a", "created"]],
];
const workers: Line[] = [
  [0, "w1.1", "spawned", null, ["worker"]],
  [0, "w2.1", "spawned", null, ["worker"]],
  [3, "w1.1", "ready"],
  [3, "w2.1", "ready"],
];
const attemptOne: Line[] = [
  [10, "w1.1", "claim_call", null, ["t1"]],
  [11, "w1.1", "claim_ok", first, write("running", first)],
  [12, "w1.1", "start", first, ["plain"]],
  [20, "w1.1", "effect", first],
];
const killed: Line[] = [
  [25, "w1.1", "killed", null, ["random"]],
  [26, "w1.1", "exited", null, ["SIGKILL"]],
];
const recovered: Line[] = [
  [1_100, "w2.1", "lapse_call", first, write("pending", back)],
  [1_101, "w2.1", "lapse_applied", first, write("pending", back)],
];
const attemptTwo: Line[] = [
  [1_110, "w2.1", "claim_call", null, ["t2"]],
  [1_111, "w2.1", "claim_ok", second, write("running", second)],
  [1_112, "w2.1", "start", second, ["plain"]],
  [1_120, "w2.1", "effect", second],
  [1_130, "w2.1", "finish_call", second, write("completed", done(second, "w2.1"))],
  [1_131, "w2.1", "finish_applied", second, write("completed", done(second, "w2.1"))],
];
const dismissed: Line[] = ["p.1", "w2.1"].flatMap((who): Line[] => [
  [1_200, who, "termed"],
  [1_201, who, "term_seen"],
  [1_210, who, "exited", null, ["0"]],
]);
const quiet = [...enqueue, ...workers, ...attemptOne, ...killed, ...recovered, ...attemptTwo, ...dismissed];

function red(lines: readonly Line[], own: Partial<Evidence> = {}): string[] {
  const evidence: Evidence = {
    ...{ events: events([...lines].sort((a, b) => a[0] - b[0])), records: [done(second, "w2.1")], load: [work] },
    ...{ lease: 1_000, heartbeat: 333, reapEvery: 166, poll: 50, unsound: [], stuck: null, ...own },
  };
  return judge(evidence).checks.flatMap(({ id, violations }) => (violations.length > 0 ? [id] : []));
}

const without = (...left: Line[][]): Line[] => quiet.filter((line) => !left.some((group) => group.includes(line)));

describe("the checker", () => {
  it("is content with a kill, a recovery and a second effect", () => {
    assert.deepEqual(red(quiet), []);
  });

  it("sees an acknowledged enqueue that is gone", () => {
    assert.ok(red(quiet, { records: [] }).includes("L"));
  });

  it("sees two records alive under one key", () => {
    const twin = { ...done(second, "w2.1"), id: "b" };
    assert.ok(red(quiet, { records: [done(second, "w2.1"), twin] }).includes("U"));
  });

  it("sees a record that never ended", () => {
    assert.ok(red(quiet, { records: [second] }).includes("T"));
  });

  it("sees a second accepted finish, by whom it was and in which version", () => {
    const zombie: Line = [1_140, "w1.1", "finish_applied", first, ["completed", "5", "t1"]];
    const found = red([...without(killed), zombie]);
    for (const id of ["T", "V", "F"]) assert.ok(found.includes(id), `${id} is not among ${found}`);
  });

  it("sees an effect that no fault explains, and a record taken from a healthy owner", () => {
    const found = red([...without(killed), [1_205, "w1.1", "exited", null, ["0"]], [1_200, "w1.1", "termed"]]);
    for (const id of ["S", "R"]) assert.ok(found.includes(id), `${id} is not among ${found}`);
  });

  it("sees a fence that does not grow", () => {
    const stale = attemptTwo.map((line): Line => {
      const [at, who, event, record, extra] = line;
      return record?.id === "a" ? [at, who, event, { ...record, startedAt: first.startedAt }, extra] : line;
    });
    assert.ok(red([...without(attemptTwo), ...stale]).includes("O"));
  });

  it("sees a late recovery", () => {
    const late = [...recovered, ...attemptTwo, ...dismissed].map(([at, ...rest]): Line => [at + 9_000, ...rest]);
    assert.ok(red([...without(recovered, attemptTwo, dismissed), ...late]).includes("B"));
  });

  it("sees poison where there were no losses, and a spent retry", () => {
    const poisoned: TaskRecord = { ...done(second, "w2.1"), ...{ failures: 2 } };
    assert.ok(red(quiet, { records: [poisoned] }).includes("K"));
  });

  it("sees a process that ended by itself, and one that claimed after SIGTERM", () => {
    assert.ok(red([...without(killed), [26, "w1.1", "exited", null, ["1"]]]).includes("H"));
    assert.ok(red([...quiet, [1_205, "w2.1", "claim_call", null, ["t3"]]]).includes("G"));
  });

  it("sees a zombie that nobody told", () => {
    const asleep: Line[] = [
      [22, "w1.1", "stopped"],
      [1_500, "w1.1", "continued"],
    ];
    assert.ok(red([...without(killed), ...asleep]).includes("Z"));
  });

  it("sees a pill that is tried again at once", () => {
    const pills = [100, 110].map((at): Line => [at, "w2.1", "start", { ...first, id: "pill" }, ["pill"]]);
    assert.ok(red([...quiet, ...pills]).includes("P"));
  });

  it("sees a damaged store, and a run that did not drain", () => {
    assert.deepEqual(red(quiet, { unsound: ["row 3 missing from index"], stuck: "nothing has moved" }), ["I", "D"]);
  });
});

describe("spans", () => {
  it("are joined, subtracted and measured", () => {
    const two = [
      { from: 5, to: 8 },
      { from: 0, to: 6 },
    ];
    assert.deepEqual(joined(two), [{ from: 0, to: 8 }]);
    assert.equal(covered(two, 2, 10), 6);
    assert.equal(covered(gaps(two), 2, 10), 2);
    assert.deepEqual(minus(two, [{ from: 2, to: 3 }]), [
      { from: 0, to: 2 },
      { from: 3, to: 8 },
    ]);
  });
});
