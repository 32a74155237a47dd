/** page: what people look at, in both orders, filtered, a piece at a time. */
import assert from "node:assert/strict";
import type { Page, PageQuery } from "../../../contracts/queue-backend.ts";
import { cancelled, completed, dispatched, failed, revived } from "../../../model/lifecycle.ts";
import type { TaskRecord } from "../../../model/record.ts";
import { alike } from "../alike.ts";
import { type ContractCase, Group } from "../case.ts";
import { idOf, ids, LONG, present, type Stage } from "../stage.ts";

const group = new Group("page");
export const page: readonly ContractCase[] = group.cases;

const ORDERS = ["oldest", "newest"] as const;

type Filter = Pick<PageQuery, "queues" | "tasks" | "states">;

group.holds("", "every record in every state, by id, in both orders", async (stage) => {
  const records = await every(stage);
  assert.equal(new Set(records.map(({ state }) => state)).size, 6);
  await pages(stage, records, {});
});

group.holds("", "by queue, task and state, together and alone", async (stage) => {
  const records = await every(stage);
  const filters: readonly Filter[] = [
    { queues: ["a"] },
    { queues: ["a", "b"], tasks: ["two"] },
    { tasks: ["one", "nothing"] },
    { states: ["completed", "failed", "cancelled"] },
    { states: ["pending"], queues: ["b"], tasks: ["one", "two"] },
    { states: ["dispatched", "dispatched"] },
    { states: ["running", "failed"], tasks: ["one"] },
    { queues: ["nowhere"] },
  ];
  for (const filter of filters) await pages(stage, records, filter);
});

group.holds("", "what ended badly, alone and together with what did not", async (stage) => {
  const records = await every(stage);
  const filters: readonly Filter[] = [
    { states: ["failed"] },
    { states: ["cancelled"] },
    { states: ["cancelled", "failed"] },
    { states: ["failed"], queues: ["b"] },
    { states: ["failed", "cancelled"], tasks: ["two"], queues: ["a", "b"] },
    { states: ["failed", "completed"] },
    { states: [...new Set(records.map(({ state }) => state))] },
  ];
  for (const filter of filters) await pages(stage, records, filter);
});

group.holds("I2", "what was brought back, or removed, has not ended badly any more", async (stage) => {
  const records = (await every(stage)).filter(({ state }) => state === "failed" || state === "cancelled");
  const [back, gone, ...rest] = records as [TaskRecord, TaskRecord, ...TaskRecord[]];
  const again = await stage.become(back, revived(back, { now: 2_000 }));
  await stage.become(gone, null);
  await pages(stage, rest, { states: ["failed", "cancelled"] });
  const mixed = [again, ...rest].toSorted((a, b) => (a.id < b.id ? -1 : 1));
  assert.deepEqual(
    (await stage.dump()).filter(({ id }) => ids(mixed).includes(id)),
    mixed,
  );
});

group.holds("I18", "a list of no values lets nothing through, and values are data", async (stage) => {
  const names = ["a", "A", "a%", "_", "a b", `'"\\`, "[1]", "null", "constructor", "\u00e9", "e\u0301", "💾"];
  const records = await stage.put(...names.map((name) => ({ queue: name, task: `task ${name}` })));
  for (const [place, name] of names.entries()) {
    await pages(stage, [present(records[place])], { queues: [name] });
    await pages(stage, [present(records[place])], { tasks: [`task ${name}`], queues: names });
  }
  for (const none of [{ queues: [] }, { tasks: [] }, { states: [] }, { queues: ["%"] }, { tasks: ["task"] }]) {
    for (const order of ORDERS) {
      assert.deepEqual(await stage.store.page({ order, after: null, limit: 5, ...none }), { records: [], next: null });
    }
  }
});

