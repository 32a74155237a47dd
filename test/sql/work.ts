/** Every operation of a worker, a producer, a scheduler and a person, for the tests of what the statements behind them cost. */
import assert from "node:assert/strict";
import type { QueueBackend } from "../../src/contracts/queue-backend.ts";
import { cancelled, completed, lapsed, noted, revived } from "../../src/model/lifecycle.ts";
import type { TaskRecord } from "../../src/model/record.ts";
import { draftOf, idOf, rowOf } from "../../src/testing/backend-contract/stage.ts";

/** How many records of each kind are in the way: a million in all. A quick look: SIDEREAL_TEST_ROWS=5000. */
export const ROWS: number = Number(process.env["SIDEREAL_TEST_ROWS"] ?? 250_000);

/** How many of them run on other workers; whoever looks for lapsed leases reads them all. */
export const RUNNING = 1_000;

/**
 * One turn of all, over at most 100 records each; counts of all records are no part of it: they are asked for by people.
 * @param turn - Of this store, from 1; there must be 110 ready records of the task mail.send for each.
 */
export async function work(backend: QueueBackend<never>, turn: number): Promise<void> {
  const from = 50_000_000 + turn * 1_000;
  const key = (n: number): string => `k${from + n}`;
  const request = { workerId: "w", lease: 60_000, tasks: ["mail.send", "other"], queues: null, executions: ["local"] };
  const claim = (n: number, limit: number, queueLimits: Record<string, number> = {}): Promise<readonly TaskRecord[]> =>
    backend.claim({ ...request, queueLimits, token: `${turn}${n}`.repeat(16), limit });
  await backend.insert(Array.from({ length: 100 }, (_, n) => draftOf(idOf(from + n), { key: key(n) })));
  await backend.insert([draftOf(idOf(from)), draftOf(idOf(from + 200), { expiresIn: 1 })]);
  const first = await claim(1, 100);
  assert.equal(first.length, 100);
  assert.equal((await claim(1, 100)).length, 100, "the repeated claim");
  const second = await claim(2, 10, { default: 10 });
  assert.equal(second.length, 10);
  await backend.renew(
    first.map(({ id, claim: token }) => ({ id, claim: token ?? "" })),
    60_000,
  );
  const [lost, stopped, told, ended] = second as [TaskRecord, TaskRecord, TaskRecord, TaskRecord];
  await change(backend, told, noted(told, { begun: true }));
  await change(backend, stopped, cancelled(stopped, { now: 1, reason: null, by: "request" }));
  await change(backend, lost, lapsed(lost, { now: 1, retryIn: 0 }));
  const ends = await backend.apply(first.map((one) => ({ from: one, to: completed(one, { now: 1, result: "1" }) })));
  assert.ok(ends.every(Boolean));
  const over = cancelled(ended, { now: 1, reason: null, by: "force" });
  await change(backend, ended, over);
  await change(backend, over, revived(over, { now: 1 }));
  await backend.find({ by: "id", ids: first.map(({ id }) => id) });
  assert.equal((await backend.find({ by: "key", key: key(1) })).length, 1);
  const page = { after: null, limit: 100 } as const;
  await backend.find({ by: "lapsed", ...page });
  await backend.find({ by: "expired", ...page });
  assert.equal((await backend.find({ by: "cancelling", ...page })).length, turn);
  await backend.find({ by: "next", queues: null });
  await backend.find({ by: "next", queues: ["default"] });
  await backend.page({ order: "newest", ...page });
  await backend.page({ order: "oldest", after: idOf(20_000_000), limit: 100 });
  await backend.page({ order: "newest", ...page, states: ["failed"] });
  await backend.page({ order: "newest", ...page, queues: ["default"], tasks: ["mail.send"] });
  assert.equal(await backend.prune({ states: ["completed"], before: 2_000, limit: 100 }), 100);
  const daily = rowOf(`daily ${turn}`, { dueAt: 1 });
  await backend.advance([{ from: null, to: daily, ticks: [draftOf(idOf(from + 500))] }]);
  await backend.schedules({ by: "due", ...page });
  await backend.hold("a", "w", { lease: 1_000 });
  await backend.held("");
  await backend.release("a", "w");
}

async function change(backend: QueueBackend<never>, from: TaskRecord, to: TaskRecord): Promise<void> {
  assert.deepEqual(await backend.apply([{ from, to }]), [true]);
}
