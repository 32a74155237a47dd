/** The checker on ledgers written by hand: a quiet story is green, and each kind of lie turns its own check red. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TaskRecord } from "../../src/model/record.ts";
import {
  attemptTwo,
  dismissed,
  done,
  first,
  killed,
  type Line,
  quiet,
  recovered,
  red,
  second,
  without,
} from "./hand-written.ts";
import { covered, gaps, joined, minus } from "./spans.ts";

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

  it("lets the ledgers decide on the key where writes overlap, and the store's times where they do not", () => {
    const ended = done(second, "w2.1");
    const next = {
      ...ended,
      id: "b",
      createdAt: (ended.finishedAt ?? 0) - 5,
      finishedAt: (ended.finishedAt ?? 0) + 50,
    };
    const again: Line = [1_128, "p.1", "enq_call", { ...first, id: "0" }];
    const stored = (at: number): Line[] => [
      ...quiet,
      again,
      [at, "p.1", "enq_ack", { ...first, id: "0" }, ["b", "created"]],
    ];
    const judged = (at: number, writesOverlap: boolean): boolean =>
      red(stored(at), { records: [ended, next], writesOverlap }).includes("U");
    assert.ok(!judged(1_135, true), "seen after the end was sent");
    assert.ok(judged(1_129, true), "seen before the end was sent");
    assert.ok(judged(1_135, false), "one writes at a time");
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
