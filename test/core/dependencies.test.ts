/** Dependencies: what an attempt acquires it has while its handler runs, and releases once, whatever the ending. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { QueueConfig } from "../../src/core/config.ts";
import { type DependencyProvider, type DependencyScope, dependency } from "../../src/core/dependency.ts";
import type { TaskContext, TaskOptions } from "../../src/core/vocabulary.ts";
import { hasCode, NonRetryableError, TaskCancelledError } from "../../src/model/errors.ts";
import type { TaskRecord } from "../../src/model/record.ts";
import type { Worker } from "../../src/sidereal.ts";
import { Db, Pool } from "./support/pool.ts";
import { gate, Stage } from "./support/stage.ts";

const STOP = { gracefulShutdownTimeout: "30s", finalCancelTimeout: "5s", leaseDuration: "12s" } as const;

/** Waits for its signal, then throws its reason. */
const untilAborted = (ctx: TaskContext): Promise<never> =>
  new Promise((_, reject) => ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason)));

/** Waits for its signal, then returns as if nothing had been. */
const returnsWhenAborted = (ctx: TaskContext): Promise<string> =>
  new Promise((resolve) => ctx.signal.addEventListener("abort", () => resolve("anyway")));

interface Play {
  readonly stage: Stage;
  readonly worker: Worker;
  readonly id: string;
  readonly cancel: () => Promise<unknown>;
}

interface Row {
  readonly ending: string;
  readonly run: (ctx: TaskContext) => unknown;
  readonly options?: TaskOptions;
  /** Brings it about. */
  readonly drive?: (play: Play) => Promise<unknown>;
  /** What the scope is told. */
  readonly told: string;
  readonly becomes: Partial<TaskRecord>;
}

const stopped = ({ stage, worker }: Play): Promise<unknown> => stage.clock.runUntil(worker.stop());
const forced = ({ stage, worker }: Play): Promise<unknown> => stage.clock.runUntil(worker.stop({ force: true }));

const ENDINGS: readonly Row[] = [
  { ending: "success", run: () => "done", told: "ok", becomes: { state: "completed", result: '"done"' } },
  {
    ending: "an error",
    run: () => Promise.reject(new RangeError("x")),
    told: "RangeError",
    becomes: { state: "failed", reason: "error" },
  },
  {
    ending: "an error with retries",
    run: () => Promise.reject(new RangeError("x")),
    options: { retries: 1, backoff: "10h" },
    told: "RangeError",
    becomes: { state: "pending", failures: 1 },
  },
  {
    ending: "a non-retryable error",
    run: () => Promise.reject(new NonRetryableError("no")),
    options: { retries: 5 },
    told: "NonRetryableError",
    becomes: { state: "failed", attempt: 1 },
  },
  {
    ending: "a throw before any await",
    run: () => {
      throw new SyntaxError("x");
    },
    told: "SyntaxError",
    becomes: { state: "failed" },
  },
  {
    ending: "a result that is no JSON",
    run: () => 10n,
    told: "RESULT_NOT_JSON",
    becomes: { state: "failed", reason: "result" },
  },
  {
    ending: "a snooze",
    run: (ctx) => ctx.snooze("10h"),
    told: "SnoozeRequest",
    becomes: { state: "pending", snoozes: 1 },
  },
  {
    ending: "a cancel by the handler",
    run: () => Promise.reject(new TaskCancelledError("enough")),
    told: "TASK_CANCELLED",
    becomes: { state: "cancelled", reason: "enough" },
  },
  {
    ending: "a timeout",
    run: untilAborted,
    options: { timeout: "2s" },
    told: "ATTEMPT_TIMEOUT",
    becomes: { state: "failed", reason: "timeout" },
  },
  {
    ending: "a timeout that the handler answers with a result",
    run: returnsWhenAborted,
    options: { timeout: "2s" },
    told: "ATTEMPT_TIMEOUT",
    becomes: { state: "failed", reason: "timeout", result: null },
  },
  {
    ending: "a cancel from outside",
    run: untilAborted,
    drive: ({ cancel }) => cancel(),
    told: "TASK_CANCELLED",
    becomes: { state: "cancelled" },
  },
  {
    ending: "a cancel that comes too late",
    run: returnsWhenAborted,
    drive: ({ cancel }) => cancel(),
    told: "ok",
    becomes: { state: "completed" },
  },
  {
    ending: "a shutdown",
    run: untilAborted,
    drive: stopped,
    told: "SHUTDOWN",
    becomes: { state: "pending", interruptions: 1 },
  },
  { ending: "a forced shutdown", run: untilAborted, drive: forced, told: "SHUTDOWN", becomes: { state: "pending" } },
  {
    ending: "a shutdown that the handler answers with a result",
    run: returnsWhenAborted,
    drive: stopped,
    told: "ok",
    becomes: { state: "completed" },
  },
];

