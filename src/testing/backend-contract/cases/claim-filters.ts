/** claim, what is left alone: not ready, expired, not asked for, over a limit; and that none of it hides the rest. */
import assert from "node:assert/strict";
import type { ClaimRequest } from "../../../contracts/queue-backend.ts";
import { claimed, completed, dispatched } from "../../../model/lifecycle.ts";
import { type ContractCase, Group } from "../case.ts";
import { ids, LONG, present, type Stage, type Wish } from "../stage.ts";

const group = new Group("claim: filters");
export const claimFilters: readonly ContractCase[] = group.cases;
const HOUR = 3_600_000;

group.holds("I1", "not before it is ready, and then", async (stage) => {
  const soon = await stage.one({ readyIn: 60_000 });
  const future = await stage.one({ runAt: (await stage.store.now()) + HOUR, priority: 100 });
  assert.deepEqual(await stage.claim(), []);
  if (!stage.capabilities.clock) return;
  stage.clock.advance(59_999);
  assert.deepEqual(await stage.claim(), [], "1 ms too early");
  stage.clock.advance(1);
  assert.deepEqual(ids(await stage.claim()), [soon.id], "to the millisecond");
  stage.clock.advance(HOUR);
  assert.deepEqual(ids(await stage.claim()), [future.id]);
});

group.holds("I1", "a short delay ends", async (stage) => {
  const record = await stage.one({ readyIn: 20 });
  await stage.pass(25);
  assert.deepEqual(ids(await stage.claim()), [record.id]);
});

group.holds("I2", "never an expired record", async (stage) => {
  const now = await stage.store.now();
  const [live] = await stage.put({ expiresAt: now + HOUR }, { expiresAt: now - 1, priority: 9 }, { expiresIn: 20 });
  await stage.pass(25);
  assert.deepEqual(ids(await stage.claim()), [present(live).id]);
});

group.holds(
  "I2",
  "expired is: from the very millisecond of its deadline",
  async (stage) => {
    await stage.put({ expiresIn: 1_000 }, { readyIn: 1_000, expiresAt: (await stage.store.now()) + 1_000 });
    stage.clock.advance(1_000);
    assert.deepEqual(await stage.claim(), []);
    const [other] = await stage.put({ expiresIn: 1_000 });
    stage.clock.advance(999);
    assert.deepEqual(ids(await stage.claim()), [present(other).id]);
  },
  { needs: ["clock"] },
);

group.holds("", "only the tasks, queues and executions asked for", async (stage) => {
  const kinds = ["a", "b"].flatMap((task) =>
    ["q", "r"].flatMap((queue) => ["x", "y"].map((execution) => ({ task, queue, execution }))),
  );
  const expected = async (
    request: Partial<ClaimRequest>,
    matches: (wish: (typeof kinds)[number]) => boolean,
  ): Promise<void> => {
    const claims = await stage.claim({ tasks: ["a", "b"], executions: ["x", "y"], limit: 100, ...request });
    const wanted = kinds.filter(matches).map(({ task, queue, execution }) => `${task} ${queue} ${execution}`);
    assert.deepEqual(claims.map((r) => `${r.taskName} ${r.queue} ${r.execution}`).sort(), wanted.sort());
    await stage.store.apply(claims.map((from) => ({ from, to: null })));
    await stage.store.apply((await stage.dump()).map((from) => ({ from, to: null })));
  };
  const all = async (): Promise<unknown> => stage.put(...kinds);
  await all();
  await expected({ tasks: ["b"] }, ({ task }) => task === "b");
  await all();
  await expected({ queues: ["r"] }, ({ queue }) => queue === "r");
  await all();
  await expected({ executions: ["y", "z"] }, ({ execution }) => execution === "y");
  await all();
  await expected(
    { tasks: ["a"], queues: ["q", "nowhere"], executions: ["x"] },
    (k) => k.task + k.queue + k.execution === "aqx",
  );
  await all();
  await expected({ queues: null }, () => true);
  await all();
  await expected({ queues: [] }, () => false);
  await all();
  await expected({ tasks: [] }, () => false);
  await all();
  await expected({ executions: [] }, () => false);
});

