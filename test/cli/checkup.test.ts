/** The doctor's judgements, each on its own: what is dangerous is called so, and the defaults are not. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { environmentFindings } from "../../src/cli/checkup/environment.ts";
import { settingFindings } from "../../src/cli/checkup/settings.ts";
import { answering, problemOf, schemaFinding, skewed } from "../../src/cli/checkup/store.ts";
import { workFindings } from "../../src/cli/checkup/work.ts";
import { resolveConfig } from "../../src/core/config.ts";
import { type QueueConfig, type QueueInfo, SiderealError, type WorkerInfo } from "../../src/index.ts";

const AROUND = { production: true, shared: true, store: "sqlite", signals: true };

describe("settings", () => {
  const judged = (config: QueueConfig, around: Partial<typeof AROUND> = {}) =>
    settingFindings(resolveConfig(config), { ...AROUND, ...around });

  it("are fine by default, in production too", () => {
    assert.deepEqual(judged({}), [{ check: "settings", level: "ok", message: "nothing dangerous", advice: null }]);
    assert.equal(judged({ executionBackend: "immediate" }, { production: false, shared: false })[0]?.level, "ok");
    const bounded = { completed: { age: null, count: 10 }, failed: "1d", cancelled: "365d" } as const;
    assert.equal(judged({ worker: { retention: bounded, pollInterval: "1m" } })[0]?.level, "ok");
  });

  const dangers: readonly (readonly [QueueConfig, RegExp, Partial<typeof AROUND>?])[] = [
    [{}, /memory store in production/, { shared: false, store: "memory" }],
    [{ executionBackend: "immediate" }, /executionBackend is immediate/],
    [{ worker: { leaseDuration: "4s" } }, /leaseDuration is 4000 ms/],
    [{ worker: { staleAfter: "1h" } }, /staleAfter is 1h/],
    [{ worker: { pollInterval: 5 } }, /pollInterval is 5 ms/],
    [{ worker: { pollInterval: "1m" } }, /pollInterval is 1m, and nothing wakes/, { signals: false }],
    [{ worker: { maxConcurrency: 501 } }, /maxConcurrency is 501/],
    [{ worker: { gracefulShutdownTimeout: "2m" } }, /a stop may take 125 s/],
    [{ worker: { retention: { failed: null } } }, /failed tasks are kept for ever/],
    [{ worker: { retention: { completed: "1000d" } } }, /completed tasks are kept for 1000d/],
  ];
  for (const [config, message, around] of dangers) {
    it(`warn: ${message.source}`, () => {
      const found = judged(config, around);
      assert.deepEqual([found.length, found[0]?.level], [1, "warning"]);
      assert.match(found[0]?.message ?? "", message);
      assert.ok(found[0]?.advice);
    });
  }
});

describe("the runtime", () => {
  const level = (node: string) => environmentFindings({ node, platform: "linux x64", production: true })[0]?.level;
  it("is supported, on its way out, or too old", () => {
    const levels = ["18.20.0", "20.18.9", "20.19.0", "22.0.0", "26.1.0"].map(level);
    assert.deepEqual(levels, ["problem", "problem", "warning", "ok", "ok"]);
  });
});

describe("the store", () => {
  it("answers quickly, slowly, or far too slowly; its clock is right or not, either way", () => {
    assert.deepEqual(
      [3, 99, 100, 999, 1_000].map((ms) => answering(ms).level),
      ["ok", "ok", "warning", "warning", "problem"],
    );
    assert.deepEqual(
      [0, 999, -1_001, 60_000].map((ms) => skewed(ms).level),
      ["ok", "ok", "warning", "warning"],
    );
    assert.match(skewed(-1_500).message, /1500 ms behind/);
  });

  it("has a schema that is current, behind, missing, ahead, or none at all", async () => {
    const look = (from: number, to: number, statements: string[]) => {
      const plan = async () => ({ from, to, statements });
      return schemaFinding({ name: "sqlite", schema: { plan, migrate: plan } }, "sidereal");
    };
    assert.equal((await look(3, 3, [])).level, "ok");
    assert.match((await look(2, 3, ["alter"])).message, /has version 2, and 3 is needed/);
    assert.match((await look(0, 3, ["create"])).message, /no queue yet/);
    assert.equal((await schemaFinding({ name: "memory" }, "sidereal")).level, "ok");
    const fail = async () => Promise.reject(new SiderealError("STORE_SCHEMA", "version 9 is newer"));
    const ahead = await schemaFinding({ name: "sqlite", schema: { plan: fail, migrate: fail } }, "sidereal");
    assert.deepEqual([ahead.level, ahead.message], ["problem", "version 9 is newer (STORE_SCHEMA)"]);
    assert.match(problemOf("x", new TypeError("broke\nsecond line")).message, /^TypeError: broke$/);
  });
});

describe("the work", () => {
  const counts = { pending: 2, scheduled: 0, running: 0, completed: 0, failed: 0, cancelled: 0, total: 2 };
  const queue = (wish: Partial<QueueInfo> = {}): QueueInfo => ({
    ...{ name: "mail", counts, paused: null, oldestReadyAt: 1, oldestAge: 5, workers: 1 },
    ...wish,
  });
  const worker = (wish: Partial<WorkerInfo> = {}) =>
    ({ alive: true, readable: true, ready: true, ...wish }) as WorkerInfo;
  const levels = (queues: readonly QueueInfo[], workers: readonly WorkerInfo[]) =>
    workFindings(queues, workers).map(({ check, level }) => `${check} ${level}`);

  it("gets done, waits, or waits for nobody", () => {
    const idle = { counts: { ...counts, pending: 0 }, oldestAge: null };
    assert.deepEqual(levels([queue()], [worker()]), ["workers ok"]);
    assert.deepEqual(levels([queue(idle)], []), ["workers warning"]);
    assert.deepEqual(levels([queue({ workers: 0 })], []), ["workers problem", "queue problem"]);
    assert.deepEqual(levels([queue({ workers: 0 })], [worker()]), ["workers ok", "queue problem"]);
    assert.deepEqual(levels([queue({ oldestAge: 61_000 })], [worker()]), ["workers ok", "queue warning"]);
    assert.deepEqual(levels([], [worker(), worker({ alive: false })]), ["workers warning"]);
    assert.deepEqual(levels([], [worker({ ready: false })]), ["workers warning"]);
  });

  it("is paused: said with its reason, safe for a terminal", () => {
    const paused = queue({ paused: { at: 1, reason: "deploy\u001b[31m" }, workers: 0 });
    const [, finding] = workFindings([paused], [worker()]);
    assert.equal(finding?.level, "warning");
    assert.match(finding?.message ?? "", /^mail is paused \(deploy.*31m\), with 2 tasks ready$/);
    assert.ok(!finding?.message.includes("\u001b"));
  });
});