describe("an attempt's dependencies are released once", () => {
  for (const { ending, run, options = {}, drive, told, becomes } of ENDINGS) {
    it(`after ${ending}`, async (t) => {
      const stage = new Stage(t);
      const pool = new Pool();
      const worker = await stage.worker(STOP, {}, { dependencies: { provider: pool.provider } });
      const service = await stage.service();
      const task = stage.task((_: undefined, ctx: TaskContext) => {
        assert.deepEqual(ctx.use(Db), { number: 1, open: true });
        return run(ctx);
      }, options);
      const { id } = await service.enqueue(task);
      await stage.until("it has begun", () => pool.count("acquire") === 1);
      await drive?.({ stage, worker, id, cancel: () => service.cancel(id) });
      await stage.until("it has ended", () => worker.status().running === 0);
      await stage.clock.advance("30s");
      assert.deepEqual(pool.calls.slice(0, 3), ["open", "acquire 1", `release 1 ${told}`]);
      assert.equal(pool.count("release"), 1);
      const record = await stage.record(id);
      for (const [field, value] of Object.entries(becomes))
        assert.deepEqual(record[field as keyof TaskRecord], value, `${field} of ${JSON.stringify(record.error)}`);
      assert.equal(pool.count("acquire"), 1);
    });
  }

  it("after the lease was lost, however the handler takes it", async (t) => {
    const stage = new Stage(t);
    const pool = new Pool();
    const held = gate<string>();
    let down = false;
    const worker = await stage.worker(
      STOP,
      { onCall: () => (down ? { lose: "request" } : null) },
      { dependencies: { provider: pool.provider } },
    );
    const service = await stage.service();
    let attempts = 0;
    const task = stage.task(() => {
      attempts += 1;
      return attempts === 1 ? held.promise : "second";
    });
    const { id } = await service.enqueue(task);
    await stage.until("it runs", () => attempts === 1);
    down = true;
    await stage.worker({ leaseDuration: "12s" });
    assert.equal((await stage.ended(id)).result, '"second"');
    assert.deepEqual(pool.calls, ["open", "acquire 1"], "the handler has not ended");
    down = false;
    await stage.until("it knows", () => stage.logs.some(({ message }) => message.includes("answers again")));
    await stage.clock.advance("12s");
    held.open("first");
    await stage.until("it has ended", () => worker.status().running === 0);
    assert.deepEqual(pool.calls, ["open", "acquire 1", "release 1 LEASE_LOST"]);
    assert.equal((await stage.record(id)).result, '"second"');
  });

  it("when an abandoned handler has really ended, not before", async (t) => {
    const stage = new Stage(t);
    const pool = new Pool();
    const held = gate<string>();
    const worker = await stage.worker(STOP, {}, { dependencies: { provider: pool.provider } });
    const service = await stage.service();
    const seen: boolean[] = [];
    const { id } = await service.enqueue(
      stage.task(async (_: undefined, ctx) => {
        const client = ctx.use(Db);
        await held.promise;
        seen.push(client.open);
      }),
    );
    await stage.until("it runs", () => worker.status().running === 1);
    assert.equal(await stage.clock.runUntil(worker.stop()), "escalated");
    assert.equal((await stage.record(id)).state, "pending");
    await stage.clock.runUntil(worker.service.close());
    assert.deepEqual(pool.calls, ["open", "acquire 1", "close"]);
    held.open("too late");
    await stage.clock.settle();
    assert.deepEqual([pool.calls, seen], [["open", "acquire 1", "close", "release 1 SHUTDOWN"], [true]]);
  });

  it("when a handler that ran into its timeout, and was reported for it, has really ended", async (t) => {
    const stage = new Stage(t);
    const pool = new Pool();
    const held = gate<string>();
    const worker = await stage.worker(STOP, {}, { dependencies: { provider: pool.provider } });
    const service = await stage.service();
    const { id } = await service.enqueue(stage.task(() => held.promise, { timeout: "1s" }));
    assert.equal((await stage.ended(id)).reason, "timeout");
    assert.deepEqual([pool.count("release"), worker.status().stuck.length], [0, 1]);
    held.open("late");
    await stage.until("the slot is free", () => worker.status().running === 0);
    assert.deepEqual(pool.calls, ["open", "acquire 1", "release 1 ATTEMPT_TIMEOUT"]);
  });

  it("never acquired for an input that is refused or that does not belong to us any more", async (t) => {
    const stage = new Stage(t);
    const pool = new Pool();
    await stage.worker(STOP, {}, { dependencies: { provider: pool.provider } });
    const service = await stage.service();
    let strict = false;
    const task = stage.task((input: string) => input, {
      input: {
        "~standard": {
          version: 1,
          vendor: "test",
          validate: (value: unknown) => (strict ? { issues: [{ message: "no" }] } : { value }),
        },
      },
    } as TaskOptions<string>);
    const { id } = await service.enqueue(task, "x", { delay: "1m" });
    strict = true;
    assert.equal((await stage.ended(id)).reason, "input");
    assert.deepEqual(pool.calls, ["open"]);
  });

  it("for each attempt anew, retries included, in immediate execution too", async (t) => {
    for (const executionBackend of ["local", "immediate"] as const) {
      const stage = new Stage(t);
      const pool = new Pool();
      const config: QueueConfig = { executionBackend, dependencies: { provider: pool.provider } };
      const service = await stage.service(config);
      if (executionBackend === "local") await stage.worker(STOP, {}, config);
      const used: number[] = [];
      const task = stage.task(
        (_: undefined, ctx) => {
          used.push(ctx.use(Db).number);
          if (ctx.attempt < 3) throw new Error("again");
          return "third";
        },
        { retries: 3, backoff: "1s" },
      );
      const { id } = await stage.clock.runUntil(service.enqueue(task));
      assert.equal((await stage.ended(id)).result, '"third"');
      assert.deepEqual(used, [1, 2, 3]);
      assert.deepEqual(
        pool.calls.filter((call) => call !== "open"),
        ["acquire 1", "release 1 Error", "acquire 2", "release 2 Error", "acquire 3", "release 3 ok"],
      );
    }
  });

  it("when an immediate handler ignores its signal: at its real end", async (t) => {
    const stage = new Stage(t);
    const pool = new Pool();
    const held = gate<string>();
    const service = await stage.service({ executionBackend: "immediate", dependencies: { provider: pool.provider } });
    const handle = await stage.clock.runUntil(service.enqueue(stage.task(() => held.promise, { timeout: "1s" })));
    assert.equal(handle.status, "failed");
    assert.equal(pool.count("release"), 0);
    held.open("late");
    await stage.clock.settle();
    assert.deepEqual(pool.calls, ["open", "acquire 1", "release 1 ATTEMPT_TIMEOUT"]);
  });
});

