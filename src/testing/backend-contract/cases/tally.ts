/** tally: counts per queue, as people see the states. */
import assert from "node:assert/strict";
import type { Tally } from "../../../contracts/queue-backend.ts";
import { cancelled, completed, dispatched, failed } from "../../../model/lifecycle.ts";
import { type ContractCase, Group } from "../case.ts";
import { forged, LONG, present } from "../stage.ts";

const group = new Group("tally");
export const tally: readonly ContractCase[] = group.cases;

const NONE = { pending: 0, scheduled: 0, running: 0, completed: 0, failed: 0, cancelled: 0, oldestReadyAt: null };
const counts = (queue: string, more: Partial<Tally>): Tally => ({ queue, ...NONE, ...more });

group.holds("", "an empty store has no queues", async ({ store }) => {
  assert.deepEqual(await store.tally(), []);
  assert.deepEqual(await store.tally(["default"]), []);
});

group.holds("", "counts every state; what waits for its time is scheduled, what is dispatched runs", async (stage) => {
  const now = await stage.store.now();
  await stage.put(
    { runAt: now - 5 },
    { runAt: now - 9, priority: 5 },
    { runAt: now - 7 },
    { readyIn: LONG },
    { readyIn: 2 * LONG },
  );
  const error = { name: "Error", message: "no", stack: null, code: null, attempt: 1, at: 1 };
  await stage.running({ task: "a" });
  const b = await stage.running({ task: "b" });
  await stage.become(b, completed(b, { now: 1, result: null }));
  const c = await stage.running({ task: "c" });
  await stage.become(c, failed(c, { now: 1, error, retryable: false, retryIn: 0 }));
  const d = await stage.running({ task: "d" });
  await stage.become(d, failed(d, { now, error, retryable: true, retryIn: LONG }));
  const e = await stage.one({ task: "e" });
  await stage.become(e, cancelled(e, { now: 1, reason: null, by: "request" }));
  const f = await stage.one({ task: "f" });
  const facts = { now, token: stage.chance.token(), lease: LONG, workerId: "dispatcher" };
  await stage.become(f, dispatched(f, facts));
  const expected = {
    pending: 3,
    scheduled: 3,
    running: 2,
    completed: 1,
    failed: 1,
    cancelled: 1,
    oldestReadyAt: now - 9,
  };
  assert.deepEqual(await stage.store.tally(), [counts("default", expected)]);
});

group.holds("", "by queue, by name, of all queues or of those asked for", async (stage) => {
  const now = await stage.store.now();
  const at = (age: number): { runAt: number } => ({ runAt: now - age });
  await stage.put(
    { queue: "b", ...at(1) },
    { queue: "a", ...at(2) },
    { queue: "c", readyIn: LONG },
    { queue: "b", ...at(3) },
  );
  const a = counts("a", { pending: 1, oldestReadyAt: now - 2 });
  const b = counts("b", { pending: 2, oldestReadyAt: now - 3 });
  const c = counts("c", { scheduled: 1 });
  assert.deepEqual(await stage.store.tally(), [a, b, c]);
  assert.deepEqual(await stage.store.tally(["c", "a", "nowhere"]), [a, c]);
  assert.deepEqual(await stage.store.tally([]), []);
});

group.holds("", "follows each record through its states", async (stage) => {
  const totals: Partial<Tally>[] = [];
  const look = async (): Promise<void> => {
    const [{ queue, ...rest } = counts("", {})] = await stage.store.tally();
    totals.push(Object.fromEntries(Object.entries(rest).filter(([name, n]) => n !== 0 && name !== "oldestReadyAt")));
  };
  const record = await stage.one({ readyIn: LONG });
  await look();
  if (stage.capabilities.clock) stage.clock.advance(LONG);
  else await stage.become(record, forged(record, { version: 2, readyAt: 1 }));
  await look();
  const taken = present((await stage.claim())[0]);
  await look();
  const over = await stage.become(taken, completed(taken, { now: 1, result: null }));
  await look();
  await stage.become(over, null);
  await look();
  assert.deepEqual(totals, [{ scheduled: 1 }, { pending: 1 }, { running: 1 }, { completed: 1 }, {}]);
  assert.deepEqual(await stage.store.tally(), [], "a queue without records is no queue");
});

group.holds("", "thousands", async (stage) => {
  await stage.putDrafts(
    Array.from({ length: 2_500 }, (_, n) => stage.draft({ queue: `q${n % 5}`, readyIn: n % 2 ? 0 : LONG })),
  );
  const tallies = await stage.store.tally();
  assert.deepEqual(
    tallies.map((t) => [t.queue, t.pending, t.scheduled]),
    ["q0", "q1", "q2", "q3", "q4"].map((q) => [q, 250, 250]),
  );
});
