/** apply, the guard: who may still write, and what a refused write leaves. */
import assert from "node:assert/strict";
import { cancelled, completed, dispatched, failed, lapsed, noted, released } from "../../../model/lifecycle.ts";
import type { TaskRecord } from "../../../model/record.ts";
import { type ContractCase, Group } from "../case.ts";
import { draftOf, finishedBefore, forged, idOf, LONG, present, type Stage } from "../stage.ts";

const group = new Group("apply: guards");
export const applyGuards: readonly ContractCase[] = group.cases;

const done = (record: TaskRecord, result = "1"): TaskRecord => completed(record, { now: 1_000, result });

group.holds("I4 I6", "the owner's finish is stored whole", async (stage) => {
  const taken = await stage.running({ key: "k" });
  const to = done(taken, '{"sum":7}');
  assert.deepEqual(await stage.store.apply([{ from: taken, to }]), [true]);
  assert.deepEqual(await stage.dump(), [to]);
  assert.deepEqual(await stage.store.find({ by: "key", key: "k" }), []);
});

group.holds("I4", "another version is refused, and nothing is written", async (stage) => {
  const taken = await stage.running();
  const stale = forged(taken, { version: taken.version - 1 });
  const ahead = forged(taken, { version: taken.version + 1 });
  assert.deepEqual(await stage.store.apply([{ from: stale, to: done(taken) }]), [false]);
  assert.deepEqual(await stage.store.apply([{ from: ahead, to: done(ahead) }]), [false]);
  assert.deepEqual(await stage.store.apply([{ from: stale, to: null }]), [false]);
  assert.deepEqual(await stage.dump(), [taken]);
});

group.holds("I4", "another claim of the same version is refused, and nothing is written", async (stage) => {
  const taken = await stage.running();
  for (const claim of [stage.chance.token(), null, "", "worker-1", taken.claim?.slice(0, -1) ?? ""]) {
    const from = { ...taken, claim };
    assert.deepEqual(await stage.store.apply([{ from, to: done(taken) }]), [false], `claim ${claim}`);
    assert.deepEqual(await stage.store.apply([{ from, to: null }]), [false], `claim ${claim}`);
  }
  assert.deepEqual(await stage.dump(), [taken]);
});

group.holds("I4", "no claim yet is a claim like any other: none must match none", async (stage) => {
  const pending = await stage.one();
  const from = { ...pending, claim: stage.chance.token() };
  const to = cancelled(pending, { now: 1, reason: null, by: "request" });
  assert.deepEqual(await stage.store.apply([{ from, to }]), [false]);
  assert.deepEqual(await stage.store.apply([{ from: pending, to }]), [true]);
  assert.deepEqual(await stage.dump(), [to]);
});

group.holds("I4 I5", "an owner that was superseded writes nothing, whatever it decided", async (stage) => {
  const first = await stage.running({ key: "k" }, { lease: 10 });
  await stage.pass(50);
  const back = lapsed(first, { now: await stage.store.now(), retryIn: 0 });
  assert.deepEqual(await stage.store.apply([{ from: first, to: back, lapsed: true }]), [true]);
  const second = present((await stage.claim({ workerId: "worker-1" }))[0]);
  const error = { name: "Error", message: "late", stack: null, code: null, attempt: 1, at: 1 };
  const zombie = [
    done(first),
    failed(first, { now: 1, error, retryable: true, retryIn: 0 }),
    released(first, { now: 1, because: "snooze" }),
    noted(first, { begun: true }),
    cancelled(first, { now: 1, reason: null, by: "acknowledge" }),
    null,
  ];
  for (const to of zombie) assert.deepEqual(await stage.store.apply([{ from: first, to }]), [false]);
  // Even one that learns the new version by chance does not know the new claim.
  const informed = forged(first, { version: second.version });
  assert.deepEqual(await stage.store.apply([{ from: informed, to: done(second) }]), [false]);
  assert.deepEqual(await stage.dump(), [second]);
});

group.holds("I5", "after a hand-back the same owner is as stale as any", async (stage) => {
  const taken = await stage.running();
  const back = await stage.become(taken, released(taken, { now: 1, because: "unstarted" }));
  assert.deepEqual(await stage.store.apply([{ from: taken, to: done(taken) }]), [false]);
  assert.deepEqual(await stage.dump(), [back]);
});

group.holds("I2 I4", "of two finishes of one claim the first holds", async (stage) => {
  const taken = await stage.running();
  assert.deepEqual(await stage.store.apply([{ from: taken, to: done(taken, "1") }]), [true]);
  assert.deepEqual(await stage.store.apply([{ from: taken, to: done(taken, "2") }]), [false]);
  const over = cancelled(taken, { now: 2, reason: "late", by: "force" });
  assert.deepEqual(await stage.store.apply([{ from: taken, to: over }]), [false]);
  assert.deepEqual(await stage.dump(), [done(taken, "1")]);
});

group.holds("I13", "a record that is not there is never made", async (stage) => {
  const unknown = draftOf(idOf(77)).record;
  const taken = await stage.running({ key: "k" });
  await stage.become(taken, null);
  const over = await stage.running();
  await stage.become(over, done(over));
  assert.equal(await stage.store.prune(finishedBefore(2_000, 10)), 1);
  const changes = [
    { from: unknown, to: forged(unknown, { version: 2 }) },
    { from: unknown, to: null },
    { from: taken, to: done(taken) },
    { from: taken, to: noted(taken, { begun: true }) },
    { from: taken, to: null },
    { from: over, to: done(over) },
    { from: done(over), to: forged(done(over), { version: done(over).version + 1 }) },
  ];
  assert.deepEqual(
    await stage.store.apply(changes),
    changes.map(() => false),
  );
  assert.deepEqual(await stage.dump(), []);
  assert.deepEqual(await stage.store.tally(), []);
});

