/** claim, what it means to have claimed: the token, the lease, the repeated call, the fence. */
import assert from "node:assert/strict";
import { claimed, completed, DEADLINE_GRACE, lapsed, released } from "../../../model/lifecycle.ts";
import type { TaskRecord } from "../../../model/record.ts";
import { type ContractCase, Group } from "../case.ts";
import { forged, ids, LONG, present, type Stage } from "../stage.ts";

const group = new Group("claim: ownership");
export const claimOwnership: readonly ContractCase[] = group.cases;

group.holds("I3 I4", "the record becomes exactly what the lifecycle says", async (stage) => {
  const record = await stage.one({ key: "k", tags: ["t"], policy: { timeout: 1_000_000 } });
  const request = stage.request({ workerId: "host/1", lease: 12_345 });
  const claims = await stage.store.claim(request);
  const now = present(claims[0]).startedAt ?? 0;
  assert.deepEqual(claims, [claimed(record, { now, token: request.token, lease: 12_345, workerId: "host/1" })]);
  assert.deepEqual(await stage.dump(), claims, "as stored");
  if (stage.capabilities.clock) assert.equal(now, stage.clock.wall());
});

group.holds(
  "I7",
  "sent again, the claim gives the same records in the same order and takes no others",
  async (stage) => {
    await stage.put(...[1, 3, 2, 5, 4].map((priority) => ({ priority })));
    const request = stage.request({ limit: 3 });
    const first = await stage.store.claim(request);
    assert.equal(first.length, 3);
    await stage.pass(5);
    assert.deepEqual(await stage.store.claim(request), first);
    await stage.put({ priority: 9 });
    assert.deepEqual(await stage.store.claim(request), first);
    assert.equal((await stage.claim({ limit: 100 })).length, 3, "the rest is still there for others");
  },
);

group.holds("I7", "sent again after part of it ended, the claim gives what it still owns", async (stage) => {
  await stage.put({}, {}, {}, {});
  const request = stage.request({ limit: 3 });
  const [a, b, c] = await stage.store.claim(request);
  await stage.become(present(b), completed(present(b), { now: 1, result: null }));
  assert.deepEqual(await stage.store.claim(request), [a, c]);
});

group.holds("I7", "sent again after all of it ended, the claim claims", async (stage) => {
  const [first, second] = await stage.put({}, {});
  const request = stage.request({ limit: 1 });
  const [taken] = await stage.store.claim(request);
  assert.equal(taken?.id, present(first).id);
  await stage.become(present(taken), completed(present(taken), { now: 1, result: null }));
  assert.deepEqual(ids(await stage.store.claim(request)), [present(second).id]);
});

group.holds("I5 I7", "sent again after another took over, the claim does not give what it lost", async (stage) => {
  await stage.put({});
  const request = stage.request({ lease: 10 });
  const [taken] = await stage.store.claim(request);
  await stage.pass(50);
  await reap(stage, present(taken));
  const [again] = await stage.claim({ workerId: "worker-2" });
  assert.equal(again?.id, taken?.id);
  assert.deepEqual(await stage.store.claim(request), []);
});

group.holds("I4", "the token alone counts: another claim of the same worker is another owner", async (stage) => {
  await stage.put({}, {});
  const [first] = await stage.claim({ limit: 1 });
  const [second] = await stage.claim({ limit: 1 });
  assert.notEqual(first?.id, second?.id);
  assert.notEqual(first?.claim, second?.claim);
  assert.deepEqual(await stage.store.renew([{ id: present(first).id, claim: present(second).claim ?? "" }], LONG), [
    { state: "lost" },
  ]);
});

group.holds("I4", "no record is claimed twice, however many ask at once", async (stage) => {
  await stage.put(...Array.from({ length: 200 }, () => ({})));
  const all = await Promise.all(
    Array.from({ length: 20 }, (_, n) => stage.claim({ limit: 15, workerId: `worker-${n}` })),
  );
  const taken = ids(all.flat());
  assert.ok(all.every((claims) => claims.length <= 15));
  assert.equal(new Set(taken).size, taken.length, "no record in two claims");
  const rest = await stage.claim({ limit: 1_000 });
  assert.equal(taken.length + rest.length, 200, "and none lost");
});

group.holds(
  "I3",
  "startedAt grows with every claim, even within one millisecond and after a hand-back",
  async (stage) => {
    let record: TaskRecord = await stage.one();
    let last = 0;
    for (let round = 0; round < 6; round += 1) {
      const [taken] = await stage.claim();
      const startedAt = present(taken).startedAt ?? 0;
      assert.ok(startedAt > last, `${startedAt} after ${last}`);
      assert.deepEqual(taken, {
        ...claimed(record, { now: last, token: taken?.claim ?? "", lease: LONG, workerId: "worker-1" }),
        startedAt,
        leaseUntil: taken?.leaseUntil,
      });
      last = startedAt;
      record = await stage.become(present(taken), released(present(taken), { now: 1, because: "unstarted" }));
    }
  },
);

group.holds("I3", "startedAt grows even if the clock lies behind it", async (stage) => {
  const taken = await stage.running();
  const future = (taken.startedAt ?? 0) + 5_000_000;
  const back = forged(released(taken, { now: 1, because: "snooze" }), { startedAt: future });
  await stage.become(taken, back);
  assert.equal((await stage.claim())[0]?.startedAt, future + 1);
});

group.holds("I5", "a claim is overwritten by the next, never cleared", async (stage) => {
  const taken = await stage.running();
  const back = await stage.become(taken, released(taken, { now: 1, because: "shutdown" }));
  assert.equal((await stage.read(back.id))?.claim, taken.claim);
  const [again] = await stage.claim();
  assert.notEqual(again?.claim, taken.claim);
});

group.holds("", "no lease beyond an attempt's timeout and its grace", async (stage) => {
  const record = await stage.one({ policy: { timeout: 1_000 } });
  const [taken] = await stage.claim({ lease: 3_600_000 });
  assert.equal(taken?.id, record.id);
  assert.equal(taken?.leaseUntil, (taken?.startedAt ?? 0) + 1_000 + DEADLINE_GRACE);
  const other = await stage.running({ policy: { timeout: 60_000 } }, { lease: 30_000 });
  assert.equal(other.leaseUntil, (other.startedAt ?? 0) + 30_000);
});

group.holds("I8", "after its lease is over a record can be taken over, and its attempts are counted", async (stage) => {
  const first = await stage.running({}, { lease: 10 });
  await stage.pass(50);
  const back = await reap(stage, first);
  const [second] = await stage.claim({ workerId: "worker-2" });
  assert.equal(second?.attempt, 2);
  assert.equal(second?.losses, 1);
  assert.equal(second?.version, back.version + 1);
});

async function reap(stage: Stage, from: TaskRecord): Promise<TaskRecord> {
  const to = lapsed(from, { now: await stage.store.now(), retryIn: 0 });
  assert.deepEqual(await stage.store.apply([{ from, to, lapsed: true }]), [true]);
  return to;
}
