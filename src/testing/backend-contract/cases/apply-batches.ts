/** apply, many at once, and what else one write settles: the key, readiness, the order of answers. */
import assert from "node:assert/strict";
import { cancelled, completed, failed, released, revived } from "../../../model/lifecycle.ts";
import type { TaskRecord } from "../../../model/record.ts";
import { type ContractCase, Group } from "../case.ts";
import { draftOf, forged, idOf, ids, present } from "../stage.ts";

const group = new Group("apply: batches and keys");
export const applyBatches: readonly ContractCase[] = group.cases;

const done = (record: TaskRecord, result = "1"): TaskRecord => completed(record, { now: 1_000, result });
const error = { name: "Error", message: "no", stack: null, code: null, attempt: 1, at: 1 };

group.holds("", "an empty batch changes nothing", async ({ store }) => {
  assert.deepEqual(await store.apply([]), []);
});

group.holds("I4", "each change stands for itself; the answers come in input order", async (stage) => {
  await stage.put(...Array.from({ length: 6 }, () => ({})));
  const claims = await stage.claim();
  const [a, b, c, d, e, f] = claims.map((record) => record) as [
    TaskRecord,
    TaskRecord,
    TaskRecord,
    TaskRecord,
    TaskRecord,
    TaskRecord,
  ];
  await stage.become(d, null);
  const unknown = draftOf(idOf(99)).record;
  const answers = await stage.store.apply([
    { from: f, to: done(f) },
    { from: forged(b, { version: 1 }), to: done(b) },
    { from: a, to: null },
    { from: d, to: done(d) },
    { from: e, to: done(e, "5"), lapsed: true },
    { from: unknown, to: null },
    { from: c, to: failed(c, { now: 2_000, error, retryable: true, retryIn: 9 }) },
  ]);
  assert.deepEqual(answers, [true, false, true, false, false, false, true]);
  const retried = failed(c, { now: 2_000, error, retryable: true, retryIn: 9 });
  assert.deepEqual(await stage.dump(), [b, retried, e, done(f)]);
});

group.holds("I4", "of one record twice in a batch, the first change holds and the second is refused", async (stage) => {
  await stage.put({}, {});
  const [a, b] = (await stage.claim()) as [TaskRecord, TaskRecord];
  const changes = [done(a, "1"), done(b), done(a, "2")].map((to) => ({ from: to.id === a.id ? a : b, to }));
  assert.deepEqual(await stage.store.apply(changes), [true, true, false]);
  assert.deepEqual(await stage.dump(), [done(a, "1"), done(b)]);
});

group.holds("I7", "the same batch again is refused throughout and changes nothing", async (stage) => {
  await stage.put({}, {}, {});
  const changes = (await stage.claim()).map((from) => ({ from, to: done(from) }));
  assert.deepEqual(await stage.store.apply(changes), [true, true, true]);
  const before = await stage.dump();
  assert.deepEqual(await stage.store.apply(changes), [false, false, false]);
  assert.deepEqual(await stage.dump(), before);
});

group.holds("I4", "1,000 at once, every third of them stale", async (stage) => {
  await stage.putDrafts(stage.drafts(1_000));
  const claims = await stage.claim({ limit: 1_000 });
  const changes = stage.chance
    .some(claims, 1_000)
    .map((from, n) => ({ from: n % 3 ? from : forged(from, { version: 1 }), to: done(from, `${n}`) }));
  const answers = await stage.store.apply(changes);
  assert.deepEqual(
    answers,
    changes.map((_, n) => n % 3 !== 0),
  );
  const wanted = new Map(changes.filter((_, n) => n % 3).map(({ to }) => [to.id, to]));
  assert.deepEqual(
    await stage.dump(),
    claims.map((record) => wanted.get(record.id) ?? record).toSorted((a, b) => (a.id < b.id ? -1 : 1)),
  );
});

group.holds("I6 I11", "the key is free with the very write that ends its holder", async (stage) => {
  const ends: ((record: TaskRecord) => TaskRecord)[] = [
    (record) => done(record),
    (record) => failed(record, { now: 1, error, retryable: false, retryIn: 0 }),
    (record) => cancelled(record, { now: 1, reason: null, by: "force" }),
  ];
  for (const end of ends) {
    const holder = await stage.running({ key: "k" });
    await stage.become(holder, end(holder));
    assert.deepEqual(await stage.store.find({ by: "key", key: "k" }), []);
    const next = await stage.one({ key: "k" });
    assert.deepEqual(await stage.store.find({ by: "key", key: "k" }), [next]);
    assert.equal((await stage.read(holder.id))?.key, null);
    await stage.become(next, cancelled(next, { now: 1, reason: null, by: "request" }));
  }
});

group.holds("I11", "the key stays with its holder from attempt to attempt", async (stage) => {
  const first = await stage.running({ key: "k" });
  const back = await stage.become(first, failed(first, { now: 1, error, retryable: true, retryIn: 0 }));
  assert.deepEqual(await stage.store.insert([stage.draft({ key: "k" })]), [
    { created: false, by: "key", record: back },
  ]);
  const [second] = await stage.claim();
  const snoozed = released(present(second), { now: 1, because: "snooze", readyIn: 1 });
  await stage.become(present(second), snoozed);
  assert.deepEqual(await stage.store.insert([stage.draft({ key: "k" })]), [
    { created: false, by: "key", record: snoozed },
  ]);
});

group.holds("I11", "a change can give up the key of a record that lives on", async (stage) => {
  const holder = await stage.running({ key: "k" });
  const without = forged(holder, { version: holder.version + 1, key: null });
  await stage.become(holder, without);
  const next = await stage.one({ key: "k" });
  await stage.become(without, done(without));
  assert.deepEqual(await stage.store.find({ by: "key", key: "k" }), [next], "the later end frees nothing of others");
});

group.holds("I11", "a revived record has lost its key for good", async (stage) => {
  const holder = await stage.running({ key: "k" });
  const over = await stage.become(holder, cancelled(holder, { now: 1, reason: null, by: "force" }));
  const next = await stage.one({ key: "k" });
  const again = await stage.become(over, revived(over, { now: 2 }));
  assert.deepEqual(await stage.store.find({ by: "key", key: "k" }), [next]);
  await stage.become(again, null);
  assert.deepEqual(await stage.store.find({ by: "key", key: "k" }), [next]);
});

group.holds("I2", "ended records stay out of claims; a revived one is claimable again", async (stage) => {
  const taken = await stage.running();
  const over = await stage.become(taken, failed(taken, { now: 1, error, retryable: false, retryIn: 0 }));
  assert.deepEqual(await stage.claim(), []);
  await stage.become(over, revived(over, { now: await stage.store.now() }));
  assert.deepEqual(ids(await stage.claim()), [taken.id]);
});

group.holds("I1", "a retry is claimable when its back-off is over, and not before", async (stage) => {
  const taken = await stage.running();
  const now = await stage.store.now();
  const back = failed(taken, { now, error, retryable: true, retryIn: 60_000 });
  await stage.become(taken, back);
  assert.deepEqual(await stage.claim(), []);
  assert.equal((await stage.store.tally())[0]?.scheduled, 1);
  if (!stage.capabilities.clock) return;
  stage.clock.advance(60_000);
  const [again] = await stage.claim();
  assert.deepEqual(ids([present(again)]), [taken.id]);
});
