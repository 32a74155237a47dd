/** The list of workers: what each tells of itself, how long it is believed, and that nothing depends on it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { workerOf } from "../../src/core/presence-note.ts";
import { gate, Stage } from "./support/stage.ts";

const PRESENCE = "worker:";

describe("workers", () => {
  it("lists what a worker tells of itself, and how old that is", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const held = gate();
    const slow = stage.task(() => held.promise, { queue: "reports" });
    await stage.clock.advance("1m");
    const startedAt = await stage.store.now();
    const worker = await stage.worker({
      queues: ["reports", "mail"],
      maxConcurrency: 3,
      queueConcurrency: { reports: 1 },
    });
    const { id } = await service.enqueue(slow);
    await stage.until("it runs", () => worker.status().running === 1);
    await stage.clock.advance("6s");
    const [info, ...others] = await service.workers();
    assert.deepEqual(others, []);
    assert.ok(info !== undefined);
    const { host, version, tasks, heartbeatAge, heartbeatAt, running, ...rest } = info;
    assert.deepEqual(rest, {
      ...{ id: worker.id, readable: true, pid: process.pid, node: process.versions.node, startedAt, state: "running" },
      ...{ ready: true, queues: ["reports", "mail"], concurrency: 3, full: ["reports"], taskCount: tasks.length },
      ...{ executions: ["local"], runningCount: 1, claimed: 0, alive: true },
    });
    assert.ok(worker.id.startsWith(host as string));
    // The package's own file is not where the compiled tests look for it.
    assert.equal(version, null);
    assert.ok(tasks.includes(slow.name));
    const { startedAt: claimedAt } = await stage.record(id);
    assert.deepEqual(running, [{ id, task: slow.name, queue: "reports", startedAt: claimedAt, stuck: false }]);
    assert.equal(heartbeatAge, (await stage.store.now()) - heartbeatAt);
    await stage.clock.advance("1h");
    const [later] = await service.workers();
    assert.ok((later?.heartbeatAge ?? 9e9) <= 6_000, `the last heartbeat is ${later?.heartbeatAge} ms old`);
  });

  it("lists a worker as soon as the store has answered it, and no longer once it has stopped", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const worker = await stage.worker();
    await stage.clock.settle();
    assert.deepEqual(
      (await service.workers()).map(({ id, ready }) => [id, ready]),
      [[worker.id, true]],
    );
    await stage.clock.runUntil(worker.stop());
    assert.deepEqual(await service.workers(), []);
    assert.equal(stage.clock.pending, 0);
  });

  it("tells of a worker that drains, and of a handler that ignores its signal", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const held = gate();
    const deaf = stage.task(() => held.promise, { timeout: "10s" });
    const worker = await stage.worker({ finalCancelTimeout: "5s", gracefulShutdownTimeout: "1h" });
    await service.enqueue(deaf);
    await stage.clock.advance("30s");
    assert.deepEqual(
      (await service.workers()).map(({ state, running }) => [state, running.map(({ stuck }) => stuck)]),
      [["running", [true]]],
    );
    const stopping = worker.stop();
    await stage.clock.settle();
    const state = async () => (await service.workers()).map((info) => [info.state, info.ready]);
    assert.deepEqual(await state(), [["stopping", false]]);
    await stage.clock.advance("10m");
    assert.deepEqual(await state(), [["stopping", false]], "it is listed for as long as it drains");
    held.open();
    await stage.clock.runUntil(stopping);
    assert.deepEqual(await state(), []);
  });

  it("believes a silent worker for 15 s, lists it for a minute, then forgets it", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    let silent = false;
    await stage.worker({}, { onCall: ({ method }) => (method === "hold" && silent ? { lose: "request" } : null) });
    await stage.clock.settle();
    silent = true;
    const seen = async (): Promise<unknown> => (await service.workers()).map((info) => info.alive);
    await stage.clock.advance(14_990);
    assert.deepEqual(await seen(), [true]);
    await stage.clock.advance(20);
    assert.deepEqual(await seen(), [false]);
    await stage.clock.advance(44_970);
    assert.deepEqual(await seen(), [false]);
    await stage.clock.advance(20);
    assert.deepEqual(await seen(), []);
    const told = stage.logs.filter(({ message }) => message.includes("heartbeat was not stored"));
    assert.equal(told.length, 1, "it is said once");
    const { id } = await service.enqueue(stage.task(() => "done"));
    assert.equal((await stage.ended(id, 1_000)).state, "completed", "the worker is not disturbed");
  });

  it("costs one write in five seconds", async (t) => {
    const stage = new Stage(t);
    let writes = 0;
    await stage.worker(
      {},
      {
        onCall: ({ method }) => {
          if (method === "hold") writes += 1;
          return null;
        },
      },
    );
    await stage.clock.advance("10m");
    assert.ok(writes >= 100 && writes <= 150, `${writes} writes`);
  });

  it("a stop does not wait for a list that does not answer", async (t) => {
    const stage = new Stage(t);
    let silent = false;
    const worker = await stage.worker(
      {},
      {
        onCall: ({ method }) => (silent && ["hold", "release"].includes(method) ? { hang: true } : null),
      },
    );
    await stage.clock.settle();
    silent = true;
    await stage.clock.advance("7s");
    const began = stage.clock.mono();
    assert.equal(await stage.clock.runUntil(worker.stop()), "clean");
    assert.ok(stage.clock.mono() - began <= 1_000, `it took ${stage.clock.mono() - began} ms`);
  });

  it("tells of a hundred running tasks at most, and of how many there are", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const held = gate();
    const slow = stage.task(() => held.promise);
    await service.enqueueMany(slow, Array.from({ length: 150 }));
    const worker = await stage.worker({ maxConcurrency: 150 });
    await stage.until("they run", () => worker.status().running === 150);
    await stage.clock.advance("6s");
    const [info] = await service.workers();
    assert.deepEqual([info?.running.length, info?.runningCount], [100, 150]);
    const [hold] = await stage.store.held(PRESENCE);
    assert.equal(JSON.parse(hold?.note ?? "").running.length, 100, "the note is bounded, too");
    held.open();
  });

  it("lists whatever a note holds", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const notes = [
      ...[null, "", "no json", "null", "7", "[]", '"text"', "{}", '{"tasks":7,"queues":[],"executions":[]}'],
      '{"tasks":["a",7,null],"queues":{"length":3},"executions":[]}',
    ];
    for (const [at, note] of notes.entries()) {
      await stage.store.hold(`${PRESENCE}odd-${at}`, "somebody", { lease: 60_000, note });
    }
    await stage.store.hold(`${PRESENCE}eternal`, "somebody", {
      note: '{"tasks":["a",7],"queues":[],"executions":[],"running":[{},{"id":"x"},7]}',
    });
    const workers = await service.workers();
    assert.equal(workers.length, notes.length + 1);
    assert.deepEqual(
      workers.filter(({ readable }) => readable).map(({ id, tasks, running, ready }) => [id, tasks, running, ready]),
      [["eternal", ["a"], [], false]],
    );
    const { id } = await service.enqueue(stage.task(() => undefined));
    const explanation = await service.explain(id);
    assert.ok((explanation?.causes.length ?? 0) > 0);
    assert.equal((await service.queues.list())[0]?.name, "default");
  });

  it("reads any note at all", () => {
    const hold = (note: string | null, until: number | null) => ({ name: `${PRESENCE}w`, holder: "h", until, note });
    const value = fc.oneof(fc.jsonValue(), fc.constantFrom(-1, 1e308, "x".repeat(5_000), []));
    const keys = ["host", "pid", "version", "state", "ready", "startedAt", "concurrency", "full", "running", "lease"];
    const note = fc.dictionary(
      fc.constantFrom(...keys, "tasks", "queues", "executions", "taskCount", "runningCount", "claimed"),
      value,
    );
    fc.assert(
      fc.property(note, fc.option(fc.nat(), { nil: null }), (made, until) => {
        const info = workerOf(
          hold(JSON.stringify({ tasks: [], queues: [], executions: [], ...made }), until),
          1_000_000,
        );
        assert.equal(info.id, "w");
        assert.ok(info.heartbeatAge >= 0);
        for (const text of [info.host, info.version, ...info.tasks, ...info.queues])
          assert.ok(text === null || (typeof text === "string" && text.length <= 200));
      }),
    );
  });
});

describe("explain", () => {
  it("follows a record from its enqueue to its end", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const held = gate<string>();
    const slow = stage.task(() => held.promise);
    const { id } = await service.enqueue(slow, undefined, { delay: "1m" });
    const codes = async (which = id) => (await service.explain(which))?.causes.map(({ code }) => code);
    assert.equal(await service.explain("00000000-0000-7000-8000-000000000000"), null);
    assert.deepEqual(await codes(), ["not-due", "no-worker"]);
    await stage.clock.advance("61s");
    assert.deepEqual(await codes(), ["no-worker"]);
    await service.queues.pause("default", { reason: "maintenance" });
    assert.deepEqual(await codes(), ["queue-paused", "no-worker"]);
    const worker = await stage.worker({ maxConcurrency: 1 });
    await stage.clock.advance("7s");
    assert.deepEqual(await codes(), ["queue-paused"]);
    await service.queues.resume("default");
    await stage.until("it runs", () => worker.status().running === 1, 1_000);
    await stage.clock.advance("7s");
    const running = await service.explain(id);
    assert.deepEqual([running?.status, running?.taskName, running?.queue], ["running", slow.name, "default"]);
    assert.match(running?.causes[0]?.sentence ?? "", new RegExp(`^Attempt 1 runs on worker ${worker.id} `, "u"));
    const waiting = await service.enqueue(slow);
    await service.enqueue(slow);
    assert.deepEqual(await codes(waiting.id), ["slots-taken", "others-ahead"]);
    held.open("done");
    await stage.ended(id, 1_000);
    assert.deepEqual(await codes(), ["completed"]);
  });
});
