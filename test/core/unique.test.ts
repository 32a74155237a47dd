/** Uniqueness: by key, task or input; until the end or for ever; in races, crashes and lost answers. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hasCode } from "../../src/model/errors.ts";
import { Stage } from "./support/stage.ts";

describe("a key until the record ends", () => {
  it("gives the holder to later enqueues, and is free afterwards", async (t) => {
    const stage = new Stage(t);
    const echo = stage.task((input: number) => input);
    const other = stage.task((input: number) => input);
    const service = await stage.service();
    const first = await service.enqueue(echo, 1, { key: "k" });
    const second = await service.enqueue(echo, 2, { key: "k" });
    const third = await service.enqueue(other, 3, { key: "k" });
    assert.deepEqual([first.outcome, second.outcome, third.outcome], ["created", "existing", "existing"]);
    assert.deepEqual([second.id, third.id, third.taskName], [first.id, first.id, echo.name]);
    assert.equal(second.record?.input, "1");
    await first.cancel();
    assert.equal((await service.enqueue(echo, 4, { key: "k" })).outcome, "created");
  });

  it("by task, and by input whatever the order of its members", async (t) => {
    const stage = new Stage(t);
    const one = stage.task((input: object) => input, { uniqueBy: "input" });
    const two = stage.task((input: object) => input, { uniqueBy: "task" });
    const service = await stage.service();
    const outcome = async (task: typeof one, input: object): Promise<string> =>
      (await service.enqueue(task, input)).outcome;
    assert.equal(await outcome(one, { a: 1, b: { c: 2, d: 3 } }), "created");
    assert.equal(await outcome(one, { b: { d: 3, c: 2 }, a: 1 }), "existing");
    assert.equal(await outcome(one, { a: 1, b: { c: 2, d: 4 } }), "created");
    assert.equal(await outcome(two, { a: 1 }), "created");
    assert.equal(await outcome(two, { a: 2 }), "existing");
  });

  it("an enqueue's own key or uniqueBy takes the place of the task's", async (t) => {
    const stage = new Stage(t);
    const byTask = stage.task((input: number) => input, { uniqueBy: "task" });
    const byKey = stage.task((input: number) => input, { key: (input) => `n${input}` });
    const service = await stage.service();
    await service.enqueue(byTask, 1);
    assert.equal((await service.enqueue(byTask, 2, { key: "own" })).outcome, "created");
    assert.equal((await service.enqueue(byTask, 3, { uniqueBy: "input" })).outcome, "created");
    await service.enqueue(byKey, 1);
    assert.equal((await service.enqueue(byKey, 1)).outcome, "existing");
    assert.equal((await service.enqueue(byKey, 1, { uniqueBy: "input" })).outcome, "created");
  });

  it("a key function that gives no text is refused by name", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    for (const given of [5, "", null, undefined, Promise.resolve("k"), "\ud800"]) {
      const odd = stage.task((input: number) => input, { key: () => given as string });
      if (given === undefined || given === null) continue;
      await assert.rejects(
        service.enqueue(odd, 1),
        (error) => hasCode(error, "OPTION_INVALID") && error.message.includes(odd.name),
      );
    }
  });

  for (const services of [1, 4]) {
    it(`8 concurrent enqueues through ${services} service(s) make one record`, async (t) => {
      const stage = new Stage(t);
      const echo = stage.task((input: number) => input);
      const through = await Promise.all(
        Array.from({ length: services }, () => stage.service({}, { rates: { insert: { delay: 1 } } })),
      );
      for (let round = 0; round < 20; round += 1) {
        const racing = Array.from({ length: 8 }, (_, at) =>
          (through[at % services] as (typeof through)[0]).enqueue(echo, at, { key: `k${round}` }),
        );
        const handles = await stage.clock.runUntil(Promise.all(racing));
        assert.equal(new Set(handles.map(({ id }) => id)).size, 1);
        assert.equal(handles.filter(({ outcome }) => outcome === "created").length, 1);
      }
      assert.equal((await stage.clock.runUntil((through[0] as (typeof through)[0]).counts())).total, 20);
    });
  }
});

describe("a key for ever", () => {
  const forever = { key: "k", uniqueUntil: "forever" } as const;

  it("is held beyond the end, and freed by resetKey", async (t) => {
    const stage = new Stage(t);
    const echo = stage.task((input: number) => input);
    const service = await stage.service();
    await stage.worker({ retention: null });
    const first = await service.enqueue(echo, 1, forever);
    await stage.ended(first.id);
    const second = await service.enqueue(echo, 2, forever);
    assert.deepEqual(
      [first.outcome, second.outcome, second.id, second.status],
      ["created", "existing", first.id, "completed"],
    );
    assert.equal(await second.result(), 1);
    assert.equal(await service.resetKey("k"), true);
    assert.equal(await service.resetKey("k"), false);
    assert.equal((await service.enqueue(echo, 3, forever)).outcome, "created");
  });

  it("stays held when retention has removed the record: nothing runs again", async (t) => {
    const stage = new Stage(t);
    const echo = stage.task((input: number) => input);
    const service = await stage.service();
    await stage.worker({ retention: "10s" });
    const first = await service.enqueue(echo, 1, forever);
    await stage.ended(first.id);
    await stage.until("it is removed", async () => (await service.get(first.id)) === null);
    const second = await service.enqueue(echo, 2, forever);
    assert.deepEqual([second.outcome, second.id, second.record, second.status], ["existing", first.id, null, null]);
    await assert.rejects(second.result(), (error) => hasCode(error, "RECORD_GONE"));
    assert.equal((await service.counts()).total, 0);
  });

  it("8 racing enqueues agree on one record that is there when they return", async (t) => {
    const stage = new Stage(t);
    const echo = stage.task((input: number) => input);
    const services = await Promise.all(
      Array.from({ length: 4 }, () => stage.service({}, { rates: { every: { delay: 1 } } })),
    );
    for (let round = 0; round < 20; round += 1) {
      const racing = Array.from({ length: 8 }, (_, at) =>
        (services[at % 4] as (typeof services)[0]).enqueue(echo, at, { ...forever, key: `k${round}` }),
      );
      const handles = await stage.clock.runUntil(Promise.all(racing));
      assert.equal(new Set(handles.map(({ id }) => id)).size, 1);
      assert.equal(handles.filter(({ outcome }) => outcome === "created").length, 1);
      assert.ok(handles.every(({ record }) => record !== null));
    }
    assert.equal((await stage.clock.runUntil((services[0] as (typeof services)[0]).counts())).total, 20);
  });

  it("is not lost with a producer that died after taking it: the next one stores the record", async (t) => {
    const stage = new Stage(t);
    const echo = stage.task((input: number) => input);
    const dying = await stage.service(
      {},
      { onCall: ({ method }) => (method === "insert" ? { lose: "request" } : null) },
    );
    await assert.rejects(stage.clock.runUntil(dying.enqueue(echo, 1, forever)));
    const service = await stage.service();
    const handle = await service.enqueue(echo, 2, forever);
    assert.equal(handle.outcome, "existing");
    await stage.worker();
    assert.equal((await stage.ended(handle.id)).result, "2");
    assert.equal((await service.enqueue(echo, 3, forever)).id, handle.id);
    assert.equal((await service.counts()).total, 1);
  });

  it("survives lost answers of every call on the way", async (t) => {
    const stage = new Stage(t);
    const echo = stage.task((input: number) => input);
    const service = await stage.service(
      {},
      { onCall: ({ method, nth }) => (method === "insert" && nth === 1 ? { lose: "reply" } : null) },
    );
    const handle = await stage.clock.runUntil(service.enqueue(echo, 1, forever));
    assert.deepEqual([handle.outcome, (await service.counts()).total], ["created", 1]);
  });

  it("is refused while a record holds the key until its end", async (t) => {
    const stage = new Stage(t);
    const echo = stage.task((input: number) => input);
    const service = await stage.service();
    const first = await service.enqueue(echo, 1, { key: "k" });
    await assert.rejects(
      service.enqueue(echo, 2, forever),
      (error) => hasCode(error, "KEY_CONFLICT") && error.message.includes('"k"'),
    );
    await first.cancel();
    assert.equal((await service.enqueue(echo, 2, forever)).outcome, "created");
  });
});
