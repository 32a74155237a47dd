/** Faults of a server on ledgers written by hand: what each excuses, and that it excuses nothing else. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
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
  without,
} from "./hand-written.ts";

/** A call of the first worker's to the store. */
function call(n: number, verb: string, at: number, toldAt: number, outcome = "ok"): Line[] {
  return [
    [at, "w1.1", "ask", null, [String(n), verb]],
    [toldAt, "w1.1", "told", null, [String(n), outcome]],
  ];
}

const outage = (from: number, to: number): Line[] => [
  [from, "store", "outage", null, ["swallow"]],
  [to, "store", "restored", null, ["swallow"]],
];

/** The first worker lives to the end, and learns that its lease is lost. */
const survived: Line[] = [
  [1_150, "w1.1", "renew_lost", first, ["t1"]],
  [1_200, "w1.1", "termed"],
  [1_201, "w1.1", "term_seen"],
  [1_205, "w1.1", "exited", null, ["0"]],
];
const robbed = [...without(killed), ...survived];

/** The first worker is asked to stop at that time, and has heard nothing of its loss. */
function stoppedAt(at: number): Line[] {
  const stop: Line[] = [
    [at, "w1.1", "termed"],
    [at + 1, "w1.1", "term_seen"],
    [1_205, "w1.1", "exited", null, ["0"]],
  ];
  return [...without(killed), ...stop];
}

/** As before, but the lease had been renewed once, and what follows comes by as much later. */
function renewedAt(sent: number): Line[] {
  const moved = [...recovered, ...attemptTwo, ...dismissed, ...survived];
  return [
    ...without(killed, recovered, attemptTwo, dismissed),
    ...moved.map(([at, ...rest]): Line => [at + sent, ...rest]),
    [sent + 1, "w1.1", "renew_held", first, ["t1", String(sent)]],
  ];
}

/** A healthy process for much longer, so that there is time to come back in. */
const late = dismissed.map(([at, ...rest]): Line => [at + 20_000, ...rest]);

describe("the checker, of a lost lease", () => {
  it("is red where the owner was well", () => {
    assert.deepEqual(red(robbed), ["S", "Σ", "R"]);
  });

  it("excuses an outage that left no time to renew", () => {
    assert.deepEqual(red([...robbed, ...outage(100, 1_050)]), []);
  });

  it("excuses a renewal that the outage swallowed, for as long as it hung", () => {
    assert.deepEqual(red([...robbed, ...outage(300, 400), ...call(1, "renew", 350, 1_060, "STORE_TIMEOUT")]), []);
  });

  it("does not excuse an outage that left time enough", () => {
    assert.ok(red([...robbed, ...outage(100, 200)]).includes("R"));
    assert.ok(red([...robbed, ...outage(900, 1_050)]).includes("R"));
  });

  it("does not excuse an outage that was survived: a renewal came after it", () => {
    assert.ok(red([...renewedAt(800), ...outage(20, 700)]).includes("R"));
  });

  it("does not excuse slow or failing calls that no fault explains", () => {
    assert.ok(red([...robbed, ...call(1, "renew", 350, 1_060)]).includes("R"));
    assert.ok(red([...robbed, ...call(1, "renew", 350, 1_060, "STORE_TIMEOUT")]).includes("R"));
    assert.ok(red([...robbed, [400, "w1.1", "renew_error", null, ["STORE_TIMEOUT"]]]).includes("R"));
  });

  it("does not excuse a blow that cut one renewal: there was time for the next one", () => {
    const blow: Line = [350, "store", "blow", null, ["reset"]];
    assert.ok(red([...robbed, blow, ...call(1, "renew", 345, 355, "STORE_UNAVAILABLE")]).includes("R"));
  });

  it("does not excuse that another process had its pool taken", () => {
    const hog: Line[] = [
      [100, "w2.1", "hog", null, ["900"]],
      [1_000, "w2.1", "freed"],
    ];
    assert.ok(red([...robbed, ...hog]).includes("R"));
    assert.deepEqual(red([...robbed, ...hog.map(([at, , ...rest]): Line => [at, "w1.1", ...rest])]), []);
  });

  it("excuses a claim that was answered too late to renew it in time, and no claim that was answered sooner", () => {
    const answered = (by: number): Line[] =>
      robbed.map((line): Line => {
        const [at, who, event, record, extra] = line;
        return who === "w1.1" && record?.id === "a" && at < 100 ? [at + by, who, event, record, extra] : line;
      });
    assert.deepEqual(red(answered(600)), []);
    assert.ok(red(answered(200)).includes("R"));
  });

  it("is red for a record that is taken within its lease, whatever else went wrong", () => {
    const renewed: Line = [901, "w1.1", "renew_held", first, ["t1", "900"]];
    assert.deepEqual(red([...robbed, ...outage(100, 1_050), renewed]), ["A"]);
    assert.ok(red([...quiet, [23, "w1.1", "renew_held", first, ["t1", "200"]]]).includes("A"));
  });
});

