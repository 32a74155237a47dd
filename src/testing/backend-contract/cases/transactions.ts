/** within and transaction: inserts and changes that stand or fall with a transaction, the caller's or one that the store opens for it. */
import assert from "node:assert/strict";
import { cancelled, completed, revived } from "../../../model/lifecycle.ts";
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
  "I2 I6",
  "where a record comes from, and that it was brought back, stand or fall with it",
  async (stage) => {
    const taken = await stage.running();
    const over = await stage.become(taken, cancelled(taken, { now: 1, reason: null, by: "force" }));
    const back = revived(over, { now: 2 });
    const draft = stage.draft({ origin: { kind: "retry", of: over.id } });
    const both = async (store: Pick<Store, "insert" | "apply">): Promise<void> => {
      assert.deepEqual(await store.apply([{ from: over, to: back }]), [true]);
      assert.deepEqual((await store.insert([draft]))[0]?.record.origin, draft.record.origin);
    };
    await undone(stage, both);
    assert.deepEqual(await stage.dump(), [over]);
    await inside(stage, both);
    assert.deepEqual(
      (await stage.dump()).map(({ revivals, origin }) => [revivals, origin]),
      [
        [1, null],
        [0, draft.record.origin],
      ],
    );
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

group.holds(
  "I1 I6",
  "in one that the store opens, what is stored is there once it is committed, and not before",
  async (stage) => {
    const draft = stage.draft({ key: "k" });
    const answer = await lent(stage, async (store) => {
      const [insertion] = await store.insert([draft]);
      assert.equal(insertion?.created, true);
      assert.deepEqual(await stage.dump(), [], "others do not see it yet");
      return ["what the body gives"];
    });
    assert.deepEqual(answer, ["what the body gives"]);
    assert.deepEqual(ids(await stage.claim()), [draft.record.id]);
  },
  { needs },
);

group.holds(
  "I6 I11",
  "one that the store opens is rolled back with the very error of its body, and the store works on",
  async (stage) => {
    const why = new Undone("to be rolled back");
    for (let round = 0; round < 12; round += 1) {
      const run = lent(stage, async (store) => {
        await store.insert(stage.drafts(2, { key: null }));
        throw why;
      });
      await assert.rejects(run, (error) => error === why);
    }
    assert.deepEqual(await stage.dump(), []);
    await stage.one({ key: "k" });
    assert.equal((await stage.claim()).length, 1);
  },
  { needs },
);

group.holds(
  "I4 I5 I6",
  "a finish in one that the store opens is refused to whoever lost the record, and stands or falls with it",
  async (stage) => {
    const taken = await stage.running();
    const to = completed(taken, { now: 1, result: "1" });
    const stale = await stage.become(taken, forged(taken, { version: taken.version + 1, progress: null }));
    await lent(stage, async (store) => {
      assert.deepEqual(await store.apply([{ from: taken, to }]), [false], "the version is another");
      assert.deepEqual(await store.apply([{ from: forged(stale, { claim: "f".repeat(32) }), to }]), [false]);
    });
    assert.deepEqual(await stage.dump(), [stale]);
    const next = completed(stale, { now: 1, result: "1" });
    const run = lent(stage, async (store) => {
      assert.deepEqual(await store.apply([{ from: stale, to: next }]), [true]);
      throw new Undone("to be rolled back");
    });
    await assert.rejects(run, Undone);
    assert.deepEqual(await stage.dump(), [stale]);
    await lent(stage, async (store) => {
      assert.deepEqual(await store.apply([{ from: stale, to: next }]), [true]);
    });
    assert.deepEqual(await stage.dump(), [next]);
  },
  { needs },
);

group.holds(
  "I6",
  "several that the store opens at once keep apart",
  async (stage) => {
    const runs = Array.from({ length: 6 }, (_, n) =>
      lent(stage, async (store) => {
        await store.insert(stage.drafts(3));
        if (n % 2 === 1) throw new Undone("to be rolled back");
        return n;
      }).catch((error: unknown) => (error instanceof Undone ? null : Promise.reject(error))),
    );
    assert.deepEqual(await Promise.all(runs), [0, null, 2, null, 4, null]);
    assert.equal((await stage.dump()).length, 9);
  },
  { needs },
);

group.holds(
  "",
  "a hint comes when one that the store opened is committed",
  async (stage) => {
    const heard = new Set<string>();
    const stop = stage.store.signals?.subscribe((hint) => heard.add(hint.about));
    const taken = await stage.running();
    heard.clear();
    await lent(stage, async (store) => {
      await store.apply([{ from: taken, to: completed(taken, { now: 1, result: null }) }]);
    });
    await stage.until("a hint", () => heard.has("outcome") || heard.has("any"));
    stop?.();
  },
  { needs: ["transactions", "signals"] },
);

async function lent<T>(stage: Stage, body: (store: Pick<Store, "insert" | "apply">) => Promise<T>): Promise<T> {
  const { store } = stage;
  return present(store.transaction).call(store, (tx) => body(present(store.within?.(tx)))) as Promise<T>;
}

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
