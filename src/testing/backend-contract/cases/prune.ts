/** prune: what ended long ago goes, and nothing else. */
import assert from "node:assert/strict";
import { cancelled, completed, failed } from "../../../model/lifecycle.ts";
import type { TaskRecord } from "../../../model/record.ts";
import { type ContractCase, Group } from "../case.ts";
import { finishedBefore, ids, LONG, present, type Stage } from "../stage.ts";

const group = new Group("prune");
export const prune: readonly ContractCase[] = group.cases;

group.holds("I2", "only what finished strictly before", async (stage) => {
  const [a, b, c] = await ended(stage, [1_000, 2_000, 2_001]);
  assert.equal(await stage.store.prune(finishedBefore(2_000, 100)), 1);
  assert.deepEqual(await stage.dump(), [b, c]);
  assert.equal(await stage.store.prune(finishedBefore(2_000, 100)), 0);
  assert.equal(await stage.store.prune(finishedBefore(2_002, 100)), 2);
  assert.equal(await stage.read(present(a).id), undefined);
});

group.holds("", "at most so many, the oldest first", async (stage) => {
  const records = await ended(stage, [500, 100, 400, 200, 300]);
  assert.equal(await stage.store.prune(finishedBefore(10_000, 2)), 2);
  assert.deepEqual(
    (await stage.dump()).map(({ finishedAt }) => finishedAt),
    [500, 400, 300],
  );
  assert.equal(await stage.store.prune(finishedBefore(10_000, 2)), 2);
  assert.deepEqual(ids(await stage.dump()), [present(records[0]).id]);
  assert.equal(await stage.store.prune(finishedBefore(10_000, 2)), 1);
  assert.equal(await stage.store.prune(finishedBefore(10_000, 2)), 0);
});

group.holds("I1 I2", "live records stay, however old", async (stage) => {
  await stage.put({ runAt: 1 }, { readyIn: LONG });
  await stage.running({ queue: "other" });
  const before = await stage.dump();
  assert.equal(await stage.store.prune(finishedBefore((await stage.store.now()) + LONG, 1_000)), 0);
  assert.deepEqual(await stage.dump(), before);
});

group.holds("I2", "completed, failed and cancelled alike", async (stage) => {
  const error = { name: "Error", message: "no", stack: null, code: null, attempt: 1, at: 1 };
  const [a, b, c] = [await stage.running(), await stage.running(), await stage.running()];
  await stage.become(a, completed(a, { now: 1, result: null }));
  await stage.become(b, failed(b, { now: 2, error, retryable: false, retryIn: 0 }));
  await stage.become(c, cancelled(c, { now: 3, reason: null, by: "force" }));
  assert.equal(await stage.store.prune(finishedBefore(10, 10)), 3);
  assert.deepEqual(await stage.store.tally(), []);
});

group.holds("I2", "only what ended in one of these states", async (stage) => {
  const error = { name: "Error", message: "no", stack: null, code: null, attempt: 1, at: 1 };
  const ends = {
    completed: (record: TaskRecord) => completed(record, { now: 1, result: null }),
    failed: (record: TaskRecord) => failed(record, { now: 2, error, retryable: false, retryIn: 0 }),
    cancelled: (record: TaskRecord) => cancelled(record, { now: 3, reason: null, by: "force" }),
  };
  const states = Object.keys(ends) as (keyof typeof ends)[];
  for (const state of states) {
    for (const queue of ["a", "b"]) {
      const taken = await stage.running({ queue });
      await stage.become(taken, ends[state](taken));
    }
  }
  const left = async (): Promise<string[]> => (await stage.dump()).map(({ state }) => state);
  const all = states.flatMap((state) => [state, state]);
  assert.equal(await stage.store.prune({ states: [], before: 10, limit: 10 }), 0);
  assert.deepEqual(await left(), all);
  assert.equal(await stage.store.prune({ states: ["failed"], before: 10, limit: 1 }), 1);
  assert.equal(await stage.store.prune({ states: ["failed", "failed"], before: 10, limit: 10 }), 1);
  assert.deepEqual(
    await left(),
    all.filter((state) => state !== "failed"),
  );
  assert.equal(await stage.store.prune({ states: ["cancelled", "failed"], before: 10, limit: 10 }), 2);
  assert.deepEqual(await left(), ["completed", "completed"]);
  assert.equal(await stage.store.prune({ states: ["completed"], before: 10, limit: 10 }), 2);
  assert.deepEqual(await left(), []);
});

group.holds("", "the oldest first over all queues and states asked for", async (stage) => {
  const kinds = ["a", "b", "c"].flatMap((queue) => [queue, queue, queue]);
  const instants = [50, 20, 80, 10, 70, 40, 60, 90, 30];
  for (const [place, queue] of kinds.entries()) {
    const taken = await stage.running({ queue });
    const now = instants[place] ?? 0;
    const over =
      place % 3 === 0 ? cancelled(taken, { now, reason: null, by: "force" }) : completed(taken, { now, result: null });
    await stage.become(taken, over);
  }
  const left = async (): Promise<(number | null)[]> => (await stage.dump()).map(({ finishedAt }) => finishedAt);
  assert.equal(await stage.store.prune({ states: ["completed"], before: 1_000, limit: 2 }), 2);
  assert.deepEqual(
    await left(),
    instants.filter((at) => at !== 20 && at !== 30),
  );
  assert.equal(await stage.store.prune({ states: ["completed", "cancelled"], before: 1_000, limit: 3 }), 3);
  assert.deepEqual(
    await left(),
    instants.filter((at) => at > 50),
  );
});

group.holds("I11", "a key taken since stays with its new holder", async (stage) => {
  const holder = await stage.running({ key: "k" });
  await stage.become(holder, completed(holder, { now: 1, result: null }));
  const next = await stage.one({ key: "k" });
  assert.equal(await stage.store.prune(finishedBefore(10, 10)), 1);
  assert.deepEqual(await stage.store.find({ by: "key", key: "k" }), [next]);
});

group.holds("", "reservations are not its business", async (stage) => {
  await stage.store.hold("leader", "worker-1");
  assert.equal(await stage.store.prune(finishedBefore((await stage.store.now()) + LONG, 1_000)), 0);
  assert.equal((await stage.store.held("")).length, 1);
});

group.holds("", "1,000 at once out of many", async (stage) => {
  await ended(
    stage,
    Array.from({ length: 1_500 }, (_, n) => n + 1),
  );
  assert.equal(await stage.store.prune(finishedBefore(5_000, 1_000)), 1_000);
  assert.equal((await stage.dump()).length, 500);
  assert.equal((await stage.store.tally())[0]?.completed, 500);
});

/** Records that finished at these instants, in order of their ids. */
async function ended(stage: Stage, instants: readonly number[]): Promise<TaskRecord[]> {
  await stage.put(...instants.map(() => ({})));
  const claims = await stage.claim({ limit: instants.length });
  const over = claims.map((record, place) => completed(record, { now: instants[place] ?? 0, result: null }));
  assert.ok((await stage.store.apply(over.map((to, place) => ({ from: present(claims[place]), to })))).every(Boolean));
  return over;
}
