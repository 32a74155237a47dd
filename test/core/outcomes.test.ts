/** How attempts end: retries and their delays, errors with meaning, hostile throws, time-outs, results, progress and log. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Notes } from "../../src/core/notes.ts";
import { registry } from "../../src/core/registry.ts";
import { task } from "../../src/core/task.ts";
import type { TaskContext, TaskOptions } from "../../src/core/vocabulary.ts";
import { NonRetryableError, RetryAfterError, SiderealError, TaskCancelledError } from "../../src/model/errors.ts";
import { gate, Stage } from "./support/stage.ts";

/** Runs one record of a handler to its end and gives it, with the virtual times at which its attempts began. */
async function live(
  stage: Stage,
  handler: (input: undefined, ctx: TaskContext) => unknown,
  options: TaskOptions<undefined> = {},
) {
  const begun: number[] = [];
  const defined = stage.task((input: undefined, ctx) => {
    begun.push(stage.clock.mono());
    return handler(input, ctx);
  }, options);
  const service = await stage.service();
  await stage.worker();
  const { id } = await service.enqueue(defined);
  const record = await stage.ended(id, 100_000_000);
  const waits = begun.slice(1).map((at, index) => at - (begun[index] as number));
  return { record, waits };
}

/** Whether a wait is the delay, give or take the polls around it; the store counts whole milliseconds. */
function near(waits: readonly number[], delays: readonly number[], slack = 40): void {
  assert.equal(waits.length, delays.length, `waits: ${waits}`);
  for (const [at, delay] of delays.entries()) {
    const wait = waits[at] as number;
    assert.ok(wait > delay - 1 && wait <= delay + slack, `waited ${wait} ms instead of ${delay}`);
  }
}

const fail = (): never => {
  throw new Error("no");
};