describe("a release that throws", () => {
  it("fails an attempt that had succeeded, and a retry may follow", async (t) => {
    const stage = new Stage(t);
    let releases = 0;
    const pool = new Pool({
      release: () => {
        releases += 1;
        return releases === 1 ? Promise.reject(new Error("commit failed")) : undefined;
      },
    });
    await stage.worker(STOP, {}, { dependencies: { provider: pool.provider } });
    const service = await stage.service();
    const { id } = await service.enqueue(stage.task(() => "done", { retries: 1, backoff: "1s" }));
    await stage.until("it has failed once", async () => (await stage.record(id)).failures === 1);
    assert.equal((await stage.record(id)).error?.message, "commit failed");
    assert.equal((await stage.ended(id)).state, "completed");
    assert.equal(pool.count("release"), 2);
  });

  it("changes nothing after any other outcome, and is logged", async (t) => {
    const stage = new Stage(t);
    const pool = new Pool({ release: () => Promise.reject(new Error("roll-back failed")) });
    await stage.worker(STOP, {}, { dependencies: { provider: pool.provider } });
    const service = await stage.service();
    const { id } = await service.enqueue(stage.task(() => Promise.reject(new RangeError("first"))));
    assert.equal((await stage.ended(id)).error?.name, "RangeError");
    const line = stage.logs.find(({ message }) => message.includes("could not be released"));
    assert.deepEqual(
      [line?.level, line?.fields["id"], (line?.fields["error"] as Error | undefined)?.message],
      ["error", id, "roll-back failed"],
    );
  });

  it("does not complete what was cancelled or handed back meanwhile", async (t) => {
    const stage = new Stage(t);
    const pool = new Pool({ release: () => Promise.reject(new Error("commit failed")) });
    const worker = await stage.worker(STOP, {}, { dependencies: { provider: pool.provider } });
    const service = await stage.service();
    const { id } = await service.enqueue(stage.task((_: undefined, ctx) => returnsWhenAborted(ctx)));
    await stage.until("it runs", () => worker.status().running === 1);
    await service.cancel(id);
    assert.equal((await stage.ended(id)).state, "cancelled");
    assert.ok(stage.logs.some(({ message }) => message.includes("could not be released")));
  });
});

