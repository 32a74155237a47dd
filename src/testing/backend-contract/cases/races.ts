/** Races: callers on two connections at once; afterwards the invariants must hold, whoever won. */
import assert from "node:assert/strict";
import { cancelled, completed, failed, lapsed, revived } from "../../../model/lifecycle.ts";
import type { TaskRecord } from "../../../model/record.ts";
import { type ContractCase, Group } from "../case.ts";
import { finishedBefore, ids, LONG, present, type Stage, type Store } from "../stage.ts";

const group = new Group("races");
export const races: readonly ContractCase[] = group.cases;
const ROUNDS = 25;

const done = (record: TaskRecord): TaskRecord => completed(record, { now: 1_000, result: "1" });
const error = { name: "Error", message: "no", stack: null, code: null, attempt: 1, at: 1 };

group.holds("I11", "eight producers under one key: one record, and all are told the same", async (stage) => {
  const stores = await both(stage);
  for (let round = 0; round < ROUNDS; round += 1) {
    const key = `key-${round}`;
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, n) => side(stores, n).insert([stage.draft({ key, queue: `q${n}` })])),
    );
    const created = answers.flat().filter((answer) => answer.created);
    assert.equal(created.length, 1, "one of them stored a record");
    const [holder] = await stage.store.find({ by: "key", key });
    assert.deepEqual(new Set(answers.flat().map(({ record }) => record.id)), new Set([present(holder).id]));
  }
  assert.equal((await stage.dump()).length, ROUNDS);
});

group.holds("I7", "one draft sent by four at once is stored once", async (stage) => {
  const stores = await both(stage);
  for (let round = 0; round < ROUNDS; round += 1) {
    const drafts = stage.drafts(5);
    const answers = await Promise.all(
      [0, 1, 2, 3].map((n) => side(stores, n).insert(n % 2 ? drafts : drafts.toReversed())),
    );
    assert.equal(answers.flat().filter(({ created }) => created).length, 5);
  }
  assert.equal((await stage.dump()).length, ROUNDS * 5);
});

group.holds("I4 I9", "claims from all sides: every record once, none lost, no limit passed", async (stage) => {
  const stores = await both(stage);
  await stage.putDrafts(Array.from({ length: 300 }, (_, n) => stage.draft({ queue: `q${n % 3}`, priority: n % 4 })));
  const taken: string[] = [];
  for (let round = 0; round < 40; round += 1) {
    const claims = await Promise.all(
      Array.from({ length: 6 }, (_, n) =>
        side(stores, n).claim(stage.request({ limit: 7, queueLimits: { q1: 2 }, workerId: `w${n}` })),
      ),
    );
    for (const records of claims) {
      assert.ok(records.length <= 7);
      assert.ok(records.filter(({ queue }) => queue === "q1").length <= 2);
      taken.push(...ids(records));
    }
    if (claims.every((records) => records.length === 0)) break;
  }
  assert.equal(new Set(taken).size, taken.length, "no record in two claims");
  assert.equal(taken.length, 300, "every record in one");
});

group.holds("I7", "one claim sent twice at once takes no more than its limit", async (stage) => {
  const stores = await both(stage);
  await stage.putDrafts(stage.drafts(100));
  for (let round = 0; round < 10; round += 1) {
    const request = stage.request({ limit: 4 });
    const [first, second] = await Promise.all([stores[0].claim(request), stores[1].claim(request)]);
    assert.deepEqual(ids(first), ids(second));
    const owned = (await stage.dump()).filter(({ claim }) => claim === request.token);
    assert.equal(owned.length, 4, "no claim is orphaned");
  }
});

group.holds("I2 I4 I6", "finish against finish: one is accepted, and it is the one that is stored", async (stage) => {
  const ways = [
    done,
    (record: TaskRecord) => failed(record, { now: 9, error, retryable: true, retryIn: LONG }),
  ] as const;
  await duels(stage, ways, {});
});

group.holds("I2 I4", "cancel request against finish", async (stage) => {
  await duels(stage, [done, (record) => cancelled(record, { now: 9, reason: "enough", by: "request" })], {});
});

group.holds("I2 I4", "forced cancel against finish", async (stage) => {
  await duels(stage, [done, (record) => cancelled(record, { now: 9, reason: "enough", by: "force" })], {});
});

group.holds("I2 I4", "reaper against finish", async (stage) => {
  await duels(stage, [done, (record) => lapsed(record, { now: 9, retryIn: LONG })], { over: true });
});

group.holds("I4 I8", "reaper against renewal: taken over or held, never both", async (stage) => {
  const stores = await both(stage);
  const records = await taken(stage, true);
  for (const [n, from] of records.entries()) {
    const to = lapsed(from, { now: 9, retryIn: LONG });
    const reap = (): Promise<readonly boolean[]> => side(stores, n).apply([{ from, to, lapsed: true }]);
    const renewal = (): Promise<readonly { state: string }[]> =>
      side(stores, n + 1).renew([{ id: from.id, claim: from.claim ?? "" }], LONG);
    const order =
      n % 3 ? Promise.all([reap(), renewal()]) : Promise.all([renewal(), reap()]).then(([b, a]) => [a, b] as const);
    const [[reaped], [renewed]] = (await order) as [readonly boolean[], readonly { state: string }[]];
    assert.equal(renewed?.state, reaped ? "lost" : "held");
  }
});

