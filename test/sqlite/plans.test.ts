/** The plans that the speed rests on: every hot statement seeks, none sorts or scans what it does not answer with. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type OwnConnection, prepare } from "../../src/backends/sqlite/driver.ts";
import { type Statements, statements } from "../../src/backends/sqlite/statements.ts";
import type { Page } from "../../src/contracts/queue-backend.ts";
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
  // What people look at: the end of what one page looks at is found without reading a record.
  createdBoundary: /^SEARCH \w+ USING COVERING INDEX sidereal_tasks_id \(id>\?\)$/u,
  createdBoundaryBefore: /^SEARCH \w+ USING COVERING INDEX sidereal_tasks_id \(id<\?\)$/u,
  endedBoundary: /^SEARCH \w+ USING COVERING INDEX sidereal_tasks_ended \(id>\?\)$/u,
  endedBoundaryBefore: /^SEARCH \w+ USING COVERING INDEX sidereal_tasks_ended \(id<\?\)$/u,
  schedulesNext: /^SEARCH \w+ USING INDEX sidereal_schedules_due \(due_at>\?\)$/u,
  schedulesAll: /^SEARCH \w+ USING PRIMARY KEY \(name>\?\)$/u,
  changeSchedule: /^SEARCH \w+ USING PRIMARY KEY \(name=\?\)$/u,
  removeSchedule: /^SEARCH \w+ USING PRIMARY KEY \(name=\?\)$/u,
  tallyFinishedOf: /^SEARCH \w+ USING COVERING INDEX sidereal_tasks_finished \(queue=\? AND state>\?\)$/u,
};

/** Pages: a seek between two ids along one index, no sort, and nothing scanned but the lists of the filters. */
const PAGES: Readonly<Partial<Record<keyof Statements, RegExp>>> = {
  created: /^SEARCH \w+ USING INDEX sidereal_tasks_id \(id>\? AND id<\?\)$/u,
  createdBefore: /^SEARCH \w+ USING INDEX sidereal_tasks_id \(id>\? AND id<\?\)$/u,
  ended: /^SEARCH \w+ USING INDEX sidereal_tasks_ended \(id>\? AND id<\?\)$/u,
  endedBefore: /^SEARCH \w+ USING INDEX sidereal_tasks_ended \(id>\? AND id<\?\)$/u,
};

const RECORDS = 100_000;

/** So many records in all states, and as many schedules. */
function fill(db: OwnConnection): void {
  db.exec(`insert into sidereal_tasks (id, task_name, queue, execution, priority, policy, state, version, attempt, ready_at,
      queued_at, created_at, finished_at, failures, losses, interruptions, snoozes, begun)
    with recursive n (n) as (select 1 union all select n + 1 from n where n < ${RECORDS})
    select printf('task-%07d', n + 1000000), 'mail.send', 'q' || (n % 7), 'local', 0, '[]', n % 6, 1, 0, n, n, n,
      iif(n % 6 > 2, n, null), 0, 0, 0, 0, 0 from n`);
  db.exec(`insert into sidereal_schedules (name, version, due_at, body)
    with recursive n (n) as (select 1 union all select n + 1 from n where n < 10000)
    select 'schedule-' || n, 1, iif(n % 3 = 0, null, n * 1000), '{}' from n`);
}

for (const statistics of [false, true]) {
  test(`plans ${statistics ? "after the user's own analyze" : "of a fresh file"}`, async (t) => {
    const { backend, path } = await store(t);
    await backend.insert(drafts(300));
    await backend.claim(request(100));
    raw(path, (db) => {
      fill(db);
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
      for (const [name, seek] of Object.entries(PAGES) as [keyof Statements, RegExp][]) {
        const [first, ...rest] = plan(name);
        assert.match(first ?? "", seek, name);
        for (const step of rest) assert.match(step, /^(?:LIST SUBQUERY|SCAN json_each|CREATE BLOOM FILTER)/u, name);
      }
      // Only those that are due are sorted; what they say is read of one page.
      assert.deepEqual(plan("schedulesDue"), [
        "SEARCH sidereal_schedules USING PRIMARY KEY (name=?)",
        "LIST SUBQUERY 1",
        "SEARCH sidereal_schedules USING COVERING INDEX sidereal_schedules_due (due_at>? AND due_at<?)",
        "USE TEMP B-TREE FOR ORDER BY",
      ]);
      assert.match(plan("schedulesNamed")[0] ?? "", /^SEARCH \w+ USING PRIMARY KEY \(name=\?\)$/u);
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

test("a page looks at 10,000 records and says where it stopped", async (t) => {
  const { backend, path } = await store(t);
  raw(path, fill);
  const id = (n: number): string => `task-${n + 1_000_000}`;
  const none = { limit: 10, queues: ["nowhere"] } as const;
  const page = (order: "oldest" | "newest", after: string | null, more: object = {}): Promise<Page> =>
    backend.page({ order, after, ...none, ...more });
  assert.deepEqual(await page("oldest", null), { records: [], next: id(10_000) });
  assert.deepEqual(await page("oldest", id(10_000)), { records: [], next: id(20_000) });
  assert.deepEqual(await page("newest", null), { records: [], next: id(RECORDS - 9_999) });
  assert.deepEqual(await page("oldest", id(RECORDS - 9_999)), { records: [], next: null });
  // Of those that ended badly, two in six, it looks at as many.
  const bad = { states: ["failed", "cancelled"] } as const;
  assert.deepEqual(await page("oldest", null, bad), { records: [], next: id(29_999) });
  assert.deepEqual(await page("newest", null, bad), { records: [], next: id(RECORDS - 29_999) });
  const [first] = (await page("oldest", null, { ...bad, queues: ["q4"] })).records;
  assert.deepEqual([first?.id, first?.state], [id(4), "failed"]);
});
