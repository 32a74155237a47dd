/** advance: a schedule takes a step only from the version it was decided on, and its ticks with it, or neither. */
import assert from "node:assert/strict";
import type { ScheduleRow } from "../../../contracts/queue-backend.ts";
import { completed, stamped } from "../../../model/lifecycle.ts";
import { type ContractCase, Group } from "../case.ts";
import { idOf, ids, LONG, nextRow, present, rowOf, type Stage, schedulesOf } from "../stage.ts";

const group = new Group("advance");
export const advance: readonly ContractCase[] = group.cases;

group.holds("", "no steps change nothing", async ({ store }) => {
  assert.deepEqual(await store.advance([]), []);
});

group.holds("I11", "from nothing: made once, and what is there stays", async (stage) => {
  const row = rowOf("daily", { dueAt: 5 });
  const other = nextRow(row, { version: 9, body: '"other"' });
  assert.deepEqual(await stage.store.advance([{ from: null, to: row, ticks: [] }]), [true]);
  assert.deepEqual(await stage.store.advance([{ from: null, to: other, ticks: [stage.draft()] }]), [false]);
  assert.deepEqual(await schedulesOf(stage.store), [row]);
  assert.deepEqual(await stage.dump(), []);
});

group.holds("I4 I5", "from a version: replaced once; who comes late is refused", async (stage) => {
  const first = rowOf("daily", { version: 7, dueAt: 5 });
  await stage.plan(first, rowOf("hourly"));
  const second = nextRow(first, { dueAt: 6, body: '"second"' });
  const late = nextRow(first, { dueAt: 7, body: '"late"' });
  assert.deepEqual(await stage.store.advance([{ from: first, to: second, ticks: [] }]), [true]);
  for (const to of [late, second, null]) {
    assert.deepEqual(await stage.store.advance([{ from: first, to, ticks: [stage.draft()] }]), [false]);
  }
  assert.deepEqual(await schedulesOf(stage.store), [second, rowOf("hourly")]);
  assert.deepEqual(await stage.dump(), []);
});

group.holds("I4", "nobody is ahead: a version that is not stored yet is refused", async (stage) => {
  const row = rowOf("daily", { version: 3 });
  await stage.plan(row);
  assert.deepEqual(await stage.store.advance([{ from: nextRow(row), to: nextRow(row, { version: 5 }), ticks: [] }]), [
    false,
  ]);
  assert.deepEqual(await schedulesOf(stage.store), [row]);
});

group.holds("", "the version decides, and nothing else that `from` says", async (stage) => {
  const row = rowOf("daily", { version: 3, dueAt: 5, body: '"a"' });
  await stage.plan(row);
  const to = nextRow(row, { dueAt: null, body: '"b"' });
  assert.deepEqual(await stage.store.advance([{ from: { ...row, dueAt: 99, body: '"elsewhere"' }, to, ticks: [] }]), [
    true,
  ]);
  assert.deepEqual(await schedulesOf(stage.store), [to]);
});

group.holds("I13", "removed: gone, and no step from it brings it back", async (stage) => {
  const row = rowOf("daily", { dueAt: 5 });
  await stage.plan(row);
  assert.deepEqual(await stage.store.advance([{ from: row, to: null, ticks: [] }]), [true]);
  assert.deepEqual(await schedulesOf(stage.store), []);
  for (const to of [nextRow(row), row, null]) {
    assert.deepEqual(await stage.store.advance([{ from: row, to, ticks: [stage.draft()] }]), [false]);
  }
  assert.deepEqual(await schedulesOf(stage.store), []);
  assert.deepEqual(await stage.dump(), []);
});

group.holds("I5 I13", "removed and made anew above its predecessor: a step from before is refused", async (stage) => {
  const old = rowOf("daily", { version: 4, dueAt: 5 });
  await stage.plan(old);
  await stage.store.advance([{ from: old, to: null, ticks: [] }]);
  const anew = rowOf("daily", { version: 5, dueAt: 5 });
  await stage.plan(anew);
  assert.deepEqual(await stage.store.advance([{ from: old, to: nextRow(old, { dueAt: 9 }), ticks: [stage.draft()] }]), [
    false,
  ]);
  assert.deepEqual(await stage.store.advance([{ from: old, to: null, ticks: [stage.draft()] }]), [false]);
  assert.deepEqual(await schedulesOf(stage.store), [anew]);
  assert.deepEqual(await stage.dump(), []);
});