describe("the checker, of effects and stops", () => {
  it("takes a finish whose answer was lost for unanswered: the owner's death explains the second effect", () => {
    const unknown: Line[] = [
      [22, "w1.1", "finish_call", first, ["completed", "3", "t1"]],
      [24, "w1.1", "finish_unknown", first, ["completed", "3", "t1"]],
    ];
    assert.deepEqual(red([...quiet, ...unknown]), []);
  });

  it("takes an unanswered finish for stored where nobody had to take the record back", () => {
    const stored = done(first, "w1.1");
    const unknown: Line[] = [
      [22, "w1.1", "finish_call", first, ["completed", "3", "t1"]],
      [24, "w1.1", "finish_unknown", first, ["completed", "3", "t1"]],
    ];
    const ended = survived.filter(([, , event]) => event !== "renew_lost");
    const lines = [...without(killed, recovered, attemptTwo), ...unknown, ...ended];
    assert.deepEqual(red(lines, { records: [stored] }), []);
    const taken = recovered.map(([at, ...rest]): Line => [at + 103, ...rest]);
    assert.ok(red([...lines, ...taken], { records: [stored] }).includes("G"));
  });

  it("sees what a stop left behind, unless the worker was kept from the store just then", () => {
    const asked = stoppedAt(1_090);
    assert.ok(red([...asked, ...outage(100, 1_050)]).includes("G"));
    assert.ok(
      !red([...asked, ...outage(100, 1_050), ...call(1, "apply", 1_040, 1_203, "STORE_TIMEOUT")]).includes("G"),
    );
  });

  it("does not take for left behind what was taken away before the stop", () => {
    assert.ok(!red([...stoppedAt(1_150), ...outage(100, 1_050)]).includes("G"));
  });

  it("sees a stop that had to abort, near an outage as well", () => {
    const escalated = [...robbed.filter(([, , event]) => event !== "exited"), ...outage(100, 1_050)];
    assert.ok(red([...escalated, [1_205, "w1.1", "exited", null, ["2"]]]).includes("G"));
  });
});

describe("the checker, of the return", () => {
  const calm = [...without(dismissed), ...late];
  const claims = (at: number): Line[] => [
    [at, "w2.1", "ask", null, ["1", "claim"]],
    [at + 1, "w2.1", "told", null, ["1", "ok"]],
  ];

  it("is content with a worker that claims soon after an outage", () => {
    assert.deepEqual(red([...calm, ...outage(2_000, 4_000), ...claims(9_000)]), []);
  });

  it("sees one that claims late, and one that never does", () => {
    assert.deepEqual(red([...calm, ...outage(2_000, 4_000), ...claims(15_000)]), ["W"]);
    assert.deepEqual(red([...calm, ...outage(2_000, 4_000)]), ["W"]);
  });

  it("does not count the time of a further outage, and no other time", () => {
    assert.deepEqual(red([...calm, ...outage(2_000, 4_000), ...outage(6_000, 9_000), ...claims(15_000)]), []);
    assert.deepEqual(red([...calm, ...outage(2_000, 4_000), ...outage(6_000, 9_000), ...claims(19_500)]), ["W"]);
  });

  it("sees one that ended instead of coming back", () => {
    const gone: Line = [5_000, "w2.1", "exited", null, ["70"]];
    const rest = calm.filter(([at, who]) => who !== "w2.1" || at < 5_000);
    assert.ok(red([...rest, ...outage(2_000, 4_000), gone]).includes("H"));
  });
});
