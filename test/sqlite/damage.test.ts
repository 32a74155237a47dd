/** Rows that somebody or something has damaged: each is set aside with its reason, and the work goes on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { completed } from "../../src/model/lifecycle.ts";
import type { TaskRecord } from "../../src/model/record.ts";
import { finishedBefore, rowOf } from "../../src/testing/backend-contract/stage.ts";
import { draft, drafts, raw, request, store } from "./bench.ts";

const ids = (records: readonly TaskRecord[]): string[] => records.map(({ id }) => id);

const DAMAGES: Readonly<Record<string, string>> = {
  "policy is not JSON": "policy = '{broken'",
  "policy is JSON of another kind": `policy = '{"retries":1}'`,
  "policy has a wrong type inside": `policy = '["three","fixed",1,1,1,0,null,1]'`,
  "policy is a blob": "policy = x'00ff'",
  "tags are not JSON": "tags = '[1,'",
  "tags are an object": "tags = '{}'",
  "error is a list": "error = '[]', version = 2",
  "progress is not JSON": "progress = 'half', version = 2",
  "logs are a number": "logs = '7', version = 2",
  "input is a blob": "input = x'7b7d'",
  "attempt is a text": "attempt = 'many', version = 2",
  "version is a text": "version = 'two'",
  "created_at is a text": "created_at = 'yesterday'",
  "failures are larger than JavaScript counts": "failures = 9007199254740993, version = 2",
  "created_at is larger than JavaScript counts": "created_at = 9007199254740993",
  "expires_at is a text": "expires_at = 'later'",
  "key is a blob": "key = x'01'",
};

for (const [name, change] of Object.entries(DAMAGES)) {
  test(`${name}: the record fails as corrupt, the ones around it are claimed`, async (t) => {
    const { backend, path, rows } = await store(t);
    await backend.insert(drafts(3, 1));
    raw(path, (db) => db.exec(`update sidereal_tasks set ${change} where id = 'task-000002'`));
    const claimed = await backend.claim(request(10));
    assert.deepEqual(ids(claimed), ["task-000001", "task-000003"]);
    const [record] = await backend.find({ by: "id", ids: ["task-000002"] });
    assert.equal(record?.state, "failed");
    assert.equal(record?.reason, "corrupt");
    assert.match(record?.error?.message ?? "", /^The stored record is damaged: column \w+ /u);
    assert.equal(record?.error?.code, "STORE_CORRUPT");
    assert.equal((await backend.tally())[0]?.failed, 1);
    assert.deepEqual(await backend.claim(request(10)), []);
    assert.equal(await backend.prune(finishedBefore((await backend.now()) + 1, 10)), 1);
    assert.deepEqual(rows("select id from sidereal_tasks order by id"), [["task-000001"], ["task-000003"]]);
  });
}

for (const state of ["9", "-1", "'pending'", "x'00'", "1.5"]) {
  test(`state ${state}: nobody claims it, and whoever reads it finds a corrupt failure`, async (t) => {
    const { backend, path, rows } = await store(t);
    await backend.insert(drafts(2, 1));
    raw(path, (db) => db.exec(`update sidereal_tasks set state = ${state} where id = 'task-000001'`));
    assert.deepEqual(ids(await backend.claim(request(10))), ["task-000002"]);
    const { records } = await backend.page({ order: "oldest", after: null, limit: 10 });
    assert.deepEqual(
      records.map(({ state }) => state),
      ["failed", "running"],
    );
    assert.deepEqual(rows("select state, reason from sidereal_tasks where id = 'task-000001'"), [[4, "corrupt"]]);
  });
}

for (const change of [
  "queue = x'01'",
  "task_name = x'01'",
  "execution = x'02'",
  "priority = 9007199254740993",
  "priority = 'high'",
  "ready_at = 9007199254740993",
  "ready_at = 'soon'",
  "ready_at = x'ffffffffffffffffffffffffffffffff'",
  "ready_at = -9007199254740993",
]) {
  test(`${change}: what decides on the order is damaged, the others are claimed, and whoever reads it sets it aside`, async (t) => {
    const { backend, path } = await store(t);
    await backend.insert(drafts(3, 1));
    raw(path, (db) => db.exec(`update sidereal_tasks set ${change} where id = 'task-000002'`));
    assert.deepEqual(ids(await backend.claim(request(10))), ["task-000001", "task-000003"]);
    await backend.tally();
    await backend.find({ by: "next", queues: null });
    const [, damaged] = (await backend.page({ order: "oldest", after: null, limit: 10 })).records;
    assert.equal(damaged?.state, "failed");
    assert.equal(damaged?.reason, "corrupt");
    assert.deepEqual(ids(await backend.claim(request(10))), []);
    assert.equal(await backend.prune(finishedBefore((await backend.now()) + 1, 10)), 1);
  });
}

test("a running record that is damaged is set aside when a reaper sees it, and its owner's finish is refused", async (t) => {
  const { backend, path } = await store(t);
  await backend.insert([draft(1), draft(2)]);
  const taken = await backend.claim(request(2, { lease: -1 }));
  raw(path, (db) => db.exec("update sidereal_tasks set logs = 'gone' where id = 'task-000001'"));
  const lapsed = await backend.find({ by: "lapsed", after: null, limit: 10 });
  assert.deepEqual(ids(lapsed), ["task-000002"]);
  const now = await backend.now();
  const applied = await backend.apply(taken.map((from) => ({ from, to: completed(from, { now, result: null }) })));
  assert.deepEqual(applied, [false, true]);
});

test("a schedule whose numbers are damaged hides no other; what is no text or number does not get in", async (t) => {
  const { backend, path } = await store(t);
  const names = ["a", "b", "c"];
  await backend.advance(names.map((name) => ({ from: null, to: rowOf(name, { dueAt: 1 }), ticks: [] })));
  raw(path, (db) => {
    db.exec("update sidereal_schedules set version = 9007199254740993, due_at = -9007199254740993 where name = 'b'");
    for (const change of ["version = 'two'", "due_at = 'soon'", "body = x'00'", "name = x'01'"]) {
      assert.throws(() => db.exec(`update sidereal_schedules set ${change} where name = 'c'`), /CHECK constraint/u);
    }
  });
  for (const by of ["all", "due"] as const) {
    const rows = await backend.schedules({ by, after: null, limit: 10 });
    assert.deepEqual(rows, [rowOf("a", { dueAt: 1 }), rowOf("b", { version: 0 }), rowOf("c", { dueAt: 1 })]);
  }
  const [, damaged] = await backend.schedules({ by: "all", after: null, limit: 10 });
  assert.ok(damaged);
  assert.deepEqual(await backend.advance([{ from: damaged, to: null, ticks: [] }]), [false]);
});

test("a damaged record that has ended still reads, and stays ended", async (t) => {
  const { backend, path } = await store(t);
  await backend.insert([draft(1)]);
  const [from] = await backend.claim(request(1));
  assert.ok(from);
  await backend.apply([{ from, to: completed(from, { now: 1, result: '"fine"' }) }]);
  raw(path, (db) => db.exec("update sidereal_tasks set logs = 'gone', policy = ''"));
  const [record] = await backend.find({ by: "id", ids: [from.id] });
  assert.equal(record?.state, "completed");
  assert.equal(record?.result, '"fine"');
  assert.deepEqual(record?.logs, []);
});

test("many damaged rows in front do not hide the sound one behind them", async (t) => {
  const { backend, path } = await store(t);
  await backend.insert(drafts(1_500));
  raw(path, (db) => db.exec("update sidereal_tasks set policy = '?' where id < 'task-001499'"));
  const claimed = [...(await backend.claim(request(1))), ...(await backend.claim(request(1)))];
  assert.deepEqual(ids(claimed), ["task-001499"]);
});
