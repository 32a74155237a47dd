/** Cancelling, reviving and retrying: one record and many; rates, races, crashes, bad input. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { BulkReport, RecordFilter } from "../../src/core/record-operations.ts";
import { type ErrorCode, hasCode } from "../../src/model/errors.ts";
import { statusOf, type TaskRecord } from "../../src/model/record.ts";
import { gate, Stage } from "./support/stage.ts";
import { cancelledNow, everyRecord, failedAll, idOf, inserted, onEachStore } from "./support/stores.ts";

const done = (report: Partial<BulkReport>): BulkReport => ({
  ...{ dryRun: false, matched: 0, changed: 0, skipped: 0, failed: 0, complete: true },
  ...report,
});

const refused =
  (code: ErrorCode, message = /./u) =>
  (error: unknown): boolean =>
    hasCode(error, code) && message.test(error.message);

const inState = async (stage: Stage, state: TaskRecord["state"]): Promise<number> =>
  (await everyRecord(stage.store)).filter((record) => record.state === state).length;

describe("reviving one record", () => {
  onEachStore("brings back what failed or was cancelled, with its history, and nothing else", async (stage) => {
    const service = await stage.service();
    const [failed = "", stopped = "", waiting = ""] = await inserted(stage, 3, { expiresIn: 5_000, key: null });
    await cancelledNow(stage, stopped, "oops");
    await failedAll(stage);
    await inserted(stage, 1, {}, 3);
    const before = await stage.record(failed);
    await stage.clock.advance(10_000);
    assert.equal(await service.revive(failed), "revived");
    const after = await stage.record(failed);
    const now = stage.clock.wall();
    assert.deepEqual(after, {
      ...before,
      ...{ state: "pending", version: before.version + 1, revivals: 1, failures: 0, workerId: null },
      ...{ queuedAt: now, readyAt: now, finishedAt: null, expiresAt: null, reason: null },
    });
    assert.equal(after.error?.name, "RangeError");
    assert.equal(await service.revive(stopped), "revived");
    assert.equal(await service.revive(failed), "not-finished");
    assert.equal(await service.revive(idOf(3)), "not-finished");
    assert.equal(await service.revive(idOf(99)), "gone");
    assert.equal(await service.revive(waiting), "revived");
    assert.equal((await stage.record(waiting)).version, 4);
  });

  it("never a completed one; a worker runs the revived", async (t) => {
    const stage = new Stage(t);
    let broken = true;
    const flaky = stage.task(() => {
      if (broken) throw new Error("mend me");
      return "mended";
    });
    const service = await stage.service();
    await stage.worker();
    const handle = await service.enqueue(flaky);
    assert.equal((await stage.ended(handle.id)).state, "failed");
    broken = false;
    assert.equal(await service.revive(handle.id), "revived");
    const record = await stage.ended(handle.id);
    assert.deepEqual([record.state, record.attempt, record.revivals], ["completed", 2, 1]);
    assert.equal(await service.revive(handle.id), "completed");
    assert.equal((await stage.record(handle.id)).version, record.version);
  });

  it("once, though the answer is lost and the record has failed again", async (t) => {
    const stage = new Stage(t);
    await stage.store.open();
    const [id = ""] = await inserted(stage, 1);
    await failedAll(stage);
    let lost = false;
    const service = await stage.service(
      {},
      {
        onCall: ({ method }) => {
          if (method !== "apply" || lost) return null;
          lost = true;
          return { lose: "reply" };
        },
      },
    );
    const outcome = service.revive(id);
    await stage.until("the revival is stored", async () => (await stage.record(id)).revivals === 1);
    await failedAll(stage);
    assert.equal(await stage.clock.runUntil(outcome), "revived");
    const record = await stage.record(id);
    assert.deepEqual([record.state, record.revivals], ["failed", 1]);
  });

  it("that is immediate runs before the call returns, if its task is here", async (t) => {
    const stage = new Stage(t);
    let broken = true;
    const flaky = stage.task(() => {
      if (broken) throw new Error("no");
      return 7;
    });
    const service = await stage.service({ executionBackend: "immediate" });
    const handle = await service.enqueue(flaky);
    assert.equal(handle.status, "failed");
    broken = false;
    assert.equal(await service.revive(handle.id), "revived");
    assert.equal((await stage.record(handle.id)).state, "completed");
    const [unknown = ""] = await inserted(stage, 1, { execution: "immediate", taskName: "nobody.knows" });
    await cancelledNow(stage, unknown, "x");
    await assert.rejects(service.revive(unknown), refused("TASK_UNKNOWN", /nobody\.knows/));
    await assert.rejects(service.retry(unknown), refused("TASK_UNKNOWN", /nobody\.knows/));
    assert.deepEqual(await service.revive({ task: "nobody.knows" }), done({ matched: 1, skipped: 1 }));
    assert.equal((await stage.record(unknown)).state, "cancelled");
  });
});

describe("reviving many", () => {
  onEachStore("counts first, then revives what matched, oldest first", async (stage) => {
    const service = await stage.service();
    await inserted(stage, 30, { queue: "mail" });
    await failedAll(stage, "TypeError");
    await inserted(stage, 20, { queue: "other" }, 100);
    await failedAll(stage, "RangeError");
    await inserted(stage, 1, {}, 200);
    await cancelledNow(stage, idOf(200), "x");
    const filter: RecordFilter = { errorName: "TypeError" };
    assert.deepEqual(await service.revive(filter, { dryRun: true }), done({ dryRun: true, matched: 30 }));
    assert.equal(await inState(stage, "failed"), 50);
    const limited = await service.revive(filter, { perSecond: null, limit: 10 });
    assert.deepEqual(limited, done({ matched: 10, changed: 10, complete: false }));
    const revived = (await everyRecord(stage.store)).filter(({ revivals }) => revivals > 0);
    assert.deepEqual(
      revived.map(({ id }) => id),
      Array.from({ length: 10 }, (_, n) => idOf(n)),
    );
    assert.deepEqual(await service.revive(filter, { perSecond: null, limit: 20 }), done({ matched: 20, changed: 20 }));
    assert.deepEqual(await service.revive(filter), done({}));
    const rest = await service.revive({}, { all: true, perSecond: null });
    assert.deepEqual(rest, done({ matched: 21, changed: 21 }));
    assert.equal(await inState(stage, "pending"), 51);
  });

  onEachStore("10,000 at the pace that is asked for, and no faster", async (stage) => {
    const service = await stage.service();
    await inserted(stage, 10_000);
    await failedAll(stage);
    const began = stage.clock.mono();
    const told: [number, number][] = [];
    const onProgress = ({ changed }: BulkReport): number => told.push([stage.clock.mono() - began, changed]);
    const run = service.revive(
      { status: "failed" },
      { perSecond: 1_000, onProgress: (soFar) => void onProgress(soFar) },
    );
    assert.deepEqual(await stage.clock.runUntil(run), done({ matched: 10_000, changed: 10_000 }));
    const took = stage.clock.mono() - began;
    assert.equal(took, 9_900);
    for (const [at, changed] of told) assert.ok(changed <= 100 + at, `${changed} after ${at} ms`);
    assert.equal(await inState(stage, "pending"), 10_000);
  });

  it("100 per second unless told otherwise", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    await inserted(stage, 250);
    await failedAll(stage);
    const began = stage.clock.mono();
    await stage.clock.runUntil(service.revive({ queue: "q" }));
    assert.equal(stage.clock.mono() - began, 2_400);
    await failedAll(stage);
    await stage.clock.advance(1);
    const slow = service.revive({ queue: "q" }, { perSecond: 0.5, limit: 3 });
    const from = stage.clock.mono();
    await stage.clock.runUntil(slow);
    assert.equal(stage.clock.mono() - from, 4_000);
  });

  onEachStore("does not revive twice what fails again during the run", async (stage) => {
    const service = await stage.service();
    await inserted(stage, 600);
    await failedAll(stage);
    await stage.clock.advance(10);
    const run = service.revive({ status: "failed" }, { perSecond: 100 });
    let ended = false;
    void run.then(() => {
      ended = true;
    });
    await stage.until("everything was revived", async () => {
      await failedAll(stage);
      return ended;
    });
    assert.equal((await run).changed, 600);
    const records = await everyRecord(stage.store);
    assert.deepEqual(new Set(records.map(({ revivals, state }) => `${state} ${revivals}`)), new Set(["failed 1"]));
  });

  onEachStore("two at once revive each record once, though all of them fail again at once", async (stage) => {
    const [one, two] = [await stage.service(), await stage.service()];
    await inserted(stage, 1_000);
    await failedAll(stage);
    await stage.clock.advance(5);
    const early = one.revive({ status: "failed" }, { perSecond: 500 });
    // Not in one millisecond: two equal writes cannot be told apart, so that both would count them.
    await stage.clock.advance(3);
    const runs = Promise.all([early, two.revive({ status: "failed" }, { perSecond: 300 })]);
    let ended = false;
    void runs.then(() => {
      ended = true;
    });
    const began = stage.clock.mono();
    await stage.until("both are done", async () => {
      // What ends within the millisecond of the beginning counts as having ended before.
      if (stage.clock.mono() > began) await failedAll(stage);
      return ended;
    });
    const [first, second] = await runs;
    assert.equal(first.changed + second.changed, 1_000);
    assert.ok(first.changed > 0 && second.changed > 0);
    assert.ok((await everyRecord(stage.store)).every(({ revivals }) => revivals === 1));
  });

  it("ends, though new records fail all the time", async (t) => {
    const stage = new Stage(t);
    let number = 1_000;
    let pages = 0;
    const service = await stage.service(
      {},
      {
        onCall: ({ method }) => {
          if (method === "page") {
            pages += 1;
            if (pages > 50) return { lose: "request", code: "STORE_CORRUPT" };
            number += 300;
            void inserted(stage, 300, {}, number).then(() => failedAll(stage));
          }
          return null;
        },
      },
    );
    await inserted(stage, 500);
    await failedAll(stage);
    const report = await stage.clock.runUntil(service.revive({ status: "failed" }, { perSecond: null }));
    assert.ok(report.changed >= 500 && report.changed < 1_200, String(report.changed));
  });

  it("stops between batches when the signal aborts, and can be run again", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    await inserted(stage, 100);
    await failedAll(stage);
    const stop = new AbortController();
    const onProgress = ({ changed }: BulkReport): void => {
      if (changed >= 30) stop.abort();
    };
    const first = service.revive({ queue: "q" }, { perSecond: 100, signal: stop.signal, onProgress });
    assert.deepEqual(await stage.clock.runUntil(first), done({ matched: 30, changed: 30, complete: false }));
    assert.equal(stage.clock.pending, 0, "no timer is left behind");
    const none = await service.revive({ queue: "q" }, { signal: stop.signal });
    assert.deepEqual(none, done({ complete: false }));
    assert.equal((await stage.clock.runUntil(service.revive({ queue: "q" }))).changed, 70);
  });

  it("goes on past a record that cannot be written, and gives up when the store is away", async (t) => {
    const stage = new Stage(t);
    let away = false;
    const service = await stage.service(
      {},
      {
        onCall: ({ method, args }) => {
          if (method !== "apply") return null;
          const ids = (args[0] as readonly { from: TaskRecord }[]).map(({ from }) => from.id);
          if (away) return { lose: "request" };
          return ids.includes(idOf(3)) ? { lose: "request", code: "STORE_CORRUPT" } : null;
        },
      },
    );
    await inserted(stage, 20);
    await failedAll(stage);
    const report = await stage.clock.runUntil(service.revive({ queue: "q" }, { perSecond: null }));
    assert.deepEqual(report, done({ matched: 20, changed: 19, failed: 1 }));
    assert.match(stage.logs.map(({ message }) => message).join(), /revive: tasks could not be written/);
    await failedAll(stage);
    await stage.clock.advance(1);
    away = true;
    const lost = service.revive({ queue: "q" }).catch((error: unknown) => error);
    assert.ok(hasCode(await stage.clock.runUntil(lost), "STORE_UNAVAILABLE"));
    away = false;
    assert.equal((await service.revive({ queue: "q" }, { limit: 10 })).changed, 9, "all but the one again");
  });
});

describe("cancelling many", () => {
  onEachStore("ends what waits and asks what runs to stop, with the reason; no finished record", async (stage) => {
    const service = await stage.service();
    await inserted(stage, 3);
    await failedAll(stage);
    await inserted(stage, 5, { tags: ["x"] }, 10);
    await inserted(stage, 2, { readyIn: 60_000 }, 20);
    const request = { workerId: "w", limit: 2, lease: 600_000, queues: null, queueLimits: {}, executions: ["local"] };
    await stage.store.claim({ ...request, token: "c".repeat(32), tasks: ["t"] });
    assert.equal((await service.cancel({ tags: "x" }, { dryRun: true })).matched, 5);
    assert.deepEqual(await service.cancel({ status: "scheduled" }), done({ matched: 2, changed: 2 }));
    const report = await service.cancel({ tags: "x" }, { reason: "wrong \u0000batch" });
    assert.deepEqual(report, done({ matched: 5, changed: 5 }));
    assert.deepEqual(await service.cancel({}, { all: true }), done({}), "nothing is asked twice");
    const records = (await everyRecord(stage.store)).slice(3, 8);
    assert.deepEqual(
      records.map(({ state, reason }) => [state, reason]),
      [...Array(2).fill(["running", "wrong \ufffdbatch"]), ...Array(3).fill(["cancelled", "wrong \ufffdbatch"])],
    );
    assert.equal(await inState(stage, "failed"), 3);
  });

  it("keeps to the rate, and decides anew about what began meanwhile", async (t) => {
    const stage = new Stage(t);
    const held = gate();
    const slow = stage.task(() => held.promise);
    const service = await stage.service();
    for (let n = 0; n < 30; n += 1) await service.enqueue(slow);
    const run = service.cancel({ status: "pending" }, { perSecond: 10 });
    await stage.clock.advance(1_000);
    const worker = await stage.worker({ maxConcurrency: 100 });
    await stage.until("the rest runs", async () => (await service.counts()).running > 0);
    const report = await stage.clock.runUntil(run);
    const records = await everyRecord(stage.store);
    const running = records.filter((record) => statusOf(record, 0) === "running" || record.state === "completed");
    assert.equal(report.changed + report.skipped, 30);
    assert.equal(report.skipped, running.length);
    assert.ok(running.length > 0 && running.every(({ cancelRequestedAt }) => cancelRequestedAt === null));
    held.open();
    await stage.clock.runUntil(worker.stop());
  });

  onEachStore("against revivals and workers: whoever comes first, every record ends in one piece", async (stage) => {
    const task = stage.task((fails: boolean) => {
      if (fails) throw new Error("planned");
    });
    const [one, two] = [await stage.service(), await stage.service()];
    await stage.worker();
    await stage.worker();
    const handles = await one.enqueueMany(
      task,
      Array.from({ length: 200 }, (_, n) => n % 2 === 0),
    );
    const runs: Promise<BulkReport>[] = [];
    for (let round = 0; round < 5; round += 1) {
      runs.push(one.revive({ task: task.name }, { perSecond: 2_000 }), two.cancel({ task: task.name }));
      await stage.clock.advance(20);
    }
    await stage.clock.runUntil(Promise.all(runs));
    for (const { id } of handles) await stage.ended(id);
    for (const report of await Promise.all(runs)) {
      assert.equal(report.matched, report.changed + report.skipped);
      assert.deepEqual([report.failed, report.complete], [0, true]);
    }
    const revivals = (await everyRecord(stage.store)).reduce((sum, record) => sum + record.revivals, 0);
    const revived = (await Promise.all(runs)).filter((_, at) => at % 2 === 0).reduce((sum, r) => sum + r.changed, 0);
    assert.equal(revivals, revived);
  });
});

describe("bulk operations refuse", () => {
  it("an empty filter, other records than they can change, and options that they do not know", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    await inserted(stage, 2);
    const cases: readonly [unknown, unknown, RegExp][] = [
      [{}, {}, /the filter is empty, which means every record; name what is meant, or say all: true/],
      [{ queue: undefined, tags: undefined }, {}, /the filter is empty/],
      [{}, { all: false }, /the filter is empty/],
      [{}, { dryRun: true }, /the filter is empty/],
      [{ queue: "q" }, { all: "yes" }, /all is "yes", not true or false/],
      [{ queue: "q" }, { dryRun: 1 }, /dryRun is 1, not true or false/],
      [{ queue: "q" }, { perSecond: 0 }, /perSecond is 0, not a number from 0.01 to 100,000, or null/],
      [{ queue: "q" }, { perSecond: Number.NaN }, /perSecond is NaN/],
      [{ queue: "q" }, { perSecond: "9" }, /perSecond is "9"/],
      [{ queue: "q" }, { limit: 0 }, /limit is 0, not a whole number of at least 1/],
      [{ queue: "q" }, { signal: {} }, /signal is \{\}, not an AbortSignal/],
      [{ queue: "q" }, { onProgress: 1 }, /onProgress is 1, not a function/],
      [{ queue: "q" }, { batch: 1 }, /there is no option "batch", only dryRun, perSecond/],
      [{ queue: "q" }, null, /options is null, not an object/],
      [null, {}, /the filter is null/],
      [7, {}, /the filter is 7/],
      [{ status: "completed" }, {}, /status is "completed", not one of/],
    ];
    for (const verb of ["cancel", "revive"] as const) {
      for (const [filter, options, message] of cases) {
        await assert.rejects(
          service[verb](filter as RecordFilter, options as object),
          refused("OPTION_INVALID", new RegExp(`^${verb}: .*${message.source}`, "u")),
          `${verb} ${JSON.stringify(filter)} ${JSON.stringify(options)}`,
        );
      }
    }
    await assert.rejects(service.revive({ status: "pending" }), refused("OPTION_INVALID", /failed, cancelled/));
    await assert.rejects(
      service.cancel({ status: "failed" }),
      refused("OPTION_INVALID", /pending, scheduled, running/),
    );
    await assert.rejects(service.revive({ queue: "q" }, { reason: "x" } as object), refused("OPTION_INVALID"));
    await assert.rejects(
      service.cancel({ queue: "q" }, { reason: 3 } as object),
      refused("OPTION_INVALID", /reason is 3/),
    );
    assert.equal(await inState(stage, "pending"), 2);
    await service.close();
    await assert.rejects(service.revive({ queue: "q" }), refused("NOT_OPEN"));
    await assert.rejects(service.retry("x"), refused("NOT_OPEN"));
  });
});

describe("running a record again", () => {
  onEachStore("makes a new record of it, without key, delay and deadline; the old one stays", async (stage) => {
    const service = await stage.service();
    const facts = { priority: 3, input: '{"n":1}', metadata: '{"who":"me"}', tags: ["a"], description: "d", key: "k" };
    const [id = ""] = await inserted(stage, 1, { ...facts, executionProfile: "big", expiresIn: 99, readyIn: 1 });
    await assert.rejects(
      service.retry(id),
      refused("ILLEGAL_TRANSITION", /is pending, not completed, failed or cancelled/),
    );
    await assert.rejects(service.retry(idOf(7)), refused("RECORD_GONE"));
    await stage.clock.advance(5);
    await failedAll(stage);
    const before = await stage.record(id);
    const handle = await service.retry(id);
    assert.deepEqual([handle.outcome, handle.status, handle.taskName], ["created", "pending", "t"]);
    assert.deepEqual(await stage.record(id), before);
    const again = await stage.record(handle.id);
    const { queue, execution, policy } = before;
    assert.deepEqual(again, {
      ...again,
      ...{ ...facts, queue, execution, executionProfile: "big", policy, key: null, origin: { kind: "retry", of: id } },
      ...{ state: "pending", attempt: 0, error: null, expiresAt: null, readyAt: stage.clock.wall(), revivals: 0 },
    });
    assert.notEqual((await service.retry(id)).id, handle.id);
  });

  it("of an immediate task runs it", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service({ executionBackend: "immediate" });
    const double = stage.task((input: number) => input * 2);
    const first = await service.enqueue(double, 4);
    const second = await service.retry(first.id);
    assert.equal(await second.result({ timeout: 0 }), 8);
  });
});

it("tasks() lists what is registered here", async (t) => {
  const stage = new Stage(t);
  const service = await stage.service();
  const options = { queue: "mail", retries: 2, timeout: "30s", tags: ["x"], priority: 4, delay: "1m" } as const;
  const { name } = stage.task(() => null, { ...options, description: "for people", executionBackend: "local" });
  const own = service.tasks().find((task) => task.name === name);
  assert.match(own?.definedAt ?? "", /stage\.(?:ts|js):\d+$/u);
  assert.deepEqual(own, {
    ...{ name, queue: "mail", priority: 4, retries: 2, timeout: 30_000, delay: "1m", executionBackend: "local" },
    schedule: null,
    ...{ tags: ["x"], description: "for people", definedAt: own?.definedAt },
  });
});
