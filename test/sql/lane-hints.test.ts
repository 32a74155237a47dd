/** Where a claim looks: everywhere while that is cheap; where it stopped while there is much; else between the lanes. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BEGINNING, type Lane, LaneHints, type LaneName } from "../../src/backends/sql/lane-hints.ts";
import type { ClaimRequest } from "../../src/contracts/queue-backend.ts";

const request: ClaimRequest = {
  ...{ token: "t", workerId: "w", limit: 100, lease: 1_000 },
  ...{ queues: null, queueLimits: {}, tasks: ["mail"], executions: ["local"] },
};
const lane = (priority: number, task = "mail"): LaneName => ({ queue: "default", task, execution: "local", priority });
const took = (readyAt: number, count = 1, priority = 0): (LaneName & { readyAt: number })[] =>
  Array.from({ length: count }, (_, n) => ({ ...lane(priority), readyAt: readyAt + n }));

/** Hints after a look that took so long. */
function after(ms: number, lanes: readonly LaneName[] = [lane(0), lane(5), lane(0, "other")]): LaneHints {
  const hints = new LaneHints();
  hints.looked(request, lanes, 0, ms);
  return hints;
}

function lanesOf(hints: LaneHints, mono: number, asked = request): readonly Lane[] | string {
  const route = hints.of(asked, mono);
  return route.kind === "everywhere" ? route.kind : route.lanes;
}

describe("a claim looks everywhere", () => {
  it("at first, and for another request than the last one", () => {
    assert.equal(new LaneHints().of(request, 0).kind, "everywhere");
    assert.equal(after(50).of({ ...request, tasks: ["other"] }, 60).kind, "everywhere");
  });

  it("while looks are cheap and claims come back short", () => {
    const hints = after(5);
    hints.claimed(took(1_000, 99), true);
    assert.equal(hints.of(request, 6).kind, "everywhere");
  });

  it("again after a second, or after twenty times what the look took, but after a minute at the latest", () => {
    for (const [look, trusted] of [
      [40, 1_000],
      [200, 4_000],
      [30_000, 60_000],
    ] as const) {
      const hints = after(look);
      assert.equal(hints.of(request, look + trusted).kind, "between", `${look}`);
      assert.equal(hints.of(request, look + trusted + 1).kind, "everywhere", `${look}`);
    }
  });
});

describe("a claim goes on where the last ones stopped", () => {
  it("once five hundred were claimed in a row, in the lanes that it is served by", () => {
    const hints = after(1);
    hints.claimed(took(1_000, 499), false);
    assert.equal(hints.of(request, 2).kind, "everywhere");
    hints.claimed(took(2_000, 1), false);
    assert.deepEqual(hints.of(request, 3), {
      kind: "told",
      lanes: [
        { ...lane(0), floor: 1_800 },
        { ...lane(5), floor: BEGINNING },
      ],
    });
  });

  it("but not where queues are limited, since there a short claim says nothing", () => {
    const hints = after(20);
    hints.claimed(took(1_000, 500), false);
    assert.equal(hints.of({ ...request, queueLimits: { default: 3 } }, 30).kind, "between");
  });
});

describe("a claim looks between the lanes", () => {
  it("when looking everywhere was dear: those that others serve are passed over, too", () => {
    const hints = after(11);
    hints.claimed(took(1_000), true);
    const lanes = [
      { ...lane(0), floor: 800 },
      { ...lane(5), floor: BEGINNING },
      { ...lane(0, "other"), floor: BEGINNING },
    ];
    assert.deepEqual(hints.of(request, 20), { kind: "between", lanes });
  });

  it("knows the lanes that it met", () => {
    const hints = after(11, []);
    hints.met([lane(1)]);
    assert.deepEqual(lanesOf(hints, 20), [{ ...lane(1), floor: BEGINNING }]);
  });

  it("remembers for ten minutes where an empty lane's trail ends", () => {
    const hints = after(11, []);
    hints.claimed(took(1_000, 1, 5), true);
    hints.looked(request, [], 20, 40);
    assert.deepEqual(lanesOf(hints, 50), [{ ...lane(5), floor: 800 }]);
    hints.claimed(took(700_000), true);
    hints.looked(request, [], 60, 80);
    assert.deepEqual(lanesOf(hints, 90), [{ ...lane(0), floor: 699_800 }]);
  });
});

describe("what returns", () => {
  it("is before no floor", () => {
    const hints = after(11, [lane(0)]);
    hints.claimed(took(1_000), true);
    hints.returned(300);
    assert.deepEqual(lanesOf(hints, 20), [{ ...lane(0), floor: 300 }]);
  });

  it("while a claim is under way is not before the floor that this one leaves", () => {
    const hints = after(11, [lane(0)]);
    hints.of(request, 20);
    hints.returned(300);
    hints.claimed(took(1_000), true);
    assert.deepEqual(lanesOf(hints, 30), [{ ...lane(0), floor: 300 }]);
    hints.claimed(took(1_100), true);
    assert.deepEqual(lanesOf(hints, 40), [{ ...lane(0), floor: 900 }]);
  });
});