group.holds("", "from nothing to nothing is no step", async (stage) => {
  assert.deepEqual(await stage.store.advance([{ from: null, to: null, ticks: [stage.draft()] }]), [false]);
  assert.deepEqual(await schedulesOf(stage.store), []);
  assert.deepEqual(await stage.dump(), []);
});

group.holds("I1 I6", "ticks are stored with the step, as an insert stores them", async (stage) => {
  const first = rowOf("daily");
  const drafts = [
    stage.draft({ key: "k", origin: { kind: "schedule", schedule: "daily", scheduledFor: 5 } }),
    stage.draft({ readyIn: LONG, priority: 5, tags: ["a"] }),
    stage.draft({ runAt: 7, expiresIn: 60_000 }),
  ];
  assert.deepEqual(await stage.store.advance([{ from: null, to: first, ticks: drafts.slice(0, 1) }]), [true]);
  assert.deepEqual(await stage.store.advance([{ from: first, to: nextRow(first), ticks: drafts.slice(1) }]), [true]);
  const records = await stage.dump();
  assert.deepEqual(
    records,
    drafts.map((draft, n) => stamped(draft, present(records[n]).createdAt)),
  );
  assert.equal((await stage.store.tally())[0]?.scheduled, 1);
  assert.deepEqual(ids(await stage.claim()), [present(drafts[2]).record.id, present(drafts[0]).record.id]);
});

group.holds(
  "",
  "ticks follow the store's clock",
  async (stage) => {
    stage.clock.advance(5_000);
    const now = await stage.store.now();
    await stage.store.advance([{ from: null, to: rowOf("daily"), ticks: [stage.draft({ readyIn: 10 })] }]);
    const [tick] = await stage.dump();
    assert.deepEqual([tick?.createdAt, tick?.readyAt], [now, now + 10]);
  },
  { needs: ["clock"] },
);

group.holds("I6", "the step that removes a schedule may leave ticks, too", async (stage) => {
  const row = rowOf("daily");
  await stage.plan(row);
  const tick = stage.draft();
  assert.deepEqual(await stage.store.advance([{ from: row, to: null, ticks: [tick] }]), [true]);
  assert.deepEqual(ids(await stage.dump()), [tick.record.id]);
  assert.deepEqual(await schedulesOf(stage.store), []);
});

group.holds("I7 I11", "a tick whose id or key is taken is passed over, and the step is taken", async (stage) => {
  const [same, holder] = await stage.put({ id: idOf(901), input: '"old"' }, { key: "k", input: '"old"' });
  const first = rowOf("daily", { dueAt: 5 });
  await stage.plan(first);
  const fresh = stage.draft({ input: '"new"' });
  const ticks = [
    stage.draft({ id: idOf(901), input: '"new"' }),
    stage.draft({ key: "k", input: '"new"' }),
    fresh,
    stage.draft({ id: fresh.record.id, input: '"newer"' }),
  ];
  const to = nextRow(first, { dueAt: 6 });
  assert.deepEqual(await stage.store.advance([{ from: first, to, ticks }]), [true]);
  assert.deepEqual(await schedulesOf(stage.store), [to]);
  const tick = await stage.read(fresh.record.id);
  assert.equal(tick?.input, '"new"');
  const all = [present(same), present(holder), present(tick)].toSorted((a, b) => (a.id < b.id ? -1 : 1));
  assert.deepEqual(await stage.dump(), all);
});

group.holds("I11", "a key that was freed is a tick's to take", async (stage) => {
  const holder = await stage.running({ key: "k" });
  await stage.become(holder, completed(holder, { now: 1, result: null }));
  const tick = stage.draft({ key: "k" });
  await stage.store.advance([{ from: null, to: rowOf("daily"), ticks: [tick] }]);
  assert.deepEqual(ids(await stage.store.find({ by: "key", key: "k" })), [tick.record.id]);
});

group.holds("I4 I6", "each step stands for itself; the answers come in input order", async (stage) => {
  const [a, b, c, d] = ["a", "b", "c", "d"].map((name) => rowOf(name)) as [
    ScheduleRow,
    ScheduleRow,
    ScheduleRow,
    ScheduleRow,
  ];
  await stage.plan(a, b, c);
  const [forA, forB, forC, forD] = stage.drafts(4);
  const answers = await stage.store.advance([
    { from: c, to: nextRow(c, { dueAt: 1 }), ticks: [present(forC)] },
    { from: nextRow(b), to: nextRow(b), ticks: [present(forB)] },
    { from: null, to: d, ticks: [present(forD)] },
    { from: null, to: a, ticks: [] },
    { from: a, to: null, ticks: [present(forA)] },
  ]);
  assert.deepEqual(answers, [true, false, true, false, true]);
  assert.deepEqual(await schedulesOf(stage.store), [b, nextRow(c, { dueAt: 1 }), d]);
  assert.deepEqual(
    ids(await stage.dump()),
    [forA, forC, forD].map((tick) => present(tick).record.id),
  );
});

