/** find: every query, its filter, its order and its pages. */
import assert from "node:assert/strict";
import type { RecordQuery } from "../../../contracts/queue-backend.ts";
import { cancelled, completed, failed } from "../../../model/lifecycle.ts";
import type { TaskRecord } from "../../../model/record.ts";
import { type ContractCase, Group } from "../case.ts";
import { forged, idOf, ids, LONG, present, type Stage } from "../stage.ts";

const group = new Group("find");
export const find: readonly ContractCase[] = group.cases;

type Paged = Extract<RecordQuery, { after: string | null }>;

group.holds("", "by id: those that are there, each once", async (stage) => {
  const [a, , c] = await stage.put({}, {}, {});
  const found = await stage.store.find({ by: "id", ids: [idOf(99), present(c).id, present(a).id, "not-an-id"] });
  assert.deepEqual(byId(found), [a, c]);
  assert.deepEqual(await stage.store.find({ by: "id", ids: [] }), []);
});

group.holds("", "by id: 1,000 at once", async (stage) => {
  const records = await stage.putDrafts(stage.drafts(1_000));
  const found = await stage.store.find({ by: "id", ids: ids(stage.chance.some(records, 1_000)) });
  assert.deepEqual(byId(found), records);
});

group.holds("I11", "by key: its live holder or nothing", async (stage) => {
  assert.deepEqual(await stage.store.find({ by: "key", key: "k" }), []);
  const holder = await stage.running({ key: "k" });
  await stage.one({ key: "other" });
  assert.deepEqual(await stage.store.find({ by: "key", key: "k" }), [holder]);
  await stage.become(holder, completed(holder, { now: 1, result: null }));
  assert.deepEqual(await stage.store.find({ by: "key", key: "k" }), []);
});

group.holds("I8", "lapsed: running records whose lease is over, and no others", async (stage) => {
  const [a, b] = await lost(stage, 2);
  const back = await lost(stage, 1);
  await stage.become(present(back[0]), completed(present(back[0]), { now: 1, result: null }));
  await stage.running();
  await stage.put({}, { readyIn: LONG });
  assert.deepEqual(await stage.store.find({ by: "lapsed", after: null, limit: 10 }), [a, b]);
});

group.holds("I8", "lapsed: a page of rows that nobody can reap does not hide the rest", async (stage) => {
  await pages(stage, await lost(stage, 25), (after, limit) => ({ by: "lapsed", after, limit }));
});

group.holds("I2", "expired: pending records past their deadline, and no others", async (stage) => {
  const now = await stage.store.now();
  const [a, , , b] = await stage.put(
    { expiresAt: now - 1 },
    {},
    { expiresAt: now + LONG },
    { expiresIn: 10, readyIn: 5 },
  );
  const taken = await stage.running({ queue: "other" });
  await stage.become(taken, forged(taken, { version: taken.version + 1, expiresAt: 1 }));
  await stage.pass(50);
  assert.deepEqual(await stage.store.find({ by: "expired", after: null, limit: 10 }), [a, b]);
  const over = cancelled(present(a), { now, reason: "expired", by: "force" });
  await stage.become(present(a), over);
  assert.deepEqual(await stage.store.find({ by: "expired", after: null, limit: 10 }), [b]);
});

group.holds(
  "I2",
  "expired: from the very millisecond of the deadline",
  async (stage) => {
    const record = await stage.one({ expiresIn: 1_000, readyIn: 5 });
    stage.clock.advance(1_004);
    assert.deepEqual(await stage.store.find({ by: "expired", after: null, limit: 10 }), []);
    stage.clock.advance(1);
    assert.deepEqual(await stage.store.find({ by: "expired", after: null, limit: 10 }), [record]);
  },
  { needs: ["clock"] },
);

group.holds("I2", "expired: a page of rows that stay does not hide the rest", async (stage) => {
  const records = await stage.put(...Array.from({ length: 25 }, () => ({ expiresAt: 1 })));
  await pages(stage, records, (after, limit) => ({ by: "expired", after, limit }));
});

group.holds("I8", "cancelling: running records with a cancel request, and no others", async (stage) => {
  await stage.running();
  const asked = await ask(stage, await stage.running());
  const ended = await ask(stage, await stage.running());
  await stage.become(ended, cancelled(ended, { now: 2, reason: null, by: "acknowledge" }));
  const pending = await stage.one();
  await stage.become(pending, cancelled(pending, { now: 2, reason: null, by: "request" }));
  assert.deepEqual(await stage.store.find({ by: "cancelling", after: null, limit: 10 }), [asked]);
});

group.holds("I8", "cancelling: page by page", async (stage) => {
  const records: TaskRecord[] = [];
  for (let n = 0; n < 12; n += 1) records.push(await ask(stage, await stage.running()));
  await pages(stage, records, (after, limit) => ({ by: "cancelling", after, limit }));
});

group.holds("I1", "next: the pending record that is ready first of those not ready yet", async (stage) => {
  const next = async (queues: readonly string[] | null): Promise<string[]> =>
    ids(await stage.store.find({ by: "next", queues }));
  assert.deepEqual(await next(null), []);
  const [, , soon, other] = await stage.put(
    {},
    { readyIn: 3 * LONG, priority: 9 },
    { readyIn: LONG },
    { readyIn: 2 * LONG, queue: "other" },
    { readyIn: 4 * LONG, queue: "other" },
  );
  assert.deepEqual(await next(null), [present(soon).id]);
  assert.deepEqual(await next(["other"]), [present(other).id]);
  assert.deepEqual(await next(["default", "other"]), [present(soon).id]);
  assert.deepEqual(await next(["nowhere"]), []);
  await stage.become(present(soon), cancelled(present(soon), { now: 1, reason: null, by: "request" }));
  assert.deepEqual(await next(null), [present(other).id]);
});

group.holds("I1", "next: a retry counts, a running record does not", async (stage) => {
  const taken = await stage.running();
  assert.deepEqual(await stage.store.find({ by: "next", queues: null }), []);
  const error = { name: "Error", message: "no", stack: null, code: null, attempt: 1, at: 1 };
  const back = failed(taken, { now: await stage.store.now(), error, retryable: true, retryIn: LONG });
  await stage.become(taken, back);
  assert.deepEqual(await stage.store.find({ by: "next", queues: null }), [back]);
});

/** Records whose lease is over. */
async function lost(stage: Stage, count: number): Promise<TaskRecord[]> {
  await stage.put(...Array.from({ length: count }, () => ({})));
  const claims = await stage.claim({ limit: count, lease: 10 });
  await stage.pass(50);
  return [...claims];
}

async function ask(stage: Stage, record: TaskRecord): Promise<TaskRecord> {
  return stage.become(record, cancelled(record, { now: 1, reason: "enough", by: "request" }));
}

/** Walks the pages at several sizes; all of them together must be the records wanted, in order. */
async function pages(
  stage: Stage,
  wanted: readonly TaskRecord[],
  query: (after: string | null, limit: number) => Paged,
): Promise<void> {
  for (const limit of [1, 4, wanted.length + 1]) {
    const found: TaskRecord[] = [];
    for (let after: string | null = null; ; after = present(found.at(-1)).id) {
      const page = await stage.store.find(query(after, limit));
      assert.ok(page.length <= limit, "no page is longer than its limit");
      found.push(...page);
      if (page.length < limit) break;
      assert.ok(found.length <= wanted.length, "the pages come to an end");
    }
    assert.deepEqual(found, wanted);
  }
}

function byId(records: readonly TaskRecord[]): TaskRecord[] {
  return records.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}
