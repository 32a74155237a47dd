/** Several connections to one store: each sees at once what the others wrote, and the guards hold between them. */
import assert from "node:assert/strict";
import { cancelled, completed, lapsed } from "../../../model/lifecycle.ts";
import { type ContractCase, Group } from "../case.ts";
import { ids, LONG, nextRow, present, rowOf } from "../stage.ts";

const group = new Group("several connections");
export const sharing: readonly ContractCase[] = group.cases;
const needs = ["shared"] as const;

group.holds(
  "I1",
  "a record stored here is found, counted and claimed there",
  async (stage) => {
    const other = await stage.second();
    const record = await stage.one({ key: "k" });
    assert.deepEqual(await stage.read(record.id, other), record);
    assert.deepEqual(await other.find({ by: "key", key: "k" }), [record]);
    assert.equal((await other.tally())[0]?.pending, 1);
    assert.deepEqual(ids(await other.claim(stage.request())), [record.id]);
    assert.deepEqual(await stage.claim(), []);
  },
  { needs },
);

group.holds(
  "I7 I11",
  "an id or key taken here is taken there",
  async (stage) => {
    const other = await stage.second();
    const draft = stage.draft({ key: "k" });
    const [record] = await stage.putDrafts([draft]);
    assert.deepEqual(await other.insert([draft, stage.draft({ key: "k" })]), [
      { created: false, by: "id", record },
      { created: false, by: "key", record },
    ]);
  },
  { needs },
);

group.holds(
  "I4 I7",
  "a claim made here can be sent again there, renewed there and finished there",
  async (stage) => {
    const other = await stage.second();
    await stage.one();
    const request = stage.request();
    const [taken] = await stage.store.claim(request);
    assert.deepEqual(await other.claim(request), [taken]);
    const { id, claim } = present(taken);
    assert.deepEqual(await other.renew([{ id, claim: claim ?? "" }], LONG), [
      { state: "held", remaining: LONG, cancelRequested: false },
    ]);
    const to = completed(present(taken), { now: 1, result: null });
    assert.deepEqual(await other.apply([{ from: present(taken), to }]), [true]);
    assert.deepEqual(await stage.store.apply([{ from: present(taken), to }]), [false]);
    assert.deepEqual(await stage.dump(), [to]);
  },
  { needs },
);

group.holds(
  "I5 I8",
  "a reaper there supersedes an owner here",
  async (stage) => {
    const other = await stage.second();
    const taken = await stage.running({}, { lease: 10 });
    await stage.pass(50);
    assert.deepEqual(await other.find({ by: "lapsed", after: null, limit: 1 }), [taken]);
    const to = lapsed(taken, { now: await other.now(), retryIn: LONG });
    assert.deepEqual(await other.apply([{ from: taken, to, lapsed: true }]), [true]);
    assert.deepEqual(await stage.store.apply([{ from: taken, to: completed(taken, { now: 1, result: null }) }]), [
      false,
    ]);
    assert.deepEqual(await stage.store.renew([{ id: taken.id, claim: taken.claim ?? "" }], LONG), [{ state: "lost" }]);
  },
  { needs },
);

group.holds(
  "I4",
  "a renewal there is known to a reaper here",
  async (stage) => {
    const other = await stage.second();
    const taken = await stage.running({}, { lease: 10 });
    await stage.pass(50);
    await other.renew([{ id: taken.id, claim: taken.claim ?? "" }], LONG);
    assert.deepEqual(await stage.store.find({ by: "lapsed", after: null, limit: 1 }), []);
    const to = lapsed(taken, { now: 1, retryIn: 0 });
    assert.deepEqual(await stage.store.apply([{ from: taken, to, lapsed: true }]), [false]);
  },
  { needs },
);

group.holds(
  "I8",
  "a cancel asked there is heard at the next renewal here",
  async (stage) => {
    const other = await stage.second();
    const taken = await stage.running();
    const to = cancelled(taken, { now: 1, reason: "enough", by: "request" });
    assert.deepEqual(await other.apply([{ from: taken, to }]), [true]);
    assert.deepEqual(await stage.store.renew([{ id: taken.id, claim: taken.claim ?? "" }], LONG), [
      { state: "held", remaining: LONG, cancelRequested: true },
    ]);
  },
  { needs },
);

group.holds(
  "I11",
  "a reservation here is one there",
  async (stage) => {
    const other = await stage.second();
    const hold = await stage.store.hold("leader", "a", { lease: LONG });
    assert.deepEqual(await other.hold("leader", "b"), hold);
    assert.deepEqual(await other.held(""), [hold]);
    assert.equal(await other.release("leader", "b"), false);
    assert.equal(await other.release("leader", "a"), true);
    assert.deepEqual(await stage.store.held(""), []);
  },
  { needs },
);

group.holds(
  "I4 I6",
  "a step taken there is known here: from before it, no further step is taken",
  async (stage) => {
    const other = await stage.second();
    const first = rowOf("daily", { dueAt: 1 });
    await stage.plan(first);
    assert.deepEqual(await other.schedules({ by: "due", after: null, limit: 1 }), [first]);
    const second = nextRow(first, { version: 2, dueAt: 2 });
    const tick = stage.draft();
    assert.deepEqual(await other.advance([{ from: first, to: second, ticks: [tick] }]), [true]);
    assert.deepEqual(await stage.store.schedules({ by: "next" }), [second]);
    assert.deepEqual(ids((await stage.store.page({ order: "newest", after: null, limit: 1 })).records), [
      tick.record.id,
    ]);
    assert.deepEqual(await stage.store.advance([{ from: first, to: second, ticks: [stage.draft()] }]), [false]);
    assert.deepEqual(ids(await stage.claim()), [tick.record.id]);
  },
  { needs },
);

group.holds(
  "",
  "one connection closed leaves the others open",
  async (stage) => {
    const other = await stage.second();
    const record = await stage.one();
    await other.close();
    assert.deepEqual(ids(await stage.claim()), [record.id]);
  },
  { needs },
);

group.holds(
  "",
  "one clock: what is written here is never in the future there",
  async (stage) => {
    const other = await stage.second();
    for (let round = 0; round < 20; round += 1) {
      const [store, reader] = round % 2 ? [stage.store, other] : [other, stage.store];
      const [insertion] = await store.insert([stage.draft()]);
      assert.ok((await reader.now()) >= present(insertion).record.createdAt);
    }
  },
  { needs },
);