group.holds("I4", "of one schedule twice in a batch, the first step holds and the second is refused", async (stage) => {
  const row = rowOf("daily");
  await stage.plan(row);
  const [first, second, third, fourth] = stage.drafts(4);
  const answers = await stage.store.advance([
    { from: row, to: nextRow(row, { body: "1" }), ticks: [present(first)] },
    { from: null, to: rowOf("other", { body: "1" }), ticks: [present(second)] },
    { from: row, to: nextRow(row, { body: "2" }), ticks: [present(third)] },
    { from: null, to: rowOf("other", { body: "2" }), ticks: [present(fourth)] },
  ]);
  assert.deepEqual(answers, [true, true, false, false]);
  assert.deepEqual(await schedulesOf(stage.store), [nextRow(row, { body: "1" }), rowOf("other", { body: "1" })]);
  assert.deepEqual(
    ids(await stage.dump()),
    [first, second].map((tick) => present(tick).record.id),
  );
});

group.holds(
  "I11",
  "two schedules' ticks under one id or key: the first is stored, both steps are taken",
  async (stage) => {
    const [a, b] = [stage.draft({ id: idOf(901), input: "1" }), stage.draft({ id: idOf(901), input: "2" })] as const;
    const [c, d] = [stage.draft({ key: "k" }), stage.draft({ key: "k" })] as const;
    const answers = await stage.store.advance([
      { from: null, to: rowOf("a"), ticks: [a, c] },
      { from: null, to: rowOf("b"), ticks: [d, b] },
    ]);
    assert.deepEqual(answers, [true, true]);
    const records = await stage.dump();
    assert.deepEqual(ids(records), [c.record.id, a.record.id].sort());
    assert.equal(records.find(({ id }) => id === a.record.id)?.input, "1");
  },
);

group.holds("I4 I6", "many at once, every third of them late: ticks of the others only", async (stage) => {
  const rows = Array.from({ length: 200 }, (_, n) => rowOf(`s${n}`, { version: 5 }));
  await stage.plan(...rows);
  const changes = stage.chance.some(rows, rows.length).map((row, n) => ({
    from: n % 3 ? row : nextRow(row, { version: 4 }),
    to: nextRow(row, { dueAt: n }),
    ticks: stage.drafts(n % 20, { input: `${n}` }),
  }));
  const answers = await stage.store.advance(changes);
  assert.deepEqual(
    answers,
    changes.map((_, n) => n % 3 !== 0),
  );
  const taken = changes.filter((_, n) => n % 3);
  assert.deepEqual(
    ids(await stage.dump()),
    taken.flatMap(({ ticks }) => ticks.map(({ record }) => record.id)),
  );
  const now = new Map((await schedulesOf(stage.store)).map((row) => [row.name, row]));
  for (const [n, { from, to }] of changes.entries()) {
    assert.deepEqual(now.get(to.name), n % 3 ? to : nextRow(from, { version: 5 }));
  }
});

group.holds("", "records and reservations are not touched by a step, nor schedules by retention", async (stage) => {
  const row = rowOf("daily", { dueAt: 1 });
  await stage.plan(row);
  await stage.store.hold("daily", "worker-1");
  const over = await finished(stage);
  assert.deepEqual(await stage.store.advance([{ from: row, to: nextRow(row), ticks: [] }]), [true]);
  assert.deepEqual(await stage.dump(), [over]);
  assert.equal((await stage.store.held("daily")).length, 1);
  const states = ["completed", "failed", "cancelled"] as const;
  assert.equal(await stage.store.prune({ states, before: (await stage.store.now()) + LONG, limit: 10 }), 1);
  assert.deepEqual(await schedulesOf(stage.store), [nextRow(row)]);
});

async function finished(stage: Stage): Promise<ReturnType<typeof completed>> {
  const taken = await stage.running();
  return stage.become(taken, completed(taken, { now: 1, result: null }));
}
