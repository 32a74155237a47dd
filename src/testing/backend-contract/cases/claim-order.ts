/** claim, which records and in what order: priority, readiness, first in first out, over everything asked for. */
import assert from "node:assert/strict";
import { type ContractCase, Group } from "../case.ts";
import { idOf, ids, present } from "../stage.ts";

const group = new Group("claim: order");
export const claimOrder: readonly ContractCase[] = group.cases;

group.holds("", "larger priority first, as a number", async (stage) => {
  const priorities = [0, 10, -5, 9, 100, -50, 2];
  await stage.put(...priorities.map((priority) => ({ priority })));
  assert.deepEqual(
    (await stage.claim()).map(({ priority }) => priority),
    [100, 10, 9, 2, 0, -5, -50],
  );
});

group.holds("", "of equal priority, the one ready earlier first, whenever it was stored", async (stage) => {
  const now = await stage.store.now();
  const ages = [3, 50, 1, 1_000, 20];
  await stage.put(...ages.map((age) => ({ runAt: now - age })));
  assert.deepEqual(
    (await stage.claim()).map(({ readyAt }) => now - readyAt),
    [1_000, 50, 20, 3, 1],
  );
});

group.holds("", "ready at the same instant: first in, first out, whatever the ids", async (stage) => {
  const runAt = (await stage.store.now()) - 10;
  const order = [5, 3, 9, 1, 7, 2, 8];
  for (const n of order.slice(0, 4)) await stage.put({ id: idOf(n), runAt });
  await stage.put(...order.slice(4).map((n) => ({ id: idOf(n), runAt })));
  assert.deepEqual(ids(await stage.claim()), order.map(idOf));
});

group.holds("", "one order over all queues, tasks and executions asked for", async (stage) => {
  const runAt = (await stage.store.now()) - 1_000;
  const wishes = [
    { queue: "a", priority: 1, runAt },
    { queue: "b", priority: 5, runAt },
    { queue: "a", priority: 5, runAt: runAt - 1, task: "report.build" },
    { queue: "c", priority: 5, runAt, execution: "threads" },
    { queue: "b", priority: 1, runAt: runAt - 1 },
    { queue: "c", priority: 9, runAt: runAt + 1, task: "report.build" },
  ];
  const records = await stage.put(...wishes);
  const claims = await stage.claim({ tasks: ["mail.send", "report.build"], executions: ["local", "threads"] });
  assert.deepEqual(
    ids(claims),
    [5, 2, 1, 3, 4, 0].map((place) => present(records[place]).id),
  );
});

group.holds("", "one order over the queues named, too", async (stage) => {
  const runAt = (await stage.store.now()) - 1_000;
  const queues = ["a", "b", "c"];
  const records = await stage.put(
    ...Array.from({ length: 9 }, (_, n) => ({ queue: queues[n % 3] as string, runAt: runAt - n })),
  );
  const wanted = records.filter(({ queue }) => queue !== "b").toReversed();
  assert.deepEqual(ids(await stage.claim({ queues: ["c", "a"], limit: 4 })), ids(wanted.slice(0, 4)));
  assert.deepEqual(ids(await stage.claim({ queues: ["a", "c"] })), ids(wanted.slice(4)));
});

group.holds("", "the limit cuts the order from its end", async (stage) => {
  const records = await stage.put(...[1, 5, 3, 4, 2].map((priority) => ({ priority })));
  const order = ids(records.toSorted((a, b) => b.priority - a.priority));
  assert.deepEqual(ids(await stage.claim({ limit: 1 })), order.slice(0, 1));
  assert.deepEqual(ids(await stage.claim({ limit: 3 })), order.slice(1, 4));
  assert.deepEqual(ids(await stage.claim({ limit: 500 })), order.slice(4));
  assert.deepEqual(await stage.claim(), []);
});

group.holds("", "1,000 at once, in order", async (stage) => {
  const runAt = (await stage.store.now()) - 10;
  const records = await stage.put(
    ...Array.from({ length: 1_200 }, (_, n) => ({ priority: n % 7, runAt: runAt - (n % 11) })),
  );
  const order = records
    .map((record, place) => ({ record, place }))
    .sort((a, b) => b.record.priority - a.record.priority || a.record.readyAt - b.record.readyAt || a.place - b.place)
    .map(({ record }) => record.id);
  assert.deepEqual(ids(await stage.claim({ limit: 1_000 })), order.slice(0, 1_000));
  assert.deepEqual(ids(await stage.claim({ limit: 1_000 })), order.slice(1_000));
});

group.holds("", "becoming ready later means coming later, not in the order of arrival", async (stage) => {
  const [late, early] = await stage.put({ readyIn: 40 }, { readyIn: 20 });
  await stage.pass(100);
  const now = await stage.one();
  assert.deepEqual(ids(await stage.claim()), ids([present(early), present(late), now]));
});