group.holds("", "a full page names its last record, a short one nothing", async (stage) => {
  for (const order of ORDERS) {
    assert.deepEqual(await stage.store.page({ order, after: null, limit: 3 }), { records: [], next: null });
  }
  const records = await stage.put({}, {}, {});
  for (const order of ORDERS) {
    const line = order === "oldest" ? records : records.toReversed();
    const end = present(line.at(-1)).id;
    const at = (after: string | null, limit: number): Promise<Page> => stage.store.page({ order, after, limit });
    assert.deepEqual(await at(null, 2), { records: line.slice(0, 2), next: line[1]?.id });
    assert.deepEqual(await at(null, 3), { records: line, next: end });
    assert.deepEqual(await at(null, 4), { records: line, next: null });
    assert.deepEqual(await at(present(line[1]).id, 1), { records: line.slice(2), next: end });
    assert.deepEqual(await at(end, 1), { records: [], next: null });
  }
});

group.holds("", "behind an id that is not there, and from either end", async (stage) => {
  const records = await stage.put({ id: idOf(10) }, { id: idOf(20) }, { id: idOf(30) });
  const behind = async (order: PageQuery["order"], n: number): Promise<number[]> => {
    const { records: some } = await stage.store.page({ order, after: idOf(n), limit: 10 });
    return some.map((record) => 10 * (1 + ids(records).indexOf(record.id)));
  };
  assert.deepEqual(await behind("oldest", 15), [20, 30]);
  assert.deepEqual(await behind("newest", 15), [10]);
  assert.deepEqual([await behind("oldest", 1), await behind("newest", 1)], [[10, 20, 30], []]);
  assert.deepEqual([await behind("oldest", 99), await behind("newest", 99)], [[], [30, 20, 10]]);
});

group.holds("", "the order is that of the ids, not of arrival", async (stage) => {
  const order = [5, 3, 9, 1];
  for (const n of order) await stage.one({ id: idOf(n) });
  assert.deepEqual(ids(await stage.dump()), [1, 3, 5, 9].map(idOf));
  const { records } = await stage.store.page({ order: "newest", after: null, limit: 10 });
  assert.deepEqual(ids(records), [9, 5, 3, 1].map(idOf));
});

group.holds("", "what comes and goes between two pages neither repeats nor hides what stays", async (stage) => {
  for (const order of ORDERS) {
    const base = order === "oldest" ? 1_000 : 2_000;
    const id = (n: number): string => idOf(base + (order === "oldest" ? n : 999 - n));
    await stage.put(...[10, 20, 30, 40, 50, 60].map((n) => ({ id: id(n), queue: order })));
    const from = (after: string | null): Promise<Page> => stage.store.page({ order, after, limit: 3, queues: [order] });
    const first = await from(null);
    assert.deepEqual(ids(first.records), [10, 20, 30].map(id));
    for (const n of [30, 50]) await stage.become(present(await stage.read(id(n))), null);
    await stage.put(...[5, 29, 35, 70].map((n) => ({ id: id(n), queue: order })));
    const second = await from(first.next);
    assert.deepEqual(ids(second.records), [35, 40, 60].map(id));
    const third = await from(second.next);
    assert.deepEqual([ids(third.records), third.next], [[id(70)], null]);
  }
});

group.holds("", "what was seen and changed since does not come again", async (stage) => {
  await stage.put(...Array.from({ length: 6 }, () => ({})));
  const query = { order: "oldest", limit: 2, states: ["pending", "running"] } as const;
  const first = await stage.store.page({ ...query, after: null });
  const claims = await stage.claim({ limit: 3 });
  assert.deepEqual(ids(claims).slice(0, 2), ids(first.records));
  const second = await stage.store.page({ ...query, after: first.next });
  assert.deepEqual(
    second.records.map(({ state }) => state),
    ["running", "pending"],
  );
  const pending = await stage.store.page({ ...query, after: first.next, states: ["pending"] });
  assert.deepEqual(ids(pending.records), ids(await stage.dump()).slice(3, 5));
});

group.holds("", "1,000 at once out of more", async (stage) => {
  const records = await stage.putDrafts(stage.drafts(1_200));
  for (const order of ORDERS) {
    const line = order === "oldest" ? records : records.toReversed();
    const { records: some, next } = await stage.store.page({ order, after: null, limit: 1_000 });
    alike(ids(some), ids(line.slice(0, 1_000)));
    assert.equal(next, present(line[999]).id);
  }
});

