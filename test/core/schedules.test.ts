/** Schedules at run time: made, changed, paused, run now, looked at, removed; and every call that is refused. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { registry } from "../../src/core/registry.ts";
import type { ScheduleChanges } from "../../src/core/schedule-types.ts";
import type { ErrorCode } from "../../src/model/errors.ts";
import { DAWN, scheduledTask, secondsOf, ticksOf } from "./support/scheduled.ts";
import { gate, Stage } from "./support/stage.ts";
import { onEachStore } from "./support/stores.ts";

const at = (seconds: number): Date => new Date(DAWN + seconds * 1_000);

describe("a schedule made at run time", () => {
  onEachStore("runs the task with its input and options until it is removed", async (stage) => {
    const inputs: unknown[] = [];
    const greet = stage.task((input: { name: string }) => void inputs.push(input), { queue: "own", priority: 1 });
    const service = await stage.service();
    await stage.worker();
    const info = await service.schedules.create("greet.ada", {
      task: greet,
      cron: "*/2 * * * *",
      input: { name: "ada" },
      options: { priority: 5, tags: ["x"] },
    });
    assert.deepEqual([info.state, info.origin, info.task, info.count], ["active", "runtime", greet.name, 0]);
    assert.deepEqual([info.words, info.nextRuns], ["every 2 minutes", [at(120), at(240), at(360)]]);
    assert.deepEqual(
      [info.input, info.options, info.createdAt],
      [{ name: "ada" }, { priority: 5, tags: ["x"] }, at(0)],
    );
    await stage.clock.advance("5m");
    const ticks = await ticksOf(stage, "greet.ada");
    assert.deepEqual(ticks.map(secondsOf), [120, 240]);
    assert.deepEqual([ticks[0]?.queue, ticks[0]?.priority, ticks[0]?.tags], ["own", 5, ["x"]]);
    assert.deepEqual(inputs, [{ name: "ada" }, { name: "ada" }]);
    assert.equal(await service.schedules.remove("greet.ada"), true);
    assert.equal(await service.schedules.remove("greet.ada"), false);
    assert.equal(await service.schedules.get("greet.ada"), null);
    await stage.clock.advance("5m");
    assert.equal((await ticksOf(stage, "greet.ada")).length, 2);
  });

  onEachStore("is changed part by part, and what is left out stays", async (stage) => {
    const plain = stage.task((_input: unknown) => {});
    const { schedules } = await stage.service();
    await stage.worker();
    const made = {
      task: plain,
      interval: "1m",
      limit: 9,
      input: { a: 1 },
      jitter: "1s",
      options: { queue: "q" },
    } as const;
    await schedules.create("change", made);
    await stage.clock.advance("150s");
    const info = await schedules.update("change", { limit: 4, overlap: "allow" });
    assert.deepEqual([info.limit, info.overlap, info.interval, info.jitter], [4, "allow", 60_000, 1_000]);
    assert.deepEqual([info.input, info.options, info.count], [{ a: 1 }, { queue: "q" }, 2]);
    assert.deepEqual(info.nextRuns, [at(180), at(240)], "the limit leaves two");
    const cron = await schedules.update("change", { cron: "0 * * * *", limit: null, input: null, options: null });
    assert.deepEqual(
      [cron.cron, cron.interval, cron.limit, cron.input, cron.options],
      ["0 * * * *", null, null, undefined, null],
    );
    assert.deepEqual(cron.nextRuns[0], at(3_600));
    const back = await schedules.update("change", { interval: "30s", startAt: at(7) });
    assert.deepEqual([back.cron, back.nextRuns[0]], [null, at(157)], "a grid that begins at startAt");
  });

  onEachStore("is paused through restarts, and resumed without making up", async (stage) => {
    const plain = stage.task(() => {});
    const { schedules } = await stage.service();
    await schedules.create("rest", {
      task: plain,
      interval: "1m",
      misfire: { all: { max: 100, within: "1d" } },
      overlap: "allow",
    });
    await stage.clock.advance("90s");
    const info = await schedules.pause("rest");
    assert.deepEqual([info.state, info.nextRuns, info.pausedAt], ["paused", [], at(90)]);
    await stage.worker();
    await stage.clock.advance("5m");
    assert.deepEqual(await ticksOf(stage, "rest"), [], "nor is what was due before the pause");
    const again = await schedules.resume("rest");
    assert.deepEqual([again.state, again.nextRuns[0]], ["active", at(420)]);
    assert.deepEqual(await schedules.resume("rest"), again);
    await stage.clock.advance("1m");
    assert.deepEqual((await ticksOf(stage, "rest")).map(secondsOf), [420]);
  });

  onEachStore("runs now, out of turn, beside what runs and without counting", async (stage) => {
    const held = gate();
    const seen: unknown[] = [];
    const slow = stage.task(async (input: { n: number }, ctx) => {
      seen.push([input.n, ctx.schedule, ctx.scheduledFor?.getTime()]);
      await held.promise;
      return input.n;
    });
    const { schedules } = await stage.service();
    await stage.worker();
    await schedules.create("now", { task: slow, interval: "1m", input: { n: 3 } });
    await stage.clock.advance("61s");
    await schedules.pause("now");
    const handle = await schedules.runNow("now");
    await stage.clock.advance("1s");
    assert.deepEqual(seen, [
      [3, "now", DAWN + 60_000],
      [3, "now", DAWN + 61_000],
    ]);
    held.open();
    await stage.ended(handle.id);
    assert.equal(await handle.result(), 3);
    const record = await stage.record(handle.id);
    assert.deepEqual(record.origin, { kind: "schedule", schedule: "now", scheduledFor: DAWN + 61_000, manual: true });
    const info = await schedules.get("now");
    assert.deepEqual([info?.count, info?.last?.scheduledFor], [1, at(60)]);
  });

  onEachStore("ends at its limit, and lists its last run", async (stage) => {
    const plain = stage.task(() => {});
    const { schedules } = await stage.service();
    await stage.worker();
    await schedules.create("end", { task: plain, interval: "1m", limit: 2 });
    await stage.clock.advance("10m");
    const info = await schedules.get("end");
    assert.deepEqual([info?.state, info?.count, info?.nextRuns], ["ended", 2, []]);
    assert.equal(info?.last?.status, "completed");
    assert.ok(info?.last?.finishedAt && info.last.finishedAt >= at(120));
  });

  onEachStore("is listed by name, in pages", async (stage) => {
    const plain = stage.task(() => {});
    const { schedules } = await stage.service();
    const names = ["a", "b.1", "b.2", "c"];
    for (const name of [...names].reverse()) await schedules.create(name, { task: plain, cron: "@daily" });
    const found: string[] = [];
    for (let cursor: string | null = null, pages = 0; pages < 3; pages += 1) {
      const page: Awaited<ReturnType<typeof schedules.list>> = await schedules.list({ cursor, limit: 2 });
      found.push(...page.schedules.map(({ name }) => name));
      cursor = page.cursor;
      if (cursor === null) break;
    }
    assert.deepEqual(found, names);
  });

  it("is previewed before it is made, and after", async (t) => {
    const stage = new Stage(t);
    const plain = stage.task(() => {});
    const { schedules } = await stage.service();
    const timing = { cron: "30 2 * * *", timezone: "Europe/Berlin" } as const;
    const from = new Date("2030-03-30T12:00:00Z");
    const expected = ["2030-03-31T01:00:00.000Z", "2030-04-01T00:30:00.000Z"].map((text) => new Date(text));
    assert.deepEqual(await schedules.preview(timing, { count: 2, from }), expected, "in a gap: right after it");
    await schedules.create("seen", { task: plain, ...timing });
    assert.deepEqual(await schedules.preview("seen", { count: 2, from }), expected);
    assert.equal((await schedules.preview({ interval: "1h" })).length, 5);
    assert.deepEqual(await schedules.preview({ interval: "1h", endAt: at(4_000) }), [at(3_600)]);
  });

  it("survives an answer that was lost", async (t) => {
    const stage = new Stage(t);
    const plain = stage.task(() => {});
    const { schedules } = await stage.service(
      {},
      { onCall: ({ method, nth }) => (method === "advance" && nth % 2 === 1 ? { lose: "reply" } : null) },
    );
    const answer = await stage.clock.runUntil(schedules.create("lost", { task: plain, interval: "1m" }));
    assert.equal(answer.state, "active");
    const paused = await stage.clock.runUntil(schedules.pause("lost"));
    assert.equal(paused.state, "paused");
    assert.equal(await stage.clock.runUntil(schedules.remove("lost")), true);
  });

  it("made anew does not take a change that was meant for its predecessor", async (t) => {
    const stage = new Stage(t);
    const plain = stage.task(() => {});
    const { schedules } = await stage.service();
    await schedules.create("anew", { task: plain, interval: "1m" });
    const [before] = await stage.store.schedules({ by: "name", names: ["anew"] });
    await schedules.remove("anew");
    await schedules.create("anew", { task: plain, interval: "2m" });
    const change = { from: before ?? null, to: null, ticks: [] };
    assert.deepEqual(await stage.store.advance([change]), [false]);
  });
});

