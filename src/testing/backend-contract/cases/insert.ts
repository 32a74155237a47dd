/** insert: new records in, duplicates answered. */
import assert from "node:assert/strict";
import { completed, stamped } from "../../../model/lifecycle.ts";
import { alike } from "../alike.ts";
import { type ContractCase, Group } from "../case.ts";
import { ids, present } from "../stage.ts";

const group = new Group("insert");
export const insert: readonly ContractCase[] = group.cases;
const DAY = 86_400_000;

group.holds("I1", "stores each draft and answers in input order", async (stage) => {
  const drafts = [stage.draft({ task: "c" }), stage.draft({ task: "a" }), stage.draft({ task: "b", key: "k" })];
  const insertions = await stage.store.insert(drafts.toReversed());
  for (const [place, draft] of drafts.toReversed().entries()) {
    const insertion = present(insertions[place]);
    assert.equal(insertion.created, true);
    assert.deepEqual(insertion.record, stamped(draft, insertion.record.createdAt));
  }
  assert.deepEqual(await stage.dump(), insertions.map(({ record }) => record).toReversed());
});

group.holds("", "an empty batch writes nothing", async ({ store }) => {
  assert.deepEqual(await store.insert([]), []);
  assert.deepEqual(await store.tally(), []);
});

group.holds("I7", "an equal id keeps the old record and answers with it", async (stage) => {
  const draft = stage.draft({ input: "1", key: "k" });
  const [first] = await stage.putDrafts([draft]);
  assert.deepEqual(await stage.store.insert([draft]), [{ created: false, by: "id", record: first }]);
  const other = stage.draft({ id: draft.record.id, input: "2", queue: "other", key: "another" });
  assert.deepEqual(await stage.store.insert([other]), [{ created: false, by: "id", record: first }]);
  assert.deepEqual(await stage.dump(), [first]);
  assert.deepEqual(await stage.store.find({ by: "key", key: "another" }), [], "nothing of it was written");
});

group.holds("I2 I7", "an equal id answers with the record as it is now, ended or not", async (stage) => {
  const draft = stage.draft();
  await stage.putDrafts([draft]);
  const [taken] = await stage.claim();
  assert.deepEqual(await stage.store.insert([draft]), [{ created: false, by: "id", record: taken }]);
  const done = await stage.become(present(taken), completed(present(taken), { now: 5, result: "7" }));
  assert.deepEqual(await stage.store.insert([draft]), [{ created: false, by: "id", record: done }]);
});

group.holds("I11", "a live equal key keeps its holder and answers with it", async (stage) => {
  const holder = await stage.one({ key: "invoice-7" });
  const rival = stage.draft({ key: "invoice-7" });
  assert.deepEqual(await stage.store.insert([rival]), [{ created: false, by: "key", record: holder }]);
  assert.equal(await stage.read(rival.record.id), undefined, "nothing was written");
  const [taken] = await stage.claim();
  assert.deepEqual(await stage.store.insert([rival]), [{ created: false, by: "key", record: taken }]);
});

group.holds("I7 I11", "an equal id is looked at before an equal key", async (stage) => {
  const [a] = await stage.put({ key: "a" }, { key: "b" });
  const both = stage.draft({ id: present(a).id, key: "b" });
  assert.deepEqual(await stage.store.insert([both]), [{ created: false, by: "id", record: a }]);
});

group.holds("I11", "records without a key never meet", async (stage) => {
  const records = await stage.put({ key: null }, { key: null }, { key: null });
  assert.equal(records.length, 3);
});

group.holds("I7 I11", "duplicates inside one batch meet the first of their kind", async (stage) => {
  const a = stage.draft({ key: "k" });
  const b = stage.draft({ key: "k" });
  const c = stage.draft();
  const answers = await stage.store.insert([a, a, b, c]);
  const [first, , , last] = answers.map(({ record }) => record);
  assert.deepEqual(answers, [
    { created: true, record: stamped(a, present(first).createdAt) },
    { created: false, by: "id", record: first },
    { created: false, by: "key", record: first },
    { created: true, record: stamped(c, present(last).createdAt) },
  ]);
  assert.deepEqual(ids(await stage.dump()), [a.record.id, c.record.id]);
});

