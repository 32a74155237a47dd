/** renew: leases extended for owners, and the truth for everybody else. */
import assert from "node:assert/strict";
import { cancelled, completed, DEADLINE_GRACE, lapsed, released } from "../../../model/lifecycle.ts";
import type { TaskRecord } from "../../../model/record.ts";
import { type ContractCase, Group } from "../case.ts";
import { draftOf, idOf, LONG, present } from "../stage.ts";

const group = new Group("renew");
export const renew: readonly ContractCase[] = group.cases;

const refOf = ({ id, claim }: TaskRecord): { id: string; claim: string } => ({ id, claim: claim ?? "" });
const held = (remaining: number, cancelRequested = false): object => ({ state: "held", remaining, cancelRequested });

group.holds("I3 I4", "extends the lease from now, and changes nothing else", async (stage) => {
  const taken = await stage.running({}, { lease: 30_000 });
  await stage.pass(20);
  const [renewal] = await stage.store.renew([refOf(taken)], 40_000);
  assert.deepEqual(renewal, held(40_000));
  const now = await stage.store.now();
  const record = present(await stage.read(taken.id));
  assert.deepEqual(record, { ...taken, leaseUntil: record.leaseUntil }, "version and claim stay");
  assert.ok((record.leaseUntil ?? 0) >= (taken.leaseUntil ?? 0) + 10_020 && (record.leaseUntil ?? 0) <= now + 40_000);
  if (stage.capabilities.clock) assert.equal(record.leaseUntil, now + 40_000);
});

group.holds("", "an empty batch renews nothing", async ({ store }) => {
  assert.deepEqual(await store.renew([], LONG), []);
});

group.holds("I8", "a lease that is over is renewed as long as nobody took the record", async (stage) => {
  const taken = await stage.running({}, { lease: 10 });
  await stage.pass(50);
  assert.deepEqual(await stage.store.renew([refOf(taken)], LONG), [held(LONG)]);
  assert.deepEqual(await stage.store.find({ by: "lapsed", after: null, limit: 10 }), []);
});

group.holds("I4 I5", "lost, once another owns the record", async (stage) => {
  const first = await stage.running({}, { lease: 10 });
  await stage.pass(50);
  const to = lapsed(first, { now: await stage.store.now(), retryIn: 0 });
  assert.deepEqual(await stage.store.apply([{ from: first, to, lapsed: true }]), [true]);
  assert.deepEqual(await stage.store.renew([refOf(first)], LONG), [{ state: "lost" }], "already while nobody owns it");
  const [second] = await stage.claim({ workerId: "worker-1" });
  assert.deepEqual(await stage.store.renew([refOf(first)], 9 * LONG), [{ state: "lost" }]);
  assert.deepEqual(await stage.dump(), [second], "and the new owner's lease is its own");
});

group.holds("I4", "lost, when the claim is right but the record no longer runs", async (stage) => {
  const back = await stage.running();
  await stage.become(back, released(back, { now: 1, because: "snooze", readyIn: LONG }));
  const over = await stage.running();
  await stage.become(over, completed(over, { now: 1, result: null }));
  const before = await stage.dump();
  const lost = { state: "lost" };
  assert.deepEqual(await stage.store.renew([refOf(back), refOf(over)], LONG), [lost, lost]);
  assert.deepEqual(await stage.dump(), before, "nothing was written");
});

group.holds("I4", "lost, when only the worker's name or a part of the token is right", async (stage) => {
  const taken = await stage.running();
  const claims = ["worker-1", "", taken.claim?.slice(1) ?? "", `${taken.claim}0`].map((claim) => ({
    id: taken.id,
    claim,
  }));
  assert.deepEqual(
    await stage.store.renew(claims, LONG * 2),
    claims.map(() => ({ state: "lost" })),
  );
  assert.deepEqual(await stage.dump(), [taken]);
});

group.holds("I13", "gone, when there is no such record; and none is made", async (stage) => {
  const taken = await stage.running();
  await stage.become(taken, null);
  const unknown = { id: draftOf(idOf(50)).record.id, claim: stage.chance.token() };
  assert.deepEqual(await stage.store.renew([refOf(taken), unknown], LONG), [{ state: "gone" }, { state: "gone" }]);
  assert.deepEqual(await stage.dump(), []);
});

group.holds(
  "",
  "never past the attempt's timeout and its grace",
  async (stage) => {
    const taken = await stage.running({ policy: { timeout: 5_000 } }, { lease: 1_000 });
    const end = (taken.startedAt ?? 0) + 5_000 + DEADLINE_GRACE;
    const [renewal] = await stage.store.renew([refOf(taken)], LONG);
    assert.equal((await stage.read(taken.id))?.leaseUntil, end);
    assert.ok(renewal?.state === "held" && renewal.remaining <= 20_000 && renewal.remaining > 0);
    if (!stage.capabilities.clock) return;
    stage.clock.advance(12_000);
    assert.deepEqual(await stage.store.renew([refOf(taken)], LONG), [held(8_000)]);
    stage.clock.advance(8_001);
    const [late] = await stage.store.renew([refOf(taken)], LONG);
    assert.ok(late?.state === "held" && late.remaining <= 0, "held until somebody reaps, with nothing left");
    assert.equal((await stage.store.find({ by: "lapsed", after: null, limit: 1 })).length, 1);
  },
  {},
);

group.holds("I7", "says that a cancel was requested, every time", async (stage) => {
  const taken = await stage.running();
  const asked = await stage.become(taken, cancelled(taken, { now: 1, reason: "enough", by: "request" }));
  for (let round = 0; round < 2; round += 1) {
    assert.deepEqual(await stage.store.renew([refOf(asked)], LONG), [held(LONG, true)]);
  }
});

group.holds("I4", "each claim is answered for itself, in input order", async (stage) => {
  await stage.put({}, {}, {}, {});
  const [a, b, c, d] = (await stage.claim()) as [TaskRecord, TaskRecord, TaskRecord, TaskRecord];
  await stage.become(b, completed(b, { now: 1, result: null }));
  await stage.become(c, null);
  await stage.become(d, cancelled(d, { now: 1, reason: null, by: "request" }));
  assert.deepEqual(
    await stage.store.renew([refOf(d), refOf(c), { id: a.id, claim: stage.chance.token() }, refOf(b), refOf(a)], LONG),
    [held(LONG, true), { state: "gone" }, { state: "lost" }, { state: "lost" }, held(LONG)],
  );
});

group.holds("I7", "the same claim twice in a batch is held twice", async (stage) => {
  const taken = await stage.running();
  assert.deepEqual(await stage.store.renew([refOf(taken), refOf(taken)], LONG), [held(LONG), held(LONG)]);
});

group.holds("", "1,000 at once", async (stage) => {
  await stage.putDrafts(stage.drafts(1_000));
  const claims = await stage.claim({ limit: 1_000, lease: 10 });
  await stage.pass(50);
  const order = stage.chance.some(claims, 1_000);
  assert.deepEqual(
    await stage.store.renew(order.map(refOf), LONG),
    order.map(() => held(LONG)),
  );
  assert.deepEqual(await stage.store.find({ by: "lapsed", after: null, limit: 1 }), []);
});
