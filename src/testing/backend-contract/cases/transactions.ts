/** within: inserts and changes that stand or fall with the caller's own transaction. */
import assert from "node:assert/strict";
import { completed } from "../../../model/lifecycle.ts";
import { type ContractCase, Group } from "../case.ts";
import { forged, ids, present, type Stage, type Store } from "../stage.ts";

const group = new Group("within a transaction");
export const transactions: readonly ContractCase[] = group.cases;
const needs = ["transactions"] as const;

class Undone extends Error {}

group.holds(
  "I1 I6",
  "what is stored in it is there once it is committed, and not before",
  async (stage) => {
    const draft = stage.draft({ key: "k" });
    await inside(stage, async (store) => {
      const [insertion] = await store.insert([draft]);
      assert.equal(insertion?.created, true);
      assert.deepEqual(await stage.claim(), [], "others do not see it yet");
      assert.deepEqual(await stage.dump(), []);
    });
    assert.deepEqual(ids(await stage.claim()), [draft.record.id]);
  },
  { needs },
);

group.holds(
  "I11",
  "rolled back, nothing is there and the key is free",
  async (stage) => {
    await undone(stage, async (store) => {
      const [insertion] = await store.insert([stage.draft({ key: "k" })]);
      assert.equal(insertion?.created, true);
    });
    assert.deepEqual(await stage.dump(), []);
    assert.deepEqual(await stage.store.find({ by: "key", key: "k" }), []);
    await stage.one({ key: "k" });
  },
  { needs },
);

group.holds(
  "I7 I11",
  "a duplicate is answered, and does not spoil the transaction",
  async (stage) => {
    const holder = await stage.one({ key: "k" });
    const fresh = stage.draft();
    await inside(stage, async (store) => {
      const answers = await store.insert([stage.draft({ key: "k" }), stage.draft({ id: holder.id }), fresh]);
      assert.deepEqual(
        answers.map((answer) => (answer.created ? "new" : answer.by)),
        ["key", "id", "new"],
      );
      assert.deepEqual(answers[0]?.record, holder);
    });
    assert.deepEqual(ids(await stage.dump()), [holder.id, fresh.record.id].sort());
  },
  { needs },
);

group.holds(
  "I4 I6",
  "a finish in it is guarded as any, and stands or falls with it",
  async (stage) => {
    const taken = await stage.running({ key: "k" });
    const to = completed(taken, { now: 1, result: "1" });
    await undone(stage, async (store) => {
      assert.deepEqual(
        await store.apply([
          { from: taken, to },
          { from: taken, to },
        ]),
        [true, false],
      );
    });
    assert.deepEqual(await stage.dump(), [taken]);
    await inside(stage, async (store) => {
      assert.deepEqual(await store.apply([{ from: forged(taken, { version: 1 }), to }]), [false]);
      assert.deepEqual(await store.apply([{ from: taken, to }]), [true]);
    });
    assert.deepEqual(await stage.dump(), [to]);
    await stage.one({ key: "k" });
  },
  { needs },
);

group.holds(
  "I17",
  "after a rollback the store works on",
  async (stage) => {
    for (let round = 0; round < 5; round += 1) {
      await undone(stage, async (store) => {
        await store.insert(stage.drafts(10));
      });
      await stage.one();
    }
    assert.equal((await stage.claim()).length, 5);
  },
  { needs },
);

async function inside(stage: Stage, body: (store: Pick<Store, "insert" | "apply">) => Promise<void>): Promise<void> {
  const { store, bench } = stage;
  await present(bench.transaction).call(bench, async (tx) => body(present(store.within?.(tx))));
}

async function undone(stage: Stage, body: (store: Pick<Store, "insert" | "apply">) => Promise<void>): Promise<void> {
  const run = inside(stage, async (store) => {
    await body(store);
    throw new Undone("to be rolled back");
  });
  await assert.rejects(run, Undone);
}