group.holds("I11", "a batch with duplicates writes the rest", async (stage) => {
  const [old] = await stage.put({ key: "taken" });
  const drafts = [...stage.drafts(3), stage.draft({ key: "taken" }), ...stage.drafts(3)];
  const answers = await stage.store.insert(drafts);
  assert.deepEqual(
    answers.map(({ created }) => created),
    [true, true, true, false, true, true, true],
  );
  assert.deepEqual(answers[3], { created: false, by: "key", record: old });
  assert.equal((await stage.dump()).length, 7);
});

group.holds("", "every time is stamped from the store's clock", async (stage) => {
  const now = await stage.store.now();
  const drafts = [
    stage.draft(),
    stage.draft({ readyIn: 5_000 }),
    stage.draft({ runAt: now + DAY }),
    stage.draft({ runAt: now - DAY }),
    stage.draft({ expiresIn: 60_000 }),
    stage.draft({ readyIn: 5_000, expiresIn: 60_000 }),
    stage.draft({ runAt: now + DAY, expiresIn: 60_000 }),
    stage.draft({ runAt: now - DAY, expiresIn: 60_000 }),
    stage.draft({ expiresAt: now + 5 }),
    stage.draft({ expiresAt: now - 5, readyIn: 1 }),
    stage.draft({ runAt: 253_402_300_799_000 }),
    stage.draft({ runAt: 0 }),
  ];
  const records = await stage.putDrafts(drafts);
  const after = await stage.store.now();
  for (const [place, record] of records.entries()) {
    assert.ok(record.createdAt >= now && record.createdAt <= after, "created now");
    assert.deepEqual(record, stamped(present(drafts[place]), record.createdAt));
  }
  assert.deepEqual(await stage.dump(), records);
});

group.holds("", "a later insert is stamped later", async (stage) => {
  const first = await stage.one({ readyIn: 10 });
  await stage.pass(50);
  const second = await stage.one({ readyIn: 10 });
  assert.ok(second.createdAt >= first.createdAt + 50);
  assert.equal(second.readyAt, second.createdAt + 10);
  if (stage.capabilities.clock) assert.equal(second.createdAt, stage.clock.wall());
});

group.holds("I1", "2,500 drafts in one call", async (stage) => {
  const drafts = Array.from({ length: 2_500 }, (_, n) => stage.draft({ key: n % 2 ? `k${n}` : null, tags: [`${n}`] }));
  const records = await stage.putDrafts(drafts);
  alike(
    ids(records),
    drafts.map(({ record }) => record.id),
  );
  alike(await stage.dump(), records);
  const again = await stage.store.insert(drafts);
  assert.ok(again.every((answer) => !answer.created && answer.by === "id"));
  alike(
    again.map(({ record }) => record),
    records,
  );
});

group.holds("I7", "a removed record's id and key are free again", async (stage) => {
  const draft = stage.draft({ key: "k", readyIn: 20 });
  const [old] = await stage.putDrafts([draft]);
  await stage.become(present(old), null);
  const [fresh] = await stage.putDrafts([stage.draft({ id: draft.record.id, key: "k", readyIn: 60_000 })]);
  await stage.pass(50);
  assert.deepEqual(await stage.claim(), [], "the removed record's time is not the new one's");
  assert.deepEqual(await stage.dump(), [fresh]);
});

group.holds("I4", "a record removed while pending and put again is claimed once", async (stage) => {
  const draft = stage.draft();
  const [old] = await stage.putDrafts([draft]);
  await stage.become(present(old), null);
  await stage.putDrafts([draft]);
  assert.deepEqual(ids(await stage.claim()), [draft.record.id]);
});
