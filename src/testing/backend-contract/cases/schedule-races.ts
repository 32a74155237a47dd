/** Races of schedulers: callers on two connections at once; each step is taken by one of them, with its ticks. */
import assert from "node:assert/strict";
import type { ScheduleRow } from "../../../contracts/queue-backend.ts";
import { type ContractCase, Group } from "../case.ts";
import { ids, nextRow, present, rowOf, type Stage, type Store, schedulesOf } from "../stage.ts";

const group = new Group("races of schedulers");
export const scheduleRaces: readonly ContractCase[] = group.cases;

const ROUNDS = 25;
const EIGHT = [0, 1, 2, 3, 4, 5, 6, 7] as const;

group.holds("I4 I6", "eight take the same step: one does, and only its ticks are stored", async (stage) => {
  const stores = await both(stage);
  let row = rowOf("daily", { dueAt: 0 });
  await stage.plan(row);
  const won: string[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    const offers = EIGHT.map((n) => ({
      from: row,
      to: nextRow(row, { dueAt: round, body: `${n}` }),
      ticks: stage.drafts(2, { input: `${n}` }),
    }));
    const answers = await Promise.all(offers.map((offer, n) => side(stores, n).advance([offer])));
    const winners = offers.filter((_, n) => answers[n]?.[0]);
    assert.equal(winners.length, 1, "exactly one step is taken");
    const [{ to, ticks }] = winners as [(typeof offers)[number]];
    assert.deepEqual(await schedulesOf(stage.store), [to]);
    won.push(...ticks.map(({ record }) => record.id));
    row = to;
  }
  assert.deepEqual(ids(await stage.dump()), won);
});

group.holds("I7 I11", "eight take the same step with the same tick: it is stored once", async (stage) => {
  const stores = await both(stage);
  for (let round = 0; round < ROUNDS; round += 1) {
    const row = rowOf(`daily ${round}`);
    const tick = stage.draft();
    const answers = await Promise.all(
      EIGHT.map((n) => side(stores, n).advance([{ from: null, to: row, ticks: [tick] }])),
    );
    assert.equal(answers.flat().filter(Boolean).length, 1, "made by exactly one");
  }
  assert.equal((await stage.dump()).length, ROUNDS);
  assert.equal((await schedulesOf(stage.store)).length, ROUNDS);
});

group.holds("I4 I13", "removal against a step: one of them, and what is left is its doing", async (stage) => {
  const stores = await both(stage);
  for (let round = 0; round < ROUNDS; round += 1) {
    const from = rowOf(`daily ${round}`);
    await stage.plan(from);
    const to = nextRow(from, { version: 2 });
    const tick = stage.draft();
    const step = (n: number): Promise<readonly boolean[]> => side(stores, n).advance([{ from, to, ticks: [tick] }]);
    const removal = (n: number): Promise<readonly boolean[]> =>
      side(stores, n).advance([{ from, to: null, ticks: [] }]);
    const [stepped, removed] =
      round % 2
        ? await Promise.all([step(round), removal(round + 1)])
        : (await Promise.all([removal(round), step(round + 1)])).toReversed();
    assert.notEqual(stepped?.[0], removed?.[0], "exactly one holds");
    assert.deepEqual(await stage.store.schedules({ by: "name", names: [from.name] }), stepped?.[0] ? [to] : []);
    assert.equal((await stage.read(tick.record.id)) !== undefined, stepped?.[0]);
  }
});

group.holds("I4 I16", "large batches in opposite order end, each step taken once", async (stage) => {
  const stores = await both(stage);
  const rows = Array.from({ length: 100 }, (_, n) => rowOf(`s${String(n).padStart(3, "0")}`));
  await stage.plan(...rows);
  const batch = (body: string): { from: ScheduleRow; to: ScheduleRow; ticks: ReturnType<Stage["drafts"]> }[] =>
    rows.map((from) => ({ from, to: nextRow(from, { version: 2, body }), ticks: stage.drafts(1, { input: body }) }));
  const [forth, back] = [batch('"forth"'), batch('"back"').toReversed()];
  const [a, b] = await Promise.all([stores[0].advance(forth), stores[1].advance(back)]);
  assert.deepEqual(
    a,
    b.toReversed().map((taken) => !taken),
  );
  const wanted = rows.map((row, n) => nextRow(row, { version: 2, body: a[n] ? '"forth"' : '"back"' }));
  assert.deepEqual(await schedulesOf(stage.store), wanted);
  const inputs = (await stage.dump()).map(({ input }) => input);
  assert.equal(inputs.length, rows.length);
  assert.equal(inputs.filter((input) => input === '"forth"').length, a.filter(Boolean).length);
});

group.holds("I1 I7 I11", "a step and an enqueue under one key or id: one record, whoever was first", async (stage) => {
  const stores = await both(stage);
  for (let round = 0; round < ROUNDS; round += 1) {
    const key = `key-${round}`;
    const [byStep, byCall] = [stage.draft({ key, input: '"step"' }), stage.draft({ key, input: '"call"' })];
    const id = stage.draft();
    const [taken, [inserted]] = await Promise.all([
      side(stores, round).advance([{ from: null, to: rowOf(`daily ${round}`), ticks: [byStep, id] }]),
      side(stores, round + 1).insert([byCall, id]),
    ]);
    assert.deepEqual(taken, [true], "the step is taken all the same");
    const [holder] = await stage.store.find({ by: "key", key });
    assert.equal(present(holder).input, present(inserted).created ? '"call"' : '"step"');
    assert.deepEqual(present(inserted).record, holder);
  }
  assert.equal((await stage.dump()).length, 2 * ROUNDS);
});

async function both(stage: Stage): Promise<readonly [Store, Store]> {
  return [stage.store, await stage.second()];
}

function side(stores: readonly [Store, Store], n: number): Store {
  return stores[(n % 2) as 0 | 1];
}