group.holds("I13", "null removes the record and everything of it", async (stage) => {
  const [pending, other] = await stage.put({ key: "k" }, { key: "l" });
  await stage.become(present(pending), null);
  assert.deepEqual(await stage.dump(), [other]);
  assert.deepEqual(await stage.store.find({ by: "key", key: "k" }), []);
  assert.equal((await stage.claim()).length, 1, "nor can it be claimed");
  assert.deepEqual(await stage.store.apply([{ from: present(pending), to: null }]), [false]);
});

group.holds("I4 I8", "lapsed: refused while the lease lasts, even if everything else matches", async (stage) => {
  const taken = await stage.running();
  const to = lapsed(taken, { now: 1, retryIn: 0 });
  assert.deepEqual(await stage.store.apply([{ from: taken, to, lapsed: true }]), [false]);
  assert.deepEqual(await stage.dump(), [taken]);
});

group.holds("I4", "lapsed: refused after a renewal that the reaper did not see", async (stage) => {
  const taken = await stage.running({}, { lease: 10 });
  await stage.pass(50);
  const [seen] = await stage.store.find({ by: "lapsed", after: null, limit: 1 });
  assert.deepEqual(seen, taken);
  await stage.store.renew([{ id: taken.id, claim: taken.claim ?? "" }], LONG);
  const to = lapsed(taken, { now: await stage.store.now(), retryIn: 0 });
  assert.deepEqual(await stage.store.apply([{ from: taken, to, lapsed: true }]), [false]);
  assert.equal((await stage.read(taken.id))?.state, "running");
});

group.holds(
  "I4 I8",
  "lapsed: over from the millisecond after the lease",
  async (stage) => {
    const taken = await stage.running({}, { lease: 1_000 });
    stage.clock.advance(1_000);
    assert.deepEqual(await stage.store.find({ by: "lapsed", after: null, limit: 1 }), []);
    const to = lapsed(taken, { now: stage.clock.wall(), retryIn: 0 });
    assert.deepEqual(await stage.store.apply([{ from: taken, to, lapsed: true }]), [false]);
    stage.clock.advance(1);
    assert.deepEqual(await stage.store.find({ by: "lapsed", after: null, limit: 1 }), [taken]);
    assert.deepEqual(await stage.store.apply([{ from: taken, to, lapsed: true }]), [true]);
    assert.deepEqual(await stage.dump(), [to]);
  },
  { needs: ["clock"] },
);

group.holds("I4", "lapsed: a record without a lease has none that could be over", async (stage) => {
  const pending = await stage.one();
  const to = cancelled(pending, { now: 1, reason: null, by: "request" });
  assert.deepEqual(await stage.store.apply([{ from: pending, to, lapsed: true }]), [false]);
  assert.deepEqual(await stage.dump(), [pending]);
});

group.holds("I4 I8", "without lapsed the lease does not matter: an owner may finish after its end", async (stage) => {
  const taken = await stage.running({}, { lease: 10 });
  await stage.pass(50);
  assert.deepEqual(await stage.store.apply([{ from: taken, to: done(taken) }]), [true]);
});

group.holds("I4", "the guard looks at version and claim and at nothing else", async (stage) => {
  const taken = await stage.running();
  await stage.store.renew([{ id: taken.id, claim: taken.claim ?? "" }], 2 * LONG);
  const from = { ...taken, leaseUntil: 1, workerId: "elsewhere", progress: null, logs: [] };
  assert.deepEqual(await stage.store.apply([{ from, to: done(taken) }]), [true]);
});

group.holds("I4", "a renewal since the decision stays, unless the record leaves its owner", async (stage) => {
  const taken = await stage.running({}, { lease: 60_000 });
  await stage.store.renew([{ id: taken.id, claim: taken.claim ?? "" }], LONG);
  const renewed = present(await stage.read(taken.id));
  assert.ok((renewed.leaseUntil ?? 0) > (taken.leaseUntil ?? 0));
  const asked = cancelled(taken, { now: 5, reason: "enough", by: "request" });
  await stage.become(taken, asked);
  assert.deepEqual(await stage.read(taken.id), { ...asked, leaseUntil: renewed.leaseUntil });
  const step = noted(asked, { begun: true });
  await stage.become(asked, step);
  assert.deepEqual(await stage.read(taken.id), { ...step, leaseUntil: renewed.leaseUntil });
  await leaves(stage, step);
});

group.holds("I4 I8", "a record that is dispatched gets its first lease with that write, and lapses", async (stage) => {
  const record = await stage.one();
  const facts = { now: await stage.store.now(), token: stage.chance.token(), lease: 10, workerId: "dispatcher" };
  const sent = dispatched(record, facts);
  await stage.become(record, sent);
  assert.deepEqual(await stage.dump(), [sent]);
  await stage.pass(50);
  assert.deepEqual(await stage.store.find({ by: "lapsed", after: null, limit: 10 }), [sent]);
  const to = lapsed(sent, { now: await stage.store.now(), retryIn: 0 });
  assert.deepEqual(await stage.store.apply([{ from: sent, to, lapsed: true }]), [true]);
  assert.deepEqual(await stage.dump(), [to]);
});

async function leaves(stage: Stage, from: TaskRecord): Promise<void> {
  const to = cancelled(from, { now: 6, reason: null, by: "acknowledge" });
  assert.equal(to.leaseUntil, null);
  await stage.become(from, to);
  assert.deepEqual(await stage.read(from.id), to);
}