group.holds("I9", "at most so many records of a limited queue; others are not limited", async (stage) => {
  await stage.put(
    ...Array.from({ length: 30 }, (_, n) => ({ queue: ["a", "b", "c"][n % 3] as string, priority: 30 - n })),
  );
  const count = async (request: Partial<ClaimRequest>): Promise<string> =>
    (await stage.claim({ limit: 100, ...request })).map(({ queue }) => queue).join("");
  assert.equal(
    await count({ queueLimits: { a: 2, b: 0 }, limit: 5 }),
    "acacc",
    "in order, without what is over the limit",
  );
  assert.equal(await count({ queueLimits: { a: 1, b: 1, c: 1 } }), "bac");
  assert.equal(await count({ queueLimits: { a: 0, b: 0, c: 0 } }), "");
  assert.equal(await count({ queueLimits: { a: 3, nowhere: 7 }, queues: ["a"] }), "aaa");
  assert.equal(await count({ queueLimits: { a: 100, c: 0 } }).then((found) => found.length), 4 + 9);
  assert.equal(await count({ queueLimits: { b: 0 }, queues: ["c", "b"] }), "cccccc");
});

group.holds("I9", "a limit larger than the claim does not widen it", async (stage) => {
  await stage.put(...Array.from({ length: 10 }, () => ({ queue: "a" })));
  assert.equal((await stage.claim({ limit: 4, queueLimits: { a: 9 } })).length, 4);
});

group.holds("I2 I4", "never a record that is running, dispatched or ended", async (stage) => {
  const running = await stage.running();
  const ended = await stage.running();
  await stage.become(ended, completed(ended, { now: 1, result: null }));
  const sent = await stage.one();
  const facts = { now: await stage.store.now(), token: stage.chance.token(), lease: LONG, workerId: "dispatcher" };
  await stage.become(sent, dispatched(sent, facts));
  assert.deepEqual(await stage.claim(), []);
  assert.deepEqual(await stage.read(running.id), running);
});

group.holds("I8", "a running record whose lease is over is no claim's business", async (stage) => {
  const lost = await stage.running({}, { lease: 10 });
  await stage.pass(50);
  assert.deepEqual(await stage.claim(), [], "only a reaper may take it");
  assert.deepEqual(await stage.read(lost.id), lost);
});

const hidden: Record<string, { readonly wish: Wish; readonly request?: Partial<ClaimRequest> }> = {
  "of unknown tasks": { wish: { task: "unknown" } },
  "of other queues": { wish: { queue: "other" }, request: { queues: ["default"] } },
  "of a queue limited to 0": { wish: { queue: "other" }, request: { queueLimits: { other: 0 } } },
  "of other executions": { wish: { execution: "elsewhere" } },
  "not ready yet": { wish: { readyIn: HOUR } },
  "that have expired": { wish: { expiresAt: 1 } },
};

for (const [which, { wish, request }] of Object.entries(hidden)) {
  group.holds("I1 I17", `a ready record behind 1,000 ${which} is found`, async (stage) => {
    await fill(stage, 1_000, { ...wish, priority: 5, ...(wish.readyIn ? {} : { runAt: 1 }) });
    const record = await stage.one();
    assert.deepEqual(ids(await stage.claim({ ...request, limit: 1 })), [record.id]);
    assert.deepEqual(await stage.claim({ ...request, limit: 1 }), []);
  });
}

group.holds("I1 I9 I17", "a ready record behind 1,000 of a queue limited to 1 is found", async (stage) => {
  await fill(stage, 1_000, { queue: "other", priority: 5, runAt: 1 });
  const record = await stage.one();
  const claims = await stage.claim({ queueLimits: { other: 1 }, limit: 2 });
  assert.deepEqual(
    claims.map(({ queue }) => queue),
    ["other", "default"],
  );
  assert.equal(claims[1]?.id, record.id);
});

group.holds("I1 I17", "a ready record behind 1,000 of every such kind together is found", async (stage) => {
  for (const { wish } of Object.values(hidden)) {
    await fill(stage, 170, { ...wish, priority: 5, ...(wish.readyIn ? {} : { runAt: 1 }) });
  }
  const record = await stage.one();
  const claims = await stage.claim({ queues: ["default", "other"], queueLimits: { other: 0 } });
  assert.deepEqual(claims, [
    claimed(record, {
      now: present(claims[0]).startedAt ?? 0,
      token: present(claims[0]).claim ?? "",
      lease: LONG,
      workerId: "worker-1",
    }),
  ]);
});

async function fill(stage: Stage, count: number, wish: Wish): Promise<void> {
  await stage.putDrafts(stage.drafts(count, wish));
}