describe("retries", () => {
  it("none by default: the first error ends it", async (t) => {
    const { record, waits } = await live(new Stage(t), fail);
    assert.deepEqual([record.state, record.reason, record.failures, record.attempt], ["failed", "error", 1, 1]);
    assert.deepEqual([record.error?.name, record.error?.message, record.error?.attempt], ["Error", "no", 1]);
    assert.equal(waits.length, 0);
  });

  for (const [name, backoff, delays] of [
    ["fixed", { type: "fixed", delay: "2s", jitter: 0 }, [2_000, 2_000, 2_000]],
    ["a bare duration", "750ms", [750, 750, 750]],
    ["linear", { type: "linear", delay: "1s", jitter: 0 }, [1_000, 2_000, 3_000]],
    ["exponential", { type: "exponential", delay: "1s", factor: 3, jitter: 0 }, [1_000, 3_000, 9_000]],
    ["capped", { type: "exponential", delay: "1s", factor: 10, maxDelay: "5s", jitter: 0 }, [1_000, 5_000, 5_000]],
    ["custom", (attempt: number) => attempt * 100, [100, 200, 300]],
    ["custom, as text", (attempt: number) => `${attempt}s` as const, [1_000, 2_000, 3_000]],
  ] as const) {
    it(`wait as told: ${name}`, async (t) => {
      const { record, waits } = await live(new Stage(t), fail, { retries: 3, backoff });
      assert.deepEqual([record.state, record.failures, record.attempt], ["failed", 4, 4]);
      near(waits, delays);
    });
  }

  it("end with the first success, which clears the error", async (t) => {
    const { record } = await live(new Stage(t), (_, ctx) => (ctx.attempt < 3 ? fail() : "done"), {
      retries: 5,
      backoff: 1,
    });
    assert.deepEqual(
      [record.state, record.result, record.attempt, record.failures, record.error],
      ["completed", '"done"', 3, 2, null],
    );
  });

  for (const [name, backoff] of [
    ["throws", fail],
    [
      "throws null",
      () => {
        throw null;
      },
    ],
    ["gives text that is no duration", () => "soon"],
    ["gives NaN", () => Number.NaN],
    ["gives infinity", () => Number.POSITIVE_INFINITY],
    ["gives a negative number", () => -5],
    ["gives nothing", () => undefined],
    ["gives a promise that rejects", () => Promise.reject(new Error("late"))],
  ] as const) {
    it(`fall back on the default where the custom formula ${name}`, async (t) => {
      const stage = new Stage(t);
      const { record, waits } = await live(stage, fail, { retries: 1, backoff: backoff as never });
      assert.equal(record.state, "failed");
      assert.ok((waits[0] as number) >= 800 && (waits[0] as number) <= 1_300, `${waits}`);
      assert.ok(stage.logs.some(({ message }) => message.includes("a retry delay is not usable")));
    });
  }

  it("NonRetryableError ends it, a subclass too, whatever is left", async (t) => {
    class Fatal extends NonRetryableError {}
    const stage = new Stage(t);
    for (const error of [new NonRetryableError("over"), new Fatal("over")]) {
      const { record } = await live(
        stage,
        () => {
          throw error;
        },
        { retries: 5 },
      );
      assert.deepEqual([record.state, record.attempt, record.error?.message], ["failed", 1, "over"]);
    }
  });

  it("RetryAfterError sets the wait and spends a retry", async (t) => {
    const { record, waits } = await live(
      new Stage(t),
      () => {
        throw new RetryAfterError("90s");
      },
      { retries: 2 },
    );
    assert.deepEqual([record.state, record.failures], ["failed", 3]);
    near(waits, [90_000, 90_000], 200);
  });

  it("RetryAfterError with a wait that is none falls back on the back-off", async (t) => {
    const { record, waits } = await live(
      new Stage(t),
      () => {
        throw new RetryAfterError("soon");
      },
      { retries: 1, backoff: "2s" },
    );
    assert.equal(record.state, "failed");
    near(waits, [2_000]);
  });

  it("snooze spends none, and waits as told", async (t) => {
    const { record, waits } = await live(new Stage(t), (_, ctx) => (ctx.attempt < 4 ? ctx.snooze("10s") : "up"), {
      retries: 0,
    });
    assert.deepEqual([record.state, record.snoozes, record.failures, record.attempt], ["completed", 3, 0, 4]);
    near(waits, [10_000, 10_000, 10_000]);
  });

  it("snooze refuses what is no duration", async (t) => {
    const { record } = await live(new Stage(t), (_, ctx) => ctx.snooze("later" as never));
    assert.deepEqual([record.state, record.error?.code], ["failed", "DURATION_INVALID"]);
  });

  it("TaskCancelledError ends it as cancelled, with its reason", async (t) => {
    const { record } = await live(
      new Stage(t),
      () => {
        throw new TaskCancelledError("not needed");
      },
      { retries: 5 },
    );
    assert.deepEqual([record.state, record.reason, record.attempt], ["cancelled", "not needed", 1]);
  });

  it("an input that another task refuses is an error of this one like any other", async (t) => {
    const { record } = await live(
      new Stage(t),
      () => {
        throw new SiderealError("INPUT_INVALID", "another task's");
      },
      { retries: 1, backoff: 1 },
    );
    assert.deepEqual([record.state, record.reason, record.attempt], ["failed", "error", 2]);
  });
});

describe("whatever a handler throws is recorded", () => {
  const revoked = (): unknown => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  };
  const hostile = new Proxy(new Error("x"), {
    get: () => assert.fail("no"),
    getPrototypeOf: () => assert.fail("no"),
    has: () => assert.fail("no"),
  });
  const circular: Record<string, unknown> = {};
  circular["self"] = circular;
  for (const [name, thrown] of [
    ["null", null],
    ["undefined", undefined],
    ["a symbol", Symbol("x")],
    ["a circular object", circular],
    ["a frozen error", Object.freeze(new Error("x"))],
    ["a revoked proxy", revoked()],
    ["a proxy of which every trap throws", hostile],
    ["a 50 MB message", new Error("x".repeat(50_000_000))],
    ["NUL and half a character", new Error("a\0\ud800")],
  ] as const) {
    it(`${name}, and the retry follows`, async (t) => {
      const { record } = await live(
        new Stage(t),
        () => {
          throw thrown;
        },
        { retries: 1, backoff: 1 },
      );
      assert.deepEqual([record.state, record.reason, record.attempt, record.failures], ["failed", "error", 2, 2]);
      assert.ok(Buffer.byteLength(JSON.stringify(record.error)) <= 32_768);
    });
    it(`${name}, with a formula of its own that is asked in vain`, async (t) => {
      const backoff = (): never => {
        throw thrown;
      };
      const { record } = await live(
        new Stage(t),
        () => {
          throw thrown;
        },
        { retries: 1, backoff },
      );
      assert.deepEqual([record.state, record.attempt], ["failed", 2]);
    });
  }

  it("even where the logger throws", async (t) => {
    const stage = new Stage(t);
    stage.logs.push = () => assert.fail("the disk is full");
    const { record } = await live(stage, fail, { backoff: fail, retries: 1 });
    assert.equal(record.state, "failed");
  });
});

