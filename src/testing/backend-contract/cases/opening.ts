/** open, close, and what holds between them. */
import assert from "node:assert/strict";
import { type ContractCase, Group, refuses } from "../case.ts";
import { draftOf, finishedBefore, idOf, ids, type Stage, type Store } from "../stage.ts";

const group = new Group("open and close");
export const opening: readonly ContractCase[] = group.cases;

group.holds("", "has the capabilities it declares", async ({ store, bench, capabilities }) => {
  assert.match(store.name, /^[a-z][a-z0-9-]*$/u, "a short name for people");
  assert.equal(store.shared, capabilities.shared, "shared");
  assert.equal(store.signals !== undefined, capabilities.signals, "signals");
  assert.equal(store.within !== undefined, capabilities.transactions, "within");
  if (capabilities.shared) assert.ok(bench.another, "a shared store's bench needs another()");
  if (capabilities.transactions) assert.ok(bench.transaction, "a bench with transactions needs transaction()");
});

group.holds("", "open twice is open once, close twice is close once", async ({ store }) => {
  await store.open();
  await store.insert([draftOf(idOf(1))]);
  await store.open();
  assert.equal((await store.tally()).length, 1);
  await store.close();
  await store.close();
});

group.holds(
  "",
  "close before open is harmless",
  async ({ store }) => {
    await store.close();
    await store.open();
    assert.deepEqual(await store.tally(), []);
  },
  { closed: true },
);

group.holds("I16", "every call before open is refused with STORE_CLOSED", refusesAll, { closed: true });

group.holds("I16", "every call after close is refused with STORE_CLOSED", async (stage) => {
  await stage.running();
  await stage.store.hold("leader", "worker-1");
  await stage.store.close();
  await refusesAll(stage);
});

group.holds("I1", "close lets the calls under way end", async (stage) => {
  const insertions = stage.store.insert(stage.drafts(20));
  const closed = stage.store.close();
  assert.deepEqual(
    (await insertions).map(({ created }) => created),
    Array(20).fill(true),
  );
  await closed;
});

group.holds(
  "I1",
  "a new connection finds what the closed one left",
  async (stage) => {
    const pending = await stage.one({ key: "k" });
    const running = await stage.running({ task: "report.build" });
    await stage.store.hold("leader", "worker-1", { note: '{"pid":1}' });
    await stage.store.close();
    const next = await stage.second();
    assert.deepEqual(await next.find({ by: "key", key: "k" }), [pending]);
    assert.deepEqual(await stage.read(running.id, next), running);
    assert.deepEqual(await next.held("lead"), [{ name: "leader", holder: "worker-1", until: null, note: '{"pid":1}' }]);
    assert.deepEqual(ids(await stage.dump(next)), [pending.id, running.id]);
  },
  { needs: ["shared"] },
);

group.holds("", "after open there is nothing left to migrate", async ({ store }) => {
  if (store.schema === undefined) return;
  const plan = await store.schema.plan();
  assert.equal(plan.from, plan.to);
  assert.deepEqual(plan.statements, []);
  assert.deepEqual(await store.schema.migrate(), plan);
});

async function refusesAll({ store, chance }: Stage): Promise<void> {
  const draft = draftOf(idOf(900));
  const request = { workerId: "w", limit: 1, lease: 1_000, tasks: ["mail.send"], queues: null, queueLimits: {} };
  const calls: Record<string, (store: Store) => Promise<unknown>> = {
    now: (s) => s.now(),
    insert: (s) => s.insert([draft]),
    claim: (s) => s.claim({ ...request, token: chance.token(), executions: ["local"] }),
    apply: (s) => s.apply([{ from: draft.record, to: null }]),
    renew: (s) => s.renew([{ id: draft.record.id, claim: chance.token() }], 1_000),
    find: (s) => s.find({ by: "id", ids: [draft.record.id] }),
    tally: (s) => s.tally(),
    page: (s) => s.page({ order: "oldest", after: null, limit: 1 }),
    schedules: (s) => s.schedules({ by: "all", after: null, limit: 1 }),
    advance: (s) => s.advance([{ from: null, to: { name: "daily", version: 1, dueAt: 1, body: "{}" }, ticks: [] }]),
    prune: (s) => s.prune(finishedBefore(0, 1)),
    hold: (s) => s.hold("leader", "worker-2"),
    release: (s) => s.release("leader", "worker-2"),
    held: (s) => s.held(""),
  };
  for (const [name, call] of Object.entries(calls)) await refuses("STORE_CLOSED", name, () => call(store));
}
