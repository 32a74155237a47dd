/** The table of transitions says exactly what the verbs do: every verb on every state, in both directions. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hasCode } from "../../src/model/errors.ts";
import { LIMITS, TRANSITIONS } from "../../src/model/lifecycle.ts";
import { isTerminal, type TaskRecord } from "../../src/model/record.ts";
import { CALLS, POLICY, recordIn, recordOf, STATES } from "./records.ts";

/** Circumstances of a record that send a verb another way. */
const CIRCUMSTANCES: Readonly<Record<string, Partial<TaskRecord>>> = {
  "as usual": {},
  "with a cancel requested": { cancelRequestedAt: 5, reason: "enough" },
  "with its retries spent": { failures: 1, policy: POLICY },
  "with its losses nearly spent": { losses: LIMITS.losses - 1, begun: true },
  "with its interruptions spent": { interruptions: LIMITS.interruptions },
  "with its snoozes spent": { snoozes: LIMITS.snoozes },
};

const listed = (verb: string, from: string | null, to: string): boolean =>
  TRANSITIONS.some((row) => row.verb === verb && row.from === from && row.to === to);

describe("transitions", () => {
  const seen = new Set<string>(["enqueued null pending"]);

  for (const state of STATES) {
    for (const { verb, how, run } of CALLS) {
      it(`${verb} ${how}: on a ${state} record it follows the table or is refused`, () => {
        const allowed = TRANSITIONS.some((row) => row.verb === verb && row.from === state);
        for (const [when, circumstances] of Object.entries(CIRCUMSTANCES)) {
          const record = recordIn(state, circumstances);
          if (!allowed) {
            assert.throws(
              () => run(record),
              (error) => hasCode(error, "ILLEGAL_TRANSITION"),
              when,
            );
            continue;
          }
          const next = run(record);
          assert.ok(listed(verb, state, next.state), `${when}: ${verb} made ${state} ${next.state}`);
          assert.equal(next.version, record.version + 1, "every write adds one to the version");
          seen.add(`${verb} ${state} ${next.state}`);
        }
      });
    }
  }

  it("every row of the table can happen", () => {
    const rows = TRANSITIONS.map(({ verb, from, to }) => `${verb} ${from} ${to}`);
    assert.deepEqual([...seen].sort(), [...new Set(rows)].sort());
    assert.equal(new Set(rows).size, rows.length, "no row twice");
  });

  it("a new record is pending, in version 1, with nothing spent", () => {
    const record = recordOf();
    assert.equal(record.state, "pending");
    assert.equal(record.version, 1);
    const { attempt, failures, losses, interruptions, snoozes } = record;
    assert.deepEqual([attempt, failures, losses, interruptions, snoozes], [0, 0, 0, 0, 0]);
    assert.deepEqual([record.claim, record.startedAt, record.finishedAt, record.leaseUntil], [null, null, null, null]);
  });

  it("only a revival leaves a terminal state, and never completed", () => {
    const leaving = TRANSITIONS.filter(({ from }) => from !== null && isTerminal({ state: from }));
    assert.deepEqual(
      leaving.map(({ verb, from }) => `${verb} ${from}`),
      ["revived failed", "revived cancelled"],
    );
  });

  it("a refusal names the verb, the record and its state", () => {
    const completing = CALLS.find(({ verb }) => verb === "completed");
    assert.throws(
      () => completing?.run(recordIn("pending")),
      /completed: task 0192d3a4-[^ ]* is pending, not running/u,
    );
  });
});