describe("results", () => {
  it("are JSON; undefined members are left out; nothing is null in the record", async (t) => {
    const stage = new Stage(t);
    assert.equal((await live(stage, () => ({ a: 1, b: undefined }))).record.result, '{"a":1}');
    assert.equal((await live(stage, () => undefined)).record.result, null);
    assert.equal((await live(stage, () => null)).record.result, "null");
    assert.equal((await live(stage, async () => [])).record.result, "[]");
  });

  for (const [name, result, code, path] of [
    ["a Date", { at: [new Date(0)] }, "RESULT_NOT_JSON", "result.at[0] is a Date"],
    ["NUL", { text: "a\0" }, "RESULT_NOT_JSON", "result.text holds a NUL"],
    ["a bigint", 5n, "RESULT_NOT_JSON", "result is a bigint"],
    ["more than 1 MiB", "x".repeat(1_048_577), "RESULT_TOO_LARGE", "result has"],
  ] as const) {
    it(`${name} fails the record for good, with the path, however many retries are left`, async (t) => {
      const { record } = await live(new Stage(t), () => result, { retries: 5 });
      assert.deepEqual(
        [record.state, record.reason, record.error?.code, record.attempt],
        ["failed", "result", code, 1],
      );
      assert.ok(record.error?.message.startsWith(path), String(record.error?.message));
    });
  }

  it("of 1 MiB are kept", async (t) => {
    const { record } = await live(new Stage(t), () => "x".repeat(1_048_574));
    assert.deepEqual([record.state, record.result?.length], ["completed", 1_048_576]);
  });
});

describe("time-outs", () => {
  it("abort with the reason, fail the attempt, and spend a retry", async (t) => {
    const reasons: unknown[] = [];
    const { record, waits } = await live(
      new Stage(t),
      (_, ctx) =>
        new Promise((_resolve, reject) => {
          ctx.signal.addEventListener("abort", () => {
            reasons.push((ctx.signal.reason as SiderealError).code);
            reject(ctx.signal.reason);
          });
        }),
      { timeout: "3s", retries: 1, backoff: "1s" },
    );
    assert.deepEqual([record.state, record.reason, record.error?.code], ["failed", "timeout", "ATTEMPT_TIMEOUT"]);
    assert.deepEqual(reasons, ["ATTEMPT_TIMEOUT", "ATTEMPT_TIMEOUT"]);
    near(waits, [4_000]);
  });

  it("fail an attempt that ignores them, and name it as stuck until it ends", async (t) => {
    const stage = new Stage(t);
    const held = gate();
    const sleepy = stage.task(() => held.promise, { timeout: "1s" });
    const service = await stage.service();
    const worker = await stage.worker({ finalCancelTimeout: "2s", maxConcurrency: 1 });
    const { id } = await service.enqueue(sleepy);
    const record = await stage.ended(id);
    assert.deepEqual([record.state, record.reason], ["failed", "timeout"]);
    assert.deepEqual(worker.status().stuck, [`${sleepy.name} (${id})`]);
    assert.equal(worker.status().running, 1, "its slot stays taken");
    assert.ok(stage.logs.some(({ message, fields }) => message.includes("stuck") && fields["id"] === id));
    await stage.clock.advance("1s");
    held.open();
    await stage.clock.settle();
    assert.deepEqual([worker.status().stuck, worker.status().running], [[], 0]);
    assert.equal((await stage.record(id)).state, "failed");
    assert.ok(!stage.logs.some(({ message }) => message.includes("not accepted")), "its late end reports nothing");
  });

  it("count from the start of the handler, not of the queueing", async (t) => {
    const { record } = await live(new Stage(t), () => "ok", { timeout: "1s", delay: "5m" });
    assert.equal(record.state, "completed");
  });
});

