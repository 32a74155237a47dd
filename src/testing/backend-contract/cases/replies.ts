/** Unknown outcomes: the request or the reply was lost, and the caller asks again (I7). */
import assert from "node:assert/strict";
import { cancelled, completed } from "../../../model/lifecycle.ts";
import { type ContractCase, Group } from "../case.ts";
import { LostCall, unreliable } from "../lost-calls.ts";
import {
  dumpOf,
  finishedBefore,
  LONG,
  nextRow,
  present,
  rowOf,
  type Stage,
  type Store,
  schedulesOf,
} from "../stage.ts";

const group = new Group("unknown outcomes");
export const replies: readonly ContractCase[] = group.cases;

/** Makes the call through a connection that loses it, then again through one that works; answers with the second answer. */
async function twice<T>(stage: Stage, lost: "request" | "reply", call: (store: Store) => Promise<T>): Promise<T> {
  await assert.rejects(call(unreliable(stage.store, lost)), LostCall);
  await stage.pass(3);
  return call(stage.store);
}

for (const lost of ["request", "reply"] as const) {
  group.holds("I1 I7", `insert, ${lost} lost: the repeated call leaves each record once`, async (stage) => {
    const holder = await stage.one({ key: "taken" });
    const drafts = [stage.draft({ key: "k" }), stage.draft({ key: "taken" }), stage.draft()];
    const [a, b, c] = await twice(stage, lost, (store) => store.insert(drafts));
    const by = lost === "reply" ? { created: false, by: "id" } : { created: true };
    assert.deepEqual(
      [a, b, c],
      [
        { ...by, record: await stage.read(present(drafts[0]).record.id) },
        { created: false, by: "key", record: holder },
        { ...by, record: await stage.read(present(drafts[2]).record.id) },
      ],
    );
    assert.equal((await stage.dump()).length, 3);
  });

  group.holds("I7", `claim, ${lost} lost: the repeated call owns what the first one took`, async (stage) => {
    await stage.put({}, {}, {});
    const request = stage.request({ limit: 2 });
    const claims = await twice(stage, lost, (store) => store.claim(request));
    assert.equal(claims.length, 2);
    assert.deepEqual(
      (await stage.dump()).filter(({ claim }) => claim === request.token),
      claims,
      "no orphan",
    );
    assert.equal((await stage.claim()).length, 1);
  });

  group.holds(
    "I4 I7",
    `apply, ${lost} lost: repeated or looked up, the finish is known and stands once`,
    async (stage) => {
      const taken = await stage.running({ key: "k" });
      const to = completed(taken, { now: 1, result: "1" });
      assert.deepEqual(await twice(stage, lost, (store) => store.apply([{ from: taken, to }])), [lost === "request"]);
      const found = await stage.read(taken.id);
      assert.deepEqual(found, to, "version and claim tell that the write was ours");
    },
  );

  group.holds("I7", `apply, ${lost} lost: a cancel request is noted once`, async (stage) => {
    const taken = await stage.running();
    const to = cancelled(taken, { now: 1, reason: "enough", by: "request" });
    await twice(stage, lost, (store) => store.apply([{ from: taken, to }]));
    assert.deepEqual(await stage.dump(), [to]);
  });

  group.holds("I7", `renew, ${lost} lost: the repeated call is answered from its own time`, async (stage) => {
    const taken = await stage.running({}, { lease: 20 });
    const refs = [{ id: taken.id, claim: taken.claim ?? "" }];
    const renewals = await twice(stage, lost, (store) => store.renew(refs, LONG));
    assert.deepEqual(renewals, [{ state: "held", remaining: LONG, cancelRequested: false }]);
    assert.equal((await stage.read(taken.id))?.version, taken.version);
  });

  group.holds("I7", `hold, ${lost} lost: the repeated call has it`, async (stage) => {
    const hold = await twice(stage, lost, (store) => store.hold("leader", "a", { lease: LONG, note: "1" }));
    assert.deepEqual({ ...hold, until: null }, { name: "leader", holder: "a", until: null, note: "1" });
    assert.deepEqual(await stage.store.held(""), [hold]);
  });

  group.holds("I7", `release, ${lost} lost: it is given back once`, async (stage) => {
    await stage.store.hold("leader", "a");
    assert.equal(await twice(stage, lost, (store) => store.release("leader", "a")), lost === "request");
    assert.deepEqual(await stage.store.held(""), []);
  });

  group.holds("I7", `advance, ${lost} lost: the step is taken once, and its ticks are stored once`, async (stage) => {
    const [first, other] = [rowOf("daily", { dueAt: 1 }), rowOf("hourly")];
    await stage.plan(first);
    const to = nextRow(first, { version: 2, dueAt: 2 });
    const ticks = stage.drafts(2);
    const changes = [
      { from: first, to, ticks: ticks.slice(0, 1) },
      { from: null, to: other, ticks: ticks.slice(1) },
    ];
    const mine = lost === "request";
    assert.deepEqual(await twice(stage, lost, (store) => store.advance(changes)), [mine, mine]);
    assert.deepEqual(await schedulesOf(stage.store), [to, other], "the version tells that the step was taken");
    assert.deepEqual(
      (await stage.dump()).map(({ id, version }) => [id, version]),
      ticks.map(({ record }) => [record.id, 1]),
    );
  });

  group.holds("I7", `prune, ${lost} lost: what was to go is gone`, async (stage) => {
    const taken = await stage.running();
    await stage.become(taken, completed(taken, { now: 1, result: null }));
    await stage.running();
    assert.equal(await twice(stage, lost, (store) => store.prune(finishedBefore(10, 10))), lost === "request" ? 1 : 0);
    assert.equal((await dumpOf(stage.store)).length, 1);
  });
}

group.holds("I4 I7", "a claim whose reply was lost and that was reaped since does not come back", async (stage) => {
  await stage.one();
  const request = stage.request({ lease: 10 });
  await assert.rejects(unreliable(stage.store, "reply").claim(request), LostCall);
  await stage.pass(50);
  const [over] = await stage.store.find({ by: "lapsed", after: null, limit: 1 });
  const to = cancelled(present(over), { now: 1, reason: null, by: "force" });
  assert.deepEqual(await stage.store.apply([{ from: present(over), to, lapsed: true }]), [true]);
  assert.deepEqual(await stage.store.claim(request), []);
  assert.deepEqual(await stage.dump(), [to]);
});