group.holds("I2 I13", "prune against revival: gone or pending, never both", async (stage) => {
  const stores = await both(stage);
  const records = await taken(stage, false);
  for (const [n, record] of records.entries()) {
    const over = await stage.become(record, cancelled(record, { now: 5, reason: null, by: "force" }));
    const change = { from: over, to: revived(over, { now: 6 }) };
    const [[applied], pruned] = await Promise.all([
      side(stores, n).apply([change]),
      side(stores, n + 1).prune(finishedBefore(10, 10)),
    ]);
    assert.equal(Number(applied) + pruned, 1);
    assert.equal((await stage.read(record.id))?.state, applied ? "pending" : undefined);
  }
});

group.holds("I2 I13", "prune against finish: nothing that ends comes back or counts twice", async (stage) => {
  const stores = await both(stage);
  const records = await taken(stage, false);
  const calls = records.map(async (from, n) => {
    const [[applied], pruned] = await Promise.all([
      side(stores, n).apply([{ from, to: done(from) }]),
      side(stores, n + 1).prune(finishedBefore(2_000, 3)),
    ]);
    assert.equal(applied, true);
    return pruned;
  });
  const pruned = (await Promise.all(calls)).reduce((sum, count) => sum + count, 0);
  assert.equal(pruned + (await stage.dump()).length, records.length);
});

group.holds("I4 I11", "reservations from all sides: one holder at a time", async (stage) => {
  const stores = await both(stage);
  for (let round = 0; round < ROUNDS; round += 1) {
    const name = `leader-${round}`;
    const answers = await Promise.all(
      [0, 1, 2, 3, 4, 5].map((n) => side(stores, n).hold(name, `w${n}`, { lease: LONG })),
    );
    assert.equal(new Set(answers.map(({ holder }) => holder)).size, 1);
    const freed = await Promise.all([0, 1, 2, 3, 4, 5].map((n) => side(stores, n + 1).release(name, `w${n}`)));
    assert.equal(freed.filter(Boolean).length, 1);
  }
  assert.deepEqual(await stage.store.held(""), []);
});

group.holds("I4", "large batches in opposite order end, each change decided once", async (stage) => {
  const stores = await both(stage);
  await stage.putDrafts(stage.drafts(400));
  const records = await stage.claim({ limit: 400 });
  const forth = records.map((from) => ({ from, to: completed(from, { now: 1, result: '"forth"' }) }));
  const back = records.toReversed().map((from) => ({ from, to: completed(from, { now: 1, result: '"back"' }) }));
  const [a, b] = await Promise.all([stores[0].apply(forth), stores[1].apply(back)]);
  assert.deepEqual(
    a,
    b.toReversed().map((applied) => !applied),
  );
  const wanted = records.map((from, n) => completed(from, { now: 1, result: a[n] ? '"forth"' : '"back"' }));
  assert.deepEqual(await stage.dump(), wanted);
});

/** Lets two decisions about each of some running records race; exactly one must be accepted, and be what is stored. */
async function duels(
  stage: Stage,
  ways: readonly [(record: TaskRecord) => TaskRecord, (record: TaskRecord) => TaskRecord],
  { over = false }: { over?: boolean },
): Promise<void> {
  const stores = await both(stage);
  for (const [n, from] of (await taken(stage, over)).entries()) {
    const [a, b] = ways.map((way) => way(from)) as [TaskRecord, TaskRecord];
    const second = { from, to: b, ...(over ? { lapsed: true as const } : {}) };
    const calls = [() => side(stores, n).apply([{ from, to: a }]), () => side(stores, n + 1).apply([second])] as const;
    const [[first], [other]] =
      n % 2
        ? await Promise.all([calls[0](), calls[1]()])
        : ((await Promise.all([calls[1](), calls[0]()])).toReversed() as [readonly boolean[], readonly boolean[]]);
    assert.notEqual(first, other, "exactly one is accepted");
    assert.deepEqual(await stage.read(from.id), first ? a : b);
  }
}

async function taken(stage: Stage, over: boolean): Promise<readonly TaskRecord[]> {
  await stage.putDrafts(stage.drafts(ROUNDS));
  const records = await stage.claim({ limit: ROUNDS, lease: over ? 10 : LONG });
  if (over) await stage.pass(50);
  return records;
}

async function both(stage: Stage): Promise<readonly [Store, Store]> {
  return [stage.store, await stage.second()];
}

function side(stores: readonly [Store, Store], n: number): Store {
  return stores[(n % 2) as 0 | 1];
}