describe("what a handler says of itself", () => {
  it("progress, heartbeat and log are stored with the record", async (t) => {
    const { record } = await live(new Stage(t), async (_, ctx) => {
      await ctx.progress(1, 4, "fetching");
      await ctx.heartbeat("page 2");
      await ctx.progress(2, 4);
      await ctx.log("read", { pages: 2 }, new TypeError("odd"), 5n, undefined);
    });
    assert.deepEqual(
      { ...record.progress, at: 0 },
      { current: 2, total: 4, message: "fetching", detail: "page 2", at: 0 },
    );
    assert.deepEqual(
      record.logs.map(({ message, attempt }) => [message, attempt]),
      [['read {"pages":2} TypeError: odd 5 undefined', 1]],
    );
  });

  it("a hundred calls in quick succession become few writes, and the last one counts", async (t) => {
    const stage = new Stage(t);
    let writes = 0;
    const many = stage.task(async (_: undefined, ctx) => {
      await Promise.all(Array.from({ length: 100 }, (_, at) => ctx.progress(at + 1, 100)));
    });
    const service = await stage.service();
    await stage.worker(
      {},
      {
        onCall: ({ method }) => {
          if (method === "apply") writes += 1;
          return null;
        },
      },
    );
    const record = await stage.ended((await service.enqueue(many)).id);
    assert.equal(record.progress?.current, 100);
    assert.ok(writes <= 4, `${writes} writes`);
  });

  it("a million small lines are bounded, and the last ones are kept", async (t) => {
    const { record } = await live(new Stage(t), async (_, ctx) => {
      for (let line = 0; line < 20_000; line += 1) void ctx.log(`line ${line}`);
      await ctx.log("last");
    });
    assert.equal(record.state, "completed");
    assert.ok(record.logs.length <= 50);
    assert.equal(record.logs.at(-1)?.message, "last");
  });

  it("a huge line is cut to 8 KiB, NUL and all", async (t) => {
    const { record } = await live(new Stage(t), (_, ctx) => ctx.log(`\0${"€".repeat(1_000_000)}`));
    assert.ok(Buffer.byteLength(JSON.stringify(record.logs[0]?.message)) <= 8_192);
    assert.ok(record.logs[0]?.message.startsWith("\ufffd€"));
  });

  it("progress that is no number is refused", async (t) => {
    for (const [current, total] of [
      [Number.NaN, 1],
      [1, Number.POSITIVE_INFINITY],
      ["1", 2],
    ]) {
      const { record } = await live(new Stage(t), (_, ctx) => ctx.progress(current as number, total as number));
      assert.equal(record.error?.code, "OPTION_INVALID");
    }
  });

  it("a handler that goes on writing after its end cannot keep its report waiting", async (t) => {
    const stage = new Stage(t);
    let calls = 0;
    const chatty = stage.task((_: undefined, ctx) => {
      void (async () => {
        for (; calls < 10_000; calls += 1) await ctx.progress(calls);
      })();
      return "returned";
    });
    const service = await stage.service();
    await stage.worker();
    const { id } = await service.enqueue(chatty);
    const record = await stage.ended(id);
    assert.equal(record.state, "completed");
    assert.ok((record.progress?.current ?? 0) < 9_999, "what came after the end is not on the record");
  });

  it("notes are closed for good: what comes later is not written, and does not hold the close up", async () => {
    let writes = 0;
    const notes: Notes = new Notes(
      async () => {
        writes += 1;
        if (writes < 1_000) void notes.add({ begun: true });
      },
      () => Promise.resolve(),
    );
    void notes.add({ begun: true });
    await notes.close();
    assert.ok(writes <= 2, `${writes} writes`);
    await notes.add({ begun: true });
    assert.ok(writes <= 2);
  });

  it("the context knows its record, by hand and by itself", async (t) => {
    const stage = new Stage(t);
    const { currentTaskContext } = await import("../../src/core/context.ts");
    const seen: unknown[] = [];
    const curious = stage.task(
      async (input: { n: number }, ctx) => {
        await Promise.resolve();
        assert.equal(currentTaskContext(), ctx);
        assert.ok(ctx.fence > 0 && ctx.attemptKey.startsWith(`${ctx.id}:`));
        ctx.assertLease();
        seen.push(
          input,
          ctx.id,
          ctx.idempotencyKey,
          ctx.taskName,
          ctx.queue,
          ctx.attempt,
          ctx.metadata,
          ctx.tags,
          ctx.signal.aborted,
        );
        return ctx.service.counts();
      },
      { queue: "own", tags: ["x"], metadata: { who: "me" } },
    );
    const service = await stage.service();
    await stage.worker();
    const { id } = await service.enqueue(curious, { n: 1 });
    await stage.ended(id);
    assert.deepEqual(seen, [{ n: 1 }, id, id, curious.name, "own", 1, { who: "me" }, ["x"], false]);
    assert.equal(currentTaskContext(), undefined);
  });
});