describe("a call that is refused", () => {
  it("says what is wrong and what is allowed", async (t) => {
    const stage = new Stage(t);
    const plain = stage.task(() => {});
    const instant = stage.task(() => {}, { executionBackend: "immediate" });
    const forever = stage.task(() => {}, { uniqueBy: "task", uniqueUntil: "forever" });
    const { schedules } = await stage.service();
    scheduledTask(t, "coded", { interval: "1m" });
    await (await stage.service()).initializeSchedules();
    await schedules.create("there", { task: plain, interval: "1m" });
    const create = (name: string, parts: object): Promise<unknown> =>
      schedules.create(name, { task: plain, interval: "1m", ...parts });
    const update = (changes: unknown): Promise<unknown> => schedules.update("there", changes as ScheduleChanges);
    const cases: readonly (readonly [() => Promise<unknown>, ErrorCode, RegExp])[] = [
      [() => create("there", {}), "SCHEDULE_EXISTS", /There is a schedule there already/],
      [() => create("coded", {}), "SCHEDULE_IN_CODE", /Schedule coded is defined by its task and cannot be made here/],
      [() => create("a b", {}), "NAME_INVALID", /"a b"/],
      [() => create("x", { task: "nobody" }), "TASK_UNKNOWN", /"nobody"/],
      [() => create("x", { task: instant }), "SCHEDULE_INVALID", /Schedule x: an immediate task runs inside/],
      [() => create("x", { task: forever }), "SCHEDULE_INVALID", /its key is held forever/],
      [() => create("x", { cron: "* * * * *" }), "SCHEDULE_INVALID", /Schedule x: both of cron and interval/],
      [() => create("x", { interval: undefined }), "SCHEDULE_INVALID", /neither of cron and interval/],
      [() => create("x", { input: new Date() }), "INPUT_NOT_JSON", /Schedule x: input is a Date/],
      [() => create("x", { options: { key: "k" } }), "SCHEDULE_INVALID", /options has "key"; allowed are queue, /],
      [() => create("x", { options: 5 }), "SCHEDULE_INVALID", /options is 5/],
      [() => create("x", { options: { priority: 0.5 } }), "OPTION_INVALID", /Schedule x: priority is 0.5/],
      [() => create("x", { endAt: at(-5) }), "SCHEDULE_INVALID", /Schedule x would never run/],
      [() => create("x", { interval: undefined, cron: "0 0 30 2 *" }), "SCHEDULE_INVALID", /never run/],
      [() => create("x", { every: 5 }), "SCHEDULE_INVALID", /no part "every" of a schedule; there are cron, interval/],
      [() => schedules.create("x", null as never), "SCHEDULE_INVALID", /Schedule x is null/],
      [() => update({ interval: "1ms" }), "DURATION_INVALID", /Schedule there: interval is "1ms".*at least 100 ms/],
      [() => update({ endAt: at(0) }), "SCHEDULE_INVALID", /never run/],
      [() => update({ task: plain }), "SCHEDULE_INVALID", /no part "task"/],
      [() => update({ interval: null }), "SCHEDULE_INVALID", /neither of cron and interval/],
      [() => update(7), "SCHEDULE_INVALID", /the changes are 7/],
      [() => schedules.update("coded", { limit: 1 }), "SCHEDULE_IN_CODE", /coded .* cannot be changed here/],
      [() => schedules.update("gone", { limit: 1 }), "SCHEDULE_UNKNOWN", /There is no schedule gone/],
      [() => schedules.pause("gone"), "SCHEDULE_UNKNOWN", /gone/],
      [() => schedules.resume("gone"), "SCHEDULE_UNKNOWN", /gone/],
      [() => schedules.runNow("gone"), "SCHEDULE_UNKNOWN", /gone/],
      [() => schedules.preview("gone"), "SCHEDULE_UNKNOWN", /gone/],
      [() => schedules.preview({ cron: "* * *" }), "SCHEDULE_INVALID", /preview: /],
      [() => schedules.preview("there", { count: 0 }), "OPTION_INVALID", /preview: count is 0/],
      [() => schedules.preview("there", { from: Number.NaN }), "OPTION_INVALID", /preview: from is NaN/],
      [() => schedules.list({ limit: 1_001 }), "OPTION_INVALID", /list: limit is 1001/],
      [() => schedules.list({ cursor: "'" }), "NAME_INVALID", /list: cursor/],
      [() => schedules.get(""), "NAME_INVALID", /The schedule's name is ""/],
    ];
    for (const [call, code, message] of cases) await assert.rejects(call, { code, message });
    const { schedules: listed } = await schedules.list();
    assert.deepEqual(
      listed.map(({ name, interval }) => [name, interval]),
      [
        ["coded", 60_000],
        ["there", 60_000],
      ],
      "nothing was written",
    );
    const closed = await stage.service();
    await closed.close();
    await assert.rejects(closed.schedules.list(), { code: "NOT_OPEN" });
    await assert.rejects(closed.initializeSchedules(), { code: "NOT_OPEN" });
  });

  it("of pausing, running and removing one that code defines is not: they are for operators", async (t) => {
    const stage = new Stage(t);
    scheduledTask(t, "coded.too", { interval: "1m" });
    const service = await stage.service();
    await service.initializeSchedules();
    assert.equal((await service.schedules.pause("coded.too")).state, "paused");
    await service.initializeSchedules();
    assert.equal((await service.schedules.get("coded.too"))?.state, "paused", "a start does not resume it");
    assert.equal((await service.schedules.runNow("coded.too")).taskName, "coded.too");
    assert.equal(await service.schedules.remove("coded.too"), true);
    const report = await service.initializeSchedules();
    assert.ok(report.created.includes("coded.too"), "it comes back while the code defines it");
    registry.remove("coded.too");
  });
});
