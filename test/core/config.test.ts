/** Every setting: its default, its checks, and what the messages say. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memory } from "../../src/backends/memory/index.ts";
import { defineQueues, isQueueConfig, type QueueConfig, resolveConfig } from "../../src/core/config.ts";
import { type ErrorCode, hasCode } from "../../src/model/errors.ts";
import { QueueService, Worker } from "../../src/sidereal.ts";

const DAY = 86_400_000;

const BAD: readonly (readonly [unknown, ErrorCode, RegExp])[] = [
  [null, "CONFIG_INVALID", /The configuration is null, not an object/],
  [[], "CONFIG_INVALID", /The configuration is \[\], not an object/],
  ["memory", "CONFIG_INVALID", /The configuration is "memory", not an object/],
  [{ queueBackend: "redis" }, "CONFIG_INVALID", /queueBackend is "redis", not "memory" or a store made by its factory/],
  [{ queueBackend: null }, "CONFIG_INVALID", /queueBackend is null/],
  [{ queueBackend: {} }, "CONFIG_INVALID", /queueBackend is \{\}/],
  [{ queueBackend: memory }, "CONFIG_INVALID", /queueBackend is a function/],
  [{ executionBackend: "threads" }, "CONFIG_INVALID", /executionBackend is "threads", not "local" or "immediate"/],
  [{ taskModules: "jobs" }, "CONFIG_INVALID", /taskModules is "jobs", not an array/],
  [{ taskModules: [5] }, "CONFIG_INVALID", /taskModules is \[5\]/],
  [{ taskModules: [""] }, "CONFIG_INVALID", /taskModules is \[""\]/],
  [{ inAppWorker: "process" }, "CONFIG_INVALID", /inAppWorker is "process", not true or false or "child-process"/],
  [{ queueServiceKey: "a b" }, "CONFIG_INVALID", /queueServiceKey is "a b", not a JavaScript identifier/],
  [{ queueWorkerKey: 5 }, "CONFIG_INVALID", /queueWorkerKey is 5/],
  [{ namespace: "A" }, "CONFIG_INVALID", /namespace is "A"/],
  [{ namespace: "x; drop table" }, "CONFIG_INVALID", /namespace is "x; drop table"/],
  [{ namespace: null }, "CONFIG_INVALID", /namespace is null/],
  [{ logger: {} }, "CONFIG_INVALID", /logger is \{\}, not an object with debug, info, warn and error/],
  [{ logger: { error: () => {} } }, "CONFIG_INVALID", /logger is/],
  [{ logger: null }, "CONFIG_INVALID", /logger is null/],
  [{ worker: 5 }, "CONFIG_INVALID", /worker is 5, not an object/],
  [{ worker: null }, "CONFIG_INVALID", /worker is null, not an object/],
  [{ worker: { batchSize: 0 } }, "CONFIG_INVALID", /worker\.batchSize is 0, not a whole number from 1 to 500/],
  [{ worker: { batchSize: 501 } }, "CONFIG_INVALID", /worker\.batchSize is 501/],
  [{ worker: { batchSize: null } }, "CONFIG_INVALID", /worker\.batchSize is null/],
  [
    { worker: { maxConcurrency: 0 } },
    "CONFIG_INVALID",
    /worker\.maxConcurrency is 0, not a whole number from 1 to 10000/,
  ],
  [{ worker: { maxConcurrency: 1.5 } }, "CONFIG_INVALID", /worker\.maxConcurrency is 1\.5/],
  [{ worker: { maxConcurrency: "10" } }, "CONFIG_INVALID", /worker\.maxConcurrency is "10"/],
  [{ worker: { pollInterval: 0 } }, "DURATION_INVALID", /worker\.pollInterval is 0, .*at least 1 ms/],
  [{ worker: { pollInterval: "fast" } }, "DURATION_INVALID", /worker\.pollInterval is "fast"/],
  [{ worker: { pollInterval: null } }, "DURATION_INVALID", /worker\.pollInterval is null/],
  [{ worker: { leaseDuration: "50ms" } }, "DURATION_INVALID", /worker\.leaseDuration is "50ms", .*at least 100 ms/],
  [{ worker: { heartbeatInterval: 0 } }, "DURATION_INVALID", /worker\.heartbeatInterval is 0/],
  [
    { worker: { heartbeatInterval: "16s" } },
    "CONFIG_CONFLICT",
    /worker\.heartbeatInterval is 16000 ms but must be at most half of worker\.leaseDuration \(30000 ms\)/,
  ],
  [
    { worker: { staleAfter: "10s" } },
    "CONFIG_CONFLICT",
    /worker\.staleAfter is 10000 ms but must be at least worker\.leaseDuration \(30000 ms\)/,
  ],
  [{ worker: { gracefulShutdownTimeout: -1 } }, "DURATION_INVALID", /worker\.gracefulShutdownTimeout is -1/],
  [{ worker: { finalCancelTimeout: Number.NaN } }, "DURATION_INVALID", /worker\.finalCancelTimeout is NaN/],
  [{ worker: { retention: "30 days" } }, "DURATION_INVALID", /worker\.retention is "30 days"/],
  [{ worker: { retention: { done: "1d" } } }, "CONFIG_INVALID", /worker\.retention has "done"; .*completed, failed/],
  [{ worker: { retention: ["1d"] } }, "CONFIG_INVALID", /worker\.retention has \["1d"\]; allowed are a duration/],
  [{ worker: { retention: { failed: "long" } } }, "DURATION_INVALID", /worker\.retention\.failed is "long"/],
  [{ worker: { retention: { failed: { age: -1 } } } }, "DURATION_INVALID", /worker\.retention\.failed\.age is -1/],
  [
    { worker: { retention: { failed: { count: 1.5 } } } },
    "CONFIG_INVALID",
    /retention\.failed\.count is 1\.5, not null/,
  ],
  [{ worker: { retention: { failed: { most: 1 } } } }, "CONFIG_INVALID", /retention\.failed has "most"; .*age, count/],
  [{ worker: { queues: "mail" } }, "CONFIG_INVALID", /worker\.queues is "mail", not an array/],
  [{ worker: { queues: ["a b"] } }, "NAME_INVALID", /worker\.queues is "a b"/],
  [{ worker: { queueConcurrency: [1] } }, "CONFIG_INVALID", /worker\.queueConcurrency is \[1\]/],
  [{ worker: { queueConcurrency: null } }, "CONFIG_INVALID", /worker\.queueConcurrency is null/],
  [{ worker: { queueConcurrency: { mail: 0 } } }, "CONFIG_INVALID", /worker\.queueConcurrency\.mail is 0/],
  [{ worker: { queueConcurrency: { "a b": 1 } } }, "NAME_INVALID", /worker\.queueConcurrency is "a b"/],
  [
    { worker: { queues: ["a"], queueConcurrency: { b: 1 } } },
    "CONFIG_CONFLICT",
    /worker\.queueConcurrency names b, which is not one of worker\.queues/,
  ],
  [
    { queue_backend: "memory" },
    "CONFIG_INVALID",
    /The configuration has no setting "queue_backend"\. Did you mean queueBackend\?/,
  ],
  [{ queueBackends: "memory" }, "CONFIG_INVALID", /Did you mean queueBackend\?/],
  [{ taskModule: [] }, "CONFIG_INVALID", /Did you mean taskModules\?/],
  [{ worker_batch_size: 5 }, "CONFIG_INVALID", /no setting "worker_batch_size"\. Did you mean worker\.batchSize\?/],
  [{ maxConcurrency: 5 }, "CONFIG_INVALID", /no setting "maxConcurrency"\. Did you mean worker\.maxConcurrency\?/],
  [
    { worker: { max_concurrency: 5 } },
    "CONFIG_INVALID",
    /worker has no setting "max_concurrency"\. Did you mean maxConcurrency\?/,
  ],
  [{ worker: { pollIntervall: 5 } }, "CONFIG_INVALID", /Did you mean pollInterval\?/],
  [{ worker: { colour: "red" } }, "CONFIG_INVALID", /worker has no setting "colour"\. Allowed are batchSize, /],
  [{ colour: "red" }, "CONFIG_INVALID", /The configuration has no setting "colour"\. Allowed are queueBackend, /],
];

describe("configuration", () => {
  it("has the defaults of the documentation", () => {
    assert.deepEqual(resolveConfig({}), {
      ...{ executionBackend: "local", taskModules: [], inAppWorker: true, namespace: "sidereal" },
      ...{ queueServiceKey: "queueService", queueWorkerKey: "queueWorker", initializeSchedules: true },
      ...{ schedulerCanaryTask: "scheduler.heartbeat", dependencies: null, sanitizeError: null },
      worker: {
        ...{ batchSize: 10, pollInterval: 100, maxConcurrency: 10, queueConcurrency: {}, queues: [] },
        ...{ leaseDuration: 30_000, heartbeatInterval: 10_000, staleAfter: 30_000 },
        retention: {
          completed: { age: 604_800_000, count: null },
          failed: { age: 2_592_000_000, count: null },
          cancelled: { age: 2_592_000_000, count: null },
        },
        ...{ gracefulShutdownTimeout: 30_000, finalCancelTimeout: 5_000 },
      },
    });
  });

  it("derives the heartbeat and the staleness from the lease", () => {
    const { worker } = resolveConfig({ worker: { leaseDuration: "9s" } });
    assert.deepEqual([worker.heartbeatInterval, worker.staleAfter], [3_000, 9_000]);
  });

  it("takes retention for all states, for one, by age, by count, or for ever", () => {
    const rules = (retention: NonNullable<QueueConfig["worker"]>["retention"]) =>
      resolveConfig({ worker: { ...(retention !== undefined && { retention }) } }).worker.retention;
    const alike = (age: number | null) => ({ age, count: null });
    assert.deepEqual(rules("1d"), { completed: alike(DAY), failed: alike(DAY), cancelled: alike(DAY) });
    assert.deepEqual(rules(null), { completed: alike(null), failed: alike(null), cancelled: alike(null) });
    assert.deepEqual(rules({ completed: null, failed: { count: 5 }, cancelled: { age: null, count: 0 } }), {
      completed: alike(null),
      failed: { age: 30 * DAY, count: 5 },
      cancelled: { age: null, count: 0 },
    });
    assert.deepEqual(rules({ completed: "2d" }).completed, alike(2 * DAY));
  });

  for (const [config, code, message] of BAD) {
    it(`refuses ${JSON.stringify(config)?.slice(0, 70)}, everywhere alike`, () => {
      for (const build of [
        resolveConfig,
        defineQueues,
        (given: QueueConfig) => new QueueService(given),
        (given: QueueConfig) => new Worker(given),
      ]) {
        assert.throws(
          () => build(config as QueueConfig),
          (error) => {
            assert.ok(hasCode(error, code), String(error));
            assert.match(error.message, message);
            return true;
          },
        );
      }
    });
  }

  it("shows no password of an address given as a store", () => {
    assert.throws(
      () => resolveConfig({ queueBackend: "postgres://me:secret@db/x" as never }),
      (error) =>
        hasCode(error, "CONFIG_INVALID") && !error.message.includes("secret") && error.message.includes("@db/x"),
    );
  });

  it("is marked by defineQueues, and nothing else is", () => {
    const config = defineQueues({ namespace: "mine", worker: { queues: ["a"] } });
    assert.ok(isQueueConfig(config));
    assert.deepEqual({ ...config }, { namespace: "mine", worker: { queues: ["a"] } });
    for (const other of [{}, { namespace: "mine" }, null, undefined, 5, () => config])
      assert.equal(isQueueConfig(other), false);
  });

  it("does not pollute and is not polluted", () => {
    assert.throws(
      () => resolveConfig(JSON.parse('{"__proto__":{"polluted":1}}') as QueueConfig),
      (error) => hasCode(error, "CONFIG_INVALID"),
    );
    assert.throws(
      () => resolveConfig({ worker: { queueConcurrency: JSON.parse('{"__proto__":1}') } }),
      (error) => hasCode(error, "NAME_INVALID"),
    );
    assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  });
});