describe("validation before the run", () => {
  it("a stored input that no longer passes fails for good", async (t) => {
    const stage = new Stage(t);
    let strict = false;
    const schema = {
      "~standard": {
        version: 1 as const,
        vendor: "test",
        validate: (value: unknown) =>
          strict ? { issues: [{ message: "grew strict", path: ["n"] }] } : { value: value as { n: number } },
      },
    };
    const checked = task("stage.checked", { input: schema, retries: 3 }, () => "ran");
    t.after(() => registry.remove("stage.checked"));
    const service = await stage.service();
    const { id } = await service.enqueue(checked, { n: 1 });
    strict = true;
    await stage.worker();
    const record = await stage.ended(id);
    assert.deepEqual(
      [record.state, record.reason, record.attempt, record.error?.code],
      ["failed", "input", 1, "INPUT_INVALID"],
    );
    assert.match(record.error?.message ?? "", /input\.n: grew strict/);
  });

  it("a stored input that was damaged fails its record alone, for good", async (t) => {
    const stage = new Stage(t);
    const echo = stage.task((input: unknown) => input, { retries: 5 });
    const service = await stage.service();
    const [bad, good] = [await service.enqueue(echo, 1), await service.enqueue(echo, 2)];
    const from = await stage.record(bad.id);
    await stage.store.apply([{ from, to: { ...from, input: '{"half', version: from.version + 1 } }]);
    await stage.worker();
    const record = await stage.ended(bad.id);
    assert.deepEqual([record.state, record.reason, record.attempt], ["failed", "input", 1]);
    assert.match(record.error?.message ?? "", /the stored input is no JSON/);
    assert.equal((await stage.ended(good.id)).result, "2");
  });

  it("a handler gets what the schema makes of the input; the record keeps what was given", async (t) => {
    const { z } = await import("zod");
    const stage = new Stage(t);
    const seen: unknown[] = [];
    const parsed = task(
      "stage.parsed",
      { input: z.object({ at: z.iso.datetime().transform((text) => new Date(text)) }) },
      (input) => {
        seen.push(input.at);
        return input.at.getTime();
      },
    );
    t.after(() => registry.remove("stage.parsed"));
    const service = await stage.service();
    await stage.worker();
    const { id } = await service.enqueue(parsed, { at: "2026-01-02T03:04:05Z" });
    const record = await stage.ended(id);
    assert.deepEqual(seen, [new Date("2026-01-02T03:04:05Z")]);
    assert.equal(record.input, '{"at":"2026-01-02T03:04:05Z"}');
  });
});
