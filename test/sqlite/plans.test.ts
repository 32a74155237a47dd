/** The plans that the speed rests on: every hot statement seeks, none sorts or scans what it does not answer with. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { prepare } from "../../src/backends/sqlite/driver.ts";
import { type Statements, statements } from "../../src/backends/sqlite/statements.ts";
import { drafts, raw, request, store } from "./bench.ts";

const SEEKS: Readonly<Partial<Record<keyof Statements, RegExp>>> = {
  ready:
    /^SEARCH \w+ USING INDEX sidereal_tasks_claimable \(queue=\? AND task_name=\? AND execution=\? AND priority=\? AND ready_at>\? AND ready_at<\?\)$/u,
  readyThen: /^SEARCH \w+ USING INDEX sidereal_tasks_claimable \(.* AND ready_at=\? AND rowid>\?\)$/u,
  nextReady: /^SEARCH \w+ USING COVERING INDEX sidereal_tasks_claimable \(.* AND ready_at>\?\)$/u,
  claimOne: /^SEARCH \w+ USING INTEGER PRIMARY KEY \(rowid=\?\)$/u,
  complete: /^SEARCH \w+ USING INDEX sidereal_tasks_id \(id=\?\)$/u,
  change: /^SEARCH \w+ USING INDEX sidereal_tasks_id \(id=\?\)$/u,
  renew: /^SEARCH \w+ USING INDEX sidereal_tasks_id \(id=\?\)$/u,
  byKey: /^SEARCH \w+ USING INDEX sidereal_tasks_key \(key=\?\)$/u,
  cancelling: /^SEARCH \w+ USING INDEX sidereal_tasks_cancelling \(id>\?\)$/u,
  tallyPendingOf: /^SEARCH \w+ USING COVERING INDEX sidereal_tasks_claimable \(queue=\?\)$/u,
  tallyFinishedOf: /^SEARCH \w+ USING COVERING INDEX sidereal_tasks_finished \(queue=\? AND state>\?\)$/u,
};

for (const statistics of [false, true]) {
  test(`plans ${statistics ? "after the user's own analyze" : "of a fresh file"}`, async (t) => {
    const { backend, path } = await store(t);
    await backend.insert(drafts(300));
    await backend.claim(request(100));
    raw(path, (db) => {
      if (statistics) db.exec("analyze");
      const sql = statements("sidereal");
      const plan = (name: keyof Statements): string[] =>
        prepare(db, `explain query plan ${sql[name]}`)
          .all()
          .map((row) => String(row[3]));
      for (const [name, seek] of Object.entries(SEEKS) as [keyof Statements, RegExp][]) {
        const steps = plan(name);
        assert.equal(steps.length, 1, `${name}: ${steps.join("; ")}`);
        assert.match(steps[0] ?? "", seek, name);
      }
      assert.match(plan("claim")[0] ?? "", /USING INTEGER PRIMARY KEY \(rowid=\?\)/u);
      assert.match(plan("claimedBy")[0] ?? "", /USING INDEX sidereal_tasks_owned \(claim=\?\)/u);
      // One seek per lane: a seek that stopped short of ready_at would walk through each lane.
      assert.match(
        plan("lanes").join("; "),
        /SEARCH c USING COVERING INDEX sidereal_tasks_claimable \(\(queue,task_name,execution,priority,ready_at\)>/u,
      );
      assert.match(
        plan("finishedLanes").join("; "),
        /SEARCH c USING COVERING INDEX sidereal_tasks_finished \(\(queue,state,finished_at\)>/u,
      );
    });
  });
}