describe("acquiring", () => {
  it("that throws fails the attempt, and nothing is released", async (t) => {
    const stage = new Stage(t);
    let tries = 0;
    const pool = new Pool({
      acquire: () => {
        tries += 1;
        return tries === 1 ? Promise.reject(new Error("the pool is empty")) : undefined;
      },
    });
    await stage.worker(STOP, {}, { dependencies: { provider: pool.provider } });
    const service = await stage.service();
    const { id } = await service.enqueue(stage.task(() => "done", { retries: 1, backoff: "1s" }));
    await stage.until("it has failed once", async () => (await stage.record(id)).failures === 1);
    assert.deepEqual(
      [(await stage.record(id)).error?.message, pool.calls],
      ["the pool is empty", ["open", "acquire 1"]],
    );
    await stage.ended(id);
    assert.deepEqual(pool.calls.slice(2), ["acquire 2", "release 2 ok"]);
  });

  it("counts to the timeout; what comes after it is released at once and the handler is not called", async (t) => {
    const stage = new Stage(t);
    const held = gate();
    const ran: string[] = [];
    const pool = new Pool({ acquire: () => held.promise });
    const worker = await stage.worker(STOP, {}, { dependencies: { provider: pool.provider } });
    const service = await stage.service();
    const { id } = await service.enqueue(stage.task(() => void ran.push("it"), { timeout: "2s" }));
    assert.equal((await stage.ended(id)).reason, "timeout");
    assert.deepEqual([pool.calls, worker.status().running], [["open", "acquire 1"], 1]);
    held.open();
    await stage.until("the slot is free", () => worker.status().running === 0);
    assert.deepEqual(pool.calls, ["open", "acquire 1", "release 1 ATTEMPT_TIMEOUT"]);
    assert.deepEqual(ran, []);
  });

  it("is told by its signal when the attempt should stop", async (t) => {
    const stage = new Stage(t);
    const pool = new Pool({
      acquire: ({ signal }) =>
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    });
    const worker = await stage.worker(STOP, {}, { dependencies: { provider: pool.provider } });
    const service = await stage.service();
    const { id } = await service.enqueue(stage.task(() => assert.fail("it must not run")));
    await stage.until("it runs", () => worker.status().running === 1);
    assert.equal(await stage.clock.runUntil(worker.stop({ force: true })), "escalated");
    assert.deepEqual([(await stage.record(id)).state, (await stage.record(id)).failures], ["pending", 0]);
    assert.deepEqual(pool.calls, ["open", "acquire 1"]);
  });

  for (const [what, scope] of [
    ["nothing", undefined],
    ["a scope without release", { values: [] }],
  ] as const) {
    it(`that gives ${what} is an error that says so`, async (t) => {
      const stage = new Stage(t);
      const provider: DependencyProvider = { acquire: () => scope as unknown as DependencyScope };
      await stage.worker(STOP, {}, { dependencies: { provider } });
      const service = await stage.service();
      const { error } = await stage.ended((await service.enqueue(stage.task(() => "done"))).id);
      assert.deepEqual([error?.code, error?.message.includes("provider.acquire gave no")], ["DEPENDENCY_FAILED", true]);
    });
  }

  it("that gives values of no use still gives a scope, which is released", async (t) => {
    for (const values of [undefined, 5, [{ value: 5 }], [null]]) {
      const stage = new Stage(t);
      const released: unknown[] = [];
      const scope = { values, release: (outcome: unknown) => void released.push(outcome) };
      const provider: DependencyProvider = { acquire: () => scope as unknown as DependencyScope };
      await stage.worker(STOP, {}, { dependencies: { provider } });
      const service = await stage.service();
      const { error } = await stage.ended((await service.enqueue(stage.task(() => "done"))).id);
      assert.deepEqual([error?.code, released.length], ["DEPENDENCY_FAILED", 1]);
    }
  });
});