group.holds("I17", "few that pass among very many that do not are found all the same", async (stage) => {
  const drafts = stage.drafts(12_001);
  // Also where a store that looks at 10,000 records begins anew, from either end.
  const wanted = [0, 1, 2_000, 2_001, 2_002, 6_000, 9_998, 9_999, 10_000, 11_999, 12_000];
  const rare = new Set(wanted.map((n) => present(drafts[n]).record.id));
  for (let from = 0; from < drafts.length; from += 1_000) {
    const some = drafts.slice(from, from + 1_000).map((draft) => {
      const { id } = draft.record;
      return rare.has(id) ? stage.draft({ id, queue: "rare" }) : draft;
    });
    await stage.putDrafts(some);
  }
  for (const order of ORDERS) {
    for (const limit of [2, 100]) {
      const found: string[] = [];
      let calls = 0;
      for (let after: string | null = null; ; ) {
        const page: Page = await stage.store.page({ order, after, limit, queues: ["rare"] });
        calls += 1;
        found.push(...ids(page.records));
        if (page.next === null) break;
        assert.ok(isOnward(order, after, page.next), "each page goes on behind the one before");
        assert.ok(calls < 20, "they come to an end");
        after = page.next;
      }
      assert.deepEqual(found, order === "oldest" ? [...rare] : [...rare].toReversed());
    }
  }
});

function isOnward(order: PageQuery["order"], after: string | null, next: string): boolean {
  return after === null || (order === "oldest" ? next > after : next < after);
}

/** Walks the pages of both orders at several sizes; all of them together must be the records that the filter lets through. */
async function pages(stage: Stage, records: readonly TaskRecord[], filter: Filter): Promise<void> {
  const { queues, tasks, states } = filter;
  const wanted = records.filter(
    ({ queue, taskName, state }) =>
      (queues?.includes(queue) ?? true) && (tasks?.includes(taskName) ?? true) && (states?.includes(state) ?? true),
  );
  for (const order of ORDERS) {
    const expected = order === "oldest" ? wanted : wanted.toReversed();
    for (const limit of [1, 4, wanted.length, wanted.length + 1].filter((size) => size > 0)) {
      const found: TaskRecord[] = [];
      for (let after: string | null = null; ; ) {
        const { records: some, next } = await stage.store.page({ order, after, limit, ...filter });
        found.push(...some);
        assert.equal(next, some.length < limit ? null : present(some.at(-1)).id);
        if (next === null) break;
        after = next;
        assert.ok(found.length <= wanted.length, "the pages come to an end");
      }
      assert.deepEqual(found, expected);
    }
  }
}

/** A few records of each state, task and queue, by id. */
async function every(stage: Stage): Promise<TaskRecord[]> {
  const kinds = ["a", "b"].flatMap((queue) => ["one", "two"].map((task) => ({ queue, task })));
  const error = { name: "Error", message: "no", stack: null, code: null, attempt: 1, at: 1 };
  const records: TaskRecord[] = [];
  for (const kind of kinds) {
    const facts = { now: 1_000, token: stage.chance.token(), lease: LONG, workerId: "dispatcher" };
    records.push(await stage.become(await stage.one(kind), dispatched(await last(stage), facts)));
    for (const end of [
      (record: TaskRecord) => completed(record, { now: 1, result: "1" }),
      (record: TaskRecord) => failed(record, { now: 1, error, retryable: false, retryIn: 0 }),
      (record: TaskRecord) => cancelled(record, { now: 1, reason: null, by: "force" }),
    ]) {
      const taken = await stage.running(kind);
      records.push(await stage.become(taken, end(taken)));
    }
    records.push(await stage.running(kind), await stage.one(kind));
  }
  return (await stage.dump()).filter(({ id }) => ids(records).includes(id));
}

async function last(stage: Stage): Promise<TaskRecord> {
  return present((await stage.dump()).at(-1));
}
