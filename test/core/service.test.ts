/** The door: what an enqueue takes, refuses and writes; group commit; opening and closing. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { registry } from "../../src/core/registry.ts";
import { task } from "../../src/core/task.ts";
import type { EnqueueOptions } from "../../src/core/vocabulary.ts";
import { type ErrorCode, hasCode } from "../../src/model/errors.ts";
import type { Draft, TaskRecord } from "../../src/model/record.ts";
import { QueueService } from "../../src/sidereal.ts";
import type { FaultPlan } from "../../src/testing/faulty.ts";
import { gate, Stage } from "./support/stage.ts";

const refused =
  (code: ErrorCode, message?: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(hasCode(error, code), `${String(error)} instead of ${code}`);
    if (message !== undefined) assert.match(error.message, message);
    return true;
  };

function counting(sizes: number[]): FaultPlan {
  return {
    onCall: ({ method, args }) => {
      if (method === "insert") sizes.push((args[0] as readonly Draft[]).length);
      return null;
    },
  };
}

describe("enqueue", () => {
  it("stores what the options say, by task and by name alike", async (t) => {
    const stage = new Stage(t);
    const plain = stage.task((input: { n: number }) => input.n);
    const service = await stage.service();
    const now = stage.clock.wall();
    const options: EnqueueOptions = {
      ...{ queue: "mail", priority: 7, retries: 4, timeout: "90s", tags: ["a", "b"], description: "for people" },
      ...{ backoff: { type: "linear", delay: "2s" }, metadata: { who: "me", deep: [1] }, delay: "1m", expiresIn: "2m" },
      ...{ key: "one", executionBackend: "local", executionProfile: "big", requeueOnShutdown: false },
    };
    const byTask = await service.enqueue(plain, { n: 1 }, options);
    const byName = await service.enqueue(plain.name, { n: 1 }, { ...options, key: "two" });
    const [one, two] = [await stage.record(byTask.id), await stage.record(byName.id)];
    const { id: _, key, ...rest } = two;
    assert.deepEqual({ ...one, id: null, key: null }, { ...rest, id: null, key: null });
    assert.deepEqual([one.key, key], ["one", "two"]);
    const expected: Partial<TaskRecord> = {
      ...{
        taskName: plain.name,
        queue: "mail",
        priority: 7,
        input: '{"n":1}',
        tags: ["a", "b"],
        description: "for people",
      },
      ...{ metadata: '{"who":"me","deep":[1]}', readyAt: now + 60_000, expiresAt: now + 180_000, createdAt: now },
      ...{ execution: "local", executionProfile: "big", state: "pending", version: 1, attempt: 0 },
      policy: {
        retries: 4,
        timeout: 90_000,
        requeueOnShutdown: false,
        backoff: { kind: "linear", delay: 2_000, factor: 2, maxDelay: 3_600_000, jitter: 0.2 },
      },
    };
    assert.deepEqual(
      Object.fromEntries(Object.keys(expected).map((name) => [name, one[name as keyof TaskRecord]])),
      expected,
    );
    assert.deepEqual([byTask.outcome, byTask.status, byTask.taskName], ["created", "scheduled", plain.name]);
  });

  it("takes a task's defaults, and overrides each", async (t) => {
    const stage = new Stage(t);
    const defaults = stage.task((input: number) => input, {
      ...{ queue: "own", priority: 3, retries: 2, timeout: "5s", delay: "10s", expiresIn: "20s", tags: ["t"] },
      ...{ description: "d", metadata: { m: 1 }, backoff: "3s", requeueOnShutdown: false, key: (input) => `k${input}` },
    });
    const service = await stage.service();
    const now = stage.clock.wall();
    const own = await stage.record((await service.enqueue(defaults, 1)).id);
    assert.deepEqual(
      [
        own.queue,
        own.priority,
        own.policy.retries,
        own.policy.timeout,
        own.readyAt - now,
        (own.expiresAt ?? 0) - now,
        own.tags,
        own.key,
      ],
      ["own", 3, 2, 5_000, 10_000, 30_000, ["t"], "k1"],
    );
    const over = await stage.record(
      (
        await service.enqueue(defaults, 2, {
          ...{
            queue: "x",
            priority: -3,
            retries: 0,
            timeout: "1s",
            runAt: now + 99,
            expiresAt: new Date(now + 500),
            tags: [],
          },
          ...{ description: "e", metadata: {}, backoff: 1, requeueOnShutdown: true, key: "mine" },
        })
      ).id,
    );
    assert.deepEqual(
      [
        over.queue,
        over.priority,
        over.policy.retries,
        over.policy.timeout,
        over.readyAt - now,
        (over.expiresAt ?? 0) - now,
        over.tags,
        over.key,
      ],
      ["x", -3, 0, 1_000, 99, 500, [], "mine"],
    );
    assert.deepEqual(
      [over.description, over.metadata, over.policy.backoff.delay, over.policy.requeueOnShutdown],
      ["e", "{}", 1, true],
    );
  });

  for (const [name, options, code, message] of [
    ["an unknown option", { prio: 1 }, "OPTION_INVALID", /there is no option "prio"/],
    ["options that are none", "fast", "OPTION_INVALID", /options is "fast", not an object/],
    ["a queue name", { queue: "a b" }, "NAME_INVALID", /queue is "a b"/],
    ["a priority", { priority: 1.5 }, "OPTION_INVALID", /priority is 1\.5/],
    ["a priority out of bounds", { priority: 1_001 }, "OPTION_INVALID", /priority is 1001/],
    ["retries", { retries: -1 }, "OPTION_INVALID", /retries is -1/],
    ["too many retries", { retries: 1_001 }, "OPTION_INVALID", /retries is 1001/],
    ["a delay", { delay: "soon" }, "DURATION_INVALID", /delay is "soon"/],
    ["delay and runAt", { delay: 1, runAt: 5 }, "OPTION_INVALID", /delay and runAt exclude each other/],
    ["runAt", { runAt: "tomorrow" }, "OPTION_INVALID", /runAt is "tomorrow"/],
    ["an invalid date", { runAt: new Date(Number.NaN) }, "OPTION_INVALID", /runAt is null/],
    ["runAt of infinity", { runAt: Number.POSITIVE_INFINITY }, "OPTION_INVALID", /runAt is Infinity/],
    ["a negative runAt", { runAt: -1 }, "OPTION_INVALID", /runAt is -1/],
    ["expiresIn", { expiresIn: -5 }, "DURATION_INVALID", /expiresIn is -5/],
    ["expiresAt", { expiresAt: {} }, "OPTION_INVALID", /expiresAt is \{\}/],
    ["expiresIn and expiresAt", { expiresIn: 1, expiresAt: 5 }, "OPTION_INVALID", /expiresIn and expiresAt exclude/],
    ["a time-out of nothing", { timeout: 0 }, "DURATION_INVALID", /timeout is 0/],
    ["a back-off", { backoff: { type: "no" } }, "OPTION_INVALID", /backoff\.type is "no"/],
    ["a back-off function", { backoff: () => 1 }, "OPTION_INVALID", /give it to the task/],
    ["a key", { key: 5 }, "OPTION_INVALID", /key is 5/],
    ["an empty key", { key: "" }, "OPTION_INVALID", /key is ""/],
    ["a long key", { key: "k".repeat(501) }, "OPTION_INVALID", /key is "kkk/],
    ["NUL in a key", { key: "a\0" }, "OPTION_INVALID", /key is "a\\u0000"/],
    ["key and uniqueBy", { key: "k", uniqueBy: "task" }, "OPTION_INVALID", /key and uniqueBy exclude each other/],
    ["uniqueBy", { uniqueBy: "name" }, "OPTION_INVALID", /uniqueBy is "name", not "task" or "input"/],
    ["uniqueUntil", { uniqueUntil: "later", key: "k" }, "OPTION_INVALID", /uniqueUntil is "later"/],
    ["uniqueUntil without a key", { uniqueUntil: "forever" }, "OPTION_INVALID", /uniqueUntil needs key or uniqueBy/],
    ["metadata that is a list", { metadata: [1] }, "OPTION_INVALID", /metadata is \[1\], not an object/],
    ["metadata with a date", { metadata: { at: new Date(0) } }, "INPUT_NOT_JSON", /metadata\.at is a Date/],
    ["metadata of 65 KiB", { metadata: { x: "x".repeat(66_000) } }, "OPTION_INVALID", /more than 65,536/],
    ["tags", { tags: "a" }, "OPTION_INVALID", /tags is "a"/],
    ["an empty tag", { tags: [""] }, "OPTION_INVALID", /tags is \[""\]/],
    ["21 tags", { tags: Array.from({ length: 21 }, () => "t") }, "OPTION_INVALID", /not up to 20 texts/],
    ["a description", { description: "x".repeat(1_001) }, "OPTION_INVALID", /description is /],
    [
      "an execution backend",
      { executionBackend: "cloud" },
      "OPTION_INVALID",
      /executionBackend is "cloud", not "local" or "immediate"/,
    ],
    ["an execution profile", { executionProfile: "a b" }, "NAME_INVALID", /executionProfile is "a b"/],
    ["requeueOnShutdown", { requeueOnShutdown: 1 }, "OPTION_INVALID", /requeueOnShutdown is 1/],
    ["tx on a store without", { tx: {} }, "TRANSACTION_UNSUPPORTED", /the memory store has no transactions/],
  ] as const) {
    it(`refuses ${name}, and writes nothing`, async (t) => {
      const stage = new Stage(t);
      const echo = stage.task((input: number) => input);
      const service = await stage.service();
      await assert.rejects(service.enqueue(echo, 1, options as never), refused(code, message));
      await assert.rejects(service.enqueueMany(echo, [1, 2], options as never), refused(code, message));
      assert.equal((await service.counts()).total, 0);
    });
  }

  it("refuses inputs that are not JSON or too large, with their place", async (t) => {
    const stage = new Stage(t);
    const echo = stage.task((input: unknown) => input);
    const service = await stage.service();
    await assert.rejects(
      service.enqueue(echo, { a: [new Date(0)] }),
      refused("INPUT_NOT_JSON", /^input\.a\[0\] is a Date/),
    );
    await assert.rejects(
      service.enqueue(echo, "x".repeat(1_048_575)),
      refused("INPUT_TOO_LARGE", /^input has .*more than 1048576 bytes/),
    );
    await assert.rejects(
      service.enqueueMany(echo, [1, 2, { b: "\0" }]),
      refused("INPUT_NOT_JSON", /^inputs\[2\]\.b holds a NUL/),
    );
    await assert.rejects(
      service.enqueueMany(echo, "abc" as never),
      refused("OPTION_INVALID", /inputs is "abc", not an array/),
    );
    assert.equal((await service.counts()).total, 0);
    await service.enqueue(echo, "x".repeat(1_048_574));
  });

  it("refuses names and things that are no tasks", async (t) => {
    const service = await new Stage(t).service();
    for (const name of [
      "nobody.knows",
      "__proto__",
      "constructor",
      "../../etc/passwd",
      "data:text/javascript,1",
      "node:fs",
      "a\0b",
      "x".repeat(1_000_000),
    ])
      await assert.rejects(
        service.enqueue(name),
        (error) => refused("TASK_UNKNOWN")(error) && (error as Error).message.length < 400,
      );
    for (const odd of [undefined, null, 5, {}, () => 1, { name: "x" }])
      await assert.rejects(service.enqueue(odd as never), refused("TASK_UNKNOWN"));
  });

  it("validates before it derives a key or stores, and lists the fields", async (t) => {
    const stage = new Stage(t);
    const { z } = await import("zod");
    const checked = task(
      "stage.validated",
      { input: z.object({ user: z.object({ id: z.string() }), n: z.number() }), key: (input) => input.user.id },
      (input) => input.user.id,
    );
    t.after(() => registry.remove("stage.validated"));
    const service = await stage.service();
    await assert.rejects(
      service.enqueue(checked, { n: "1" } as never),
      refused("INPUT_INVALID", /stage\.validated refused its input \(input\.user: .*; input\.n: /),
    );
    await assert.rejects(
      service.enqueueMany(checked, [{ user: { id: "a" }, n: 1 }, { user: { id: 5 }, n: 1 } as never]),
      refused("INPUT_INVALID", /inputs\[1\]\.user\.id: /),
    );
    assert.equal((await service.counts()).total, 0);
    const handle = await service.enqueue(checked, { user: { id: "u1" }, n: 1 });
    assert.equal((await stage.record(handle.id)).key, "u1");
  });
});

describe("group commit", () => {
  it("64 concurrent enqueues become few inserts, and none resolves before the store has its record", async (t) => {
    const stage = new Stage(t);
    const echo = stage.task((input: number) => input);
    const sizes: number[] = [];
    const service = await stage.service(
      {},
      {
        onCall: ({ method, args }) => {
          if (method !== "insert") return null;
          sizes.push((args[0] as readonly Draft[]).length);
          return { delayReply: 10 };
        },
      },
    );
    let early = 0;
    const all = Promise.all(
      Array.from({ length: 64 }, async (_, at) => {
        const handle = await service.enqueue(echo, at);
        const [record] = await stage.store.find({ by: "id", ids: [handle.id] });
        if (record?.input !== String(at)) early += 1;
        return handle.id;
      }),
    );
    const ids = await stage.clock.runUntil(all);
    assert.equal(new Set(ids).size, 64);
    assert.equal(early, 0);
    assert.ok(sizes.length <= 3, `${sizes} records per insert`);
  });

  it("while one write is under way the rest gathers for the next", async (t) => {
    const stage = new Stage(t);
    const echo = stage.task((input: number) => input);
    const sizes: number[] = [];
    const service = await stage.service(
      {},
      {
        onCall: ({ method, args }) => {
          if (method !== "insert") return null;
          sizes.push((args[0] as readonly Draft[]).length);
          return { delayRequest: 100 };
        },
      },
    );
    const first = service.enqueue(echo, 0);
    await stage.clock.settle();
    const rest = Array.from({ length: 30 }, (_, at) => service.enqueue(echo, at));
    await stage.clock.runUntil(Promise.all([first, ...rest]));
    assert.deepEqual(sizes, [1, 30]);
  });

  it("enqueueMany keeps the order, in few writes, with options for each", async (t) => {
    const stage = new Stage(t);
    const sizes: number[] = [];
    const echo = stage.task((input: number) => input);
    const service = await stage.service({}, counting(sizes));
    const handles = await service.enqueueMany(
      echo,
      Array.from({ length: 2_500 }, (_, at) => at),
      (input, index) => ({ priority: input === index ? index % 10 : 0 }),
    );
    assert.deepEqual(sizes, [1_000, 1_000, 500]);
    const records = await Promise.all(handles.map(({ id }) => stage.record(id)));
    assert.ok(records.every(({ input, priority }, at) => input === String(at) && priority === at % 10));
    assert.ok(
      handles.every(({ id }, at) => at === 0 || id > (handles[at - 1] as { id: string }).id),
      "ids grow",
    );
    assert.deepEqual(await service.enqueueMany(echo, []), []);
  });

  it("enqueueMany writes nothing when one input or option is refused", async (t) => {
    const stage = new Stage(t);
    const echo = stage.task((input: unknown) => input);
    const service = await stage.service();
    const inputs: unknown[] = Array.from({ length: 2_000 }, (_, at) => at);
    inputs[1_999] = undefined;
    inputs[1_500] = new Map();
    await assert.rejects(service.enqueueMany(echo, inputs), refused("INPUT_NOT_JSON", /inputs\[1500\] is a Map/));
    await assert.rejects(
      service.enqueueMany(echo, [1, 2, 3], (_, index) => (index === 2 ? { priority: 0.5 } : {})),
      refused("OPTION_INVALID"),
    );
    assert.equal((await service.counts()).total, 0);
  });

  it("an item that the store refuses for good fails alone", async (t) => {
    const stage = new Stage(t);
    const echo = stage.task((input: string) => input);
    const service = await stage.service(
      {},
      {
        onCall: ({ method, args }) => {
          const bad =
            method === "insert" && (args[0] as readonly Draft[]).some(({ record }) => record.input === '"bad"');
          return bad ? { lose: "request", code: "STORE_READ_ONLY" } : null;
        },
      },
    );
    const ends = await Promise.allSettled(["a", "bad", "c"].map((input) => service.enqueue(echo, input)));
    assert.deepEqual(
      ends.map(({ status }) => status),
      ["fulfilled", "rejected", "fulfilled"],
    );
  });
});

describe("an insert whose answer is lost", () => {
  it("is repeated under the same ids, and one record comes of it", async (t) => {
    const stage = new Stage(t);
    const echo = stage.task((input: number) => input, { uniqueBy: "input" });
    const service = await stage.service(
      {},
      { onCall: ({ method, nth }) => (method === "insert" && nth <= 2 ? { lose: "reply" } : null) },
    );
    const handles = await stage.clock.runUntil(
      Promise.all([service.enqueue(echo, 1), service.enqueue(echo, 1), service.enqueue(echo, 2)]),
    );
    assert.deepEqual(
      handles.map(({ outcome }) => outcome),
      ["created", "existing", "created"],
    );
    assert.equal(handles[0]?.id, handles[1]?.id);
    assert.equal((await service.counts()).total, 2);
  });

  it("ends in a typed error that says that the outcome is unknown, when the store stays away", async (t) => {
    const stage = new Stage(t);
    const echo = stage.task((input: number) => input);
    const service = await stage.service({}, { onCall: ({ method }) => (method === "insert" ? { hang: true } : null) });
    const began = stage.clock.mono();
    await assert.rejects(
      stage.clock.runUntil(service.enqueue(echo, 1)),
      (error) => refused("STORE_TIMEOUT")(error) && hasCode(error, "STORE_TIMEOUT") && error.committed === "unknown",
    );
    assert.ok(stage.clock.mono() - began < 60_000, "it does not wait for ever");
  });
});

describe("opening and closing", () => {
  it("what needs the store says NOT_OPEN before and after", async (t) => {
    const stage = new Stage(t);
    const echo = stage.task((input: number) => input);
    const service = new QueueService({ queueBackend: stage.store }, { clock: stage.clock });
    const calls = [
      () => service.enqueue(echo, 1),
      () => service.enqueueMany(echo, [1]),
      () => service.get("x"),
      () => service.handle("x"),
      () => service.counts(),
      () => service.cancel("x"),
      () => service.resetKey("x"),
    ];
    for (const call of calls) await assert.rejects(call, refused("NOT_OPEN", /has not been opened yet/));
    assert.equal(service.isOpen, false);
    await service.close();
    assert.equal(await service.open(), service);
    assert.equal(await service.open(), service);
    await service.close();
    await service.close();
    for (const call of calls) await assert.rejects(call, refused("NOT_OPEN", /was closed/));
    await service.open();
    await service.enqueue(echo, 1);
    await service[Symbol.asyncDispose]();
    assert.equal(service.isOpen, false);
  });

  it("a close during the opening waits for it, and wins", async (t) => {
    const stage = new Stage(t);
    const service = new QueueService({ queueBackend: stage.store }, { clock: stage.clock });
    const opening = service.open();
    await service.close();
    await opening;
    assert.equal(service.isOpen, false);
  });

  it("a close waits for enqueues under way, whatever they wait for", async (t) => {
    const stage = new Stage(t);
    const valid = gate();
    const schema = {
      "~standard": {
        version: 1 as const,
        vendor: "test",
        validate: async (value: unknown) => {
          await valid.promise;
          return { value };
        },
      },
    };
    const slow = task("stage.slow-check", { input: schema }, (input) => input);
    t.after(() => registry.remove("stage.slow-check"));
    const echo = stage.task((input: number) => input);
    const service = await stage.service(
      {},
      { onCall: ({ method }) => (method === "insert" ? { delayRequest: 500 } : null) },
    );
    const under = [service.enqueue(echo, 1), service.enqueue(slow, 2), service.enqueueMany(echo, [3, 4])];
    let closed = false;
    const closing = service.close().then(() => {
      closed = true;
    });
    await assert.rejects(service.enqueue(echo, 5), refused("NOT_OPEN"));
    await stage.clock.advance("10s");
    assert.equal(closed, false);
    valid.open();
    await stage.clock.runUntil(Promise.all([closing, ...under]));
    const { records } = await stage.store.page({ order: "oldest", after: null, limit: 10 });
    assert.deepEqual(records.map(({ input }) => input).sort(), ["1", "2", "3", "4"]);
  });
});

describe("counts", () => {
  it("carry seven keys always, of one queue or all", async (t) => {
    const stage = new Stage(t);
    const echo = stage.task((input: number) => input);
    const service = await stage.service();
    const none = { pending: 0, scheduled: 0, running: 0, completed: 0, failed: 0, cancelled: 0, total: 0 };
    assert.deepEqual(await service.counts(), none);
    await service.enqueue(echo, 1);
    await service.enqueue(echo, 2, { delay: "1m", queue: "other" });
    await (await service.enqueue(echo, 3)).cancel();
    assert.deepEqual(await service.counts(), { ...none, pending: 1, scheduled: 1, cancelled: 1, total: 3 });
    assert.deepEqual(await service.counts({ queue: "other" }), { ...none, scheduled: 1, total: 1 });
    assert.deepEqual(await service.counts({ queue: "nowhere" }), none);
  });
});