describe("a resolver", () => {
  const Mail = dependency<string>("stage.mail");

  it("is asked before each attempt, and may answer late; the provider's value counts where both give one", async (t) => {
    const stage = new Stage(t);
    const pool = new Pool();
    const asked: string[] = [];
    const resolver = async ({
      taskName,
      attempt,
      tags,
    }: {
      taskName: string;
      attempt: number;
      tags: readonly string[];
    }) => {
      asked.push(`${taskName} ${attempt} ${tags.join()}`);
      await new Promise<void>((resolve) => stage.clock.after(50, resolve));
      return new Set([Mail.is("to everybody"), Db.is({ number: 99, open: true })]);
    };
    await stage.worker(STOP, {}, { dependencies: { resolver, provider: pool.provider } });
    const service = await stage.service();
    const task = stage.task((_: undefined, ctx) => [ctx.use(Mail), ctx.use(Db).number], { tags: ["a"] });
    const { result } = await stage.ended((await service.enqueue(task)).id);
    assert.deepEqual([JSON.parse(result ?? ""), asked], [["to everybody", 1], [`${task.name} 1 a`]]);
  });

  it("that throws, or is late, fails the attempt before anything is acquired", async (t) => {
    const stage = new Stage(t);
    const pool = new Pool();
    let mode: "throws" | "late" = "throws";
    const resolver = async () => {
      if (mode === "throws") throw new TypeError("no tenant");
      await new Promise<void>((resolve) => stage.clock.after(3_000, resolve));
      return [];
    };
    const worker = await stage.worker(STOP, {}, { dependencies: { resolver, provider: pool.provider } });
    const service = await stage.service();
    const task = stage.task(() => assert.fail("it must not run"), { timeout: "2s", retries: 1, backoff: "1h" });
    const first = await service.enqueue(task);
    await stage.until("it has failed", async () => (await stage.record(first.id)).failures === 1);
    assert.equal((await stage.record(first.id)).error?.name, "TypeError");
    mode = "late";
    const second = await service.enqueue(task);
    await stage.until("it has failed", async () => (await stage.record(second.id)).failures === 1);
    await stage.until("the slot is free", () => worker.status().running === 0);
    assert.equal((await stage.record(second.id)).error?.code, "ATTEMPT_TIMEOUT");
    assert.deepEqual(pool.calls, ["open"]);
  });
});

describe("ctx.use", () => {
  const Cache = dependency<string>("stage.cache");

  async function errorOf(t: TestContext, config: QueueConfig, use: (ctx: TaskContext) => unknown): Promise<string> {
    const stage = new Stage(t);
    await stage.worker(STOP, {}, config);
    const service = await stage.service();
    const { error } = await stage.ended((await service.enqueue(stage.task((_: undefined, ctx) => use(ctx)))).id);
    assert.equal(error?.code, "DEPENDENCY_UNKNOWN");
    return error.message;
  }

  it("names what is missing and what is there", async (t) => {
    const dependencies = { provider: new Pool().provider };
    assert.match(
      await errorOf(t, { dependencies }, (ctx) => ctx.use(Cache)),
      /no dependency stage\.cache: provided are stage\.db/,
    );
    const resolver = () => [];
    assert.match(
      await errorOf(t, { dependencies: { resolver } }, (ctx) => ctx.use(Db)),
      /stage\.db: nothing is provided/,
    );
    assert.match(await errorOf(t, {}, (ctx) => ctx.use(Db)), /neither a provider nor a resolver/);
  });

  it("does not mix up two dependencies of one name", async (t) => {
    const other = dependency<number>("stage.db");
    const message = await errorOf(t, { dependencies: { provider: new Pool().provider } }, (ctx) => ctx.use(other));
    assert.match(message, /one of that name is provided, but it was defined at .*pool/);
  });

  it("finds what another copy of the same module provides", async (t) => {
    const stage = new Stage(t);
    const copy = () => dependency<string>("stage.copied");
    const [one, two] = [copy(), copy()];
    await stage.worker(STOP, {}, { dependencies: { resolver: () => [one.is("it")] } });
    const service = await stage.service();
    const { id } = await service.enqueue(stage.task((_: undefined, ctx) => ctx.use(two)));
    assert.equal((await stage.ended(id)).result, '"it"');
  });

  it("gives nothing after the attempt has ended", async (t) => {
    const stage = new Stage(t);
    await stage.worker(STOP, {}, { dependencies: { provider: new Pool().provider } });
    const service = await stage.service();
    const kept: TaskContext[] = [];
    const { id } = await service.enqueue(stage.task((_: undefined, ctx) => void kept.push(ctx)));
    await stage.ended(id);
    assert.throws(
      () => kept[0]?.use(Db),
      (error) => hasCode(error, "DEPENDENCY_UNKNOWN") && /were released/.test(error.message),
    );
  });

  it("takes only well-formed names", () => {
    assert.throws(
      () => dependency(""),
      (error) => hasCode(error, "NAME_INVALID"),
    );
  });
});

describe("a provider's life", () => {
  it("begins before the store is opened and ends after it is closed", async (t) => {
    const stage = new Stage(t);
    const pool = new Pool();
    const service = await stage.service(
      { dependencies: { provider: pool.provider } },
      { onCall: ({ method }) => void pool.calls.push(method) },
    );
    assert.deepEqual(pool.calls.slice(0, 2), ["open", "now"]);
    await service.close();
    assert.equal(pool.calls.at(-1), "close");
    await service.close();
    assert.equal(pool.calls.filter((call) => call === "close").length, 1);
  });

  it("keeps the service shut when it cannot open; a store that cannot be opened closes it again", async (t) => {
    const stage = new Stage(t);
    const open = () => Promise.reject(new Error("refused"));
    const provider = { ...new Pool().provider, open };
    await assert.rejects(stage.service({ dependencies: { provider } }), (error) => {
      assert.ok(hasCode(error, "DEPENDENCY_FAILED"));
      assert.equal((error.cause as Error).message, "refused");
      return true;
    });
    const pool = new Pool();
    const failing = stage.service(
      { dependencies: { provider: pool.provider } },
      { onCall: ({ method }) => (method === "now" ? { lose: "request" } : null) },
    );
    await assert.rejects(failing, (error) => hasCode(error, "STORE_UNAVAILABLE"));
    assert.deepEqual(pool.calls, ["open", "close"]);
  });
});
