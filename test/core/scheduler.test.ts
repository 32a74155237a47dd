/** Ticks as they are made: when, with what, beside which others, and after which downtime; on each store. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { registry } from "../../src/core/registry.ts";
import { isId } from "../../src/model/identity.ts";
import { Worker } from "../../src/sidereal.ts";
import { DAWN, scheduledTask, secondsOf, ticksOf } from "./support/scheduled.ts";
import { gate, Stage } from "./support/stage.ts";
import { onEachStore } from "./support/stores.ts";

describe("ticks", () => {
  onEachStore("come on time, once each, with the task's own options and their nominal instant", async (stage, t) => {
    const seen: unknown[] = [];
    const name = "tick.plain";
    const options = { queue: "night", priority: 7, retries: 2, tags: ["a"], timeout: "1m", metadata: { by: "code" } };
    scheduledTask(t, name, { cron: "* * * * *" }, options as never, (input, ctx) => {
      seen.push([input, ctx.schedule, ctx.scheduledFor?.getTime()]);
    });
    await stage.worker();
    await stage.clock.advance("5m");
    await stage.clock.advance("2s");
    const ticks = await ticksOf(stage, name);
    assert.deepEqual(ticks.map(secondsOf), [60, 120, 180, 240, 300]);
    for (const tick of ticks) {
      assert.ok(isId(tick.id));
      const { queue, priority, tags, metadata, state } = tick;
      assert.deepEqual([queue, priority, tags, metadata, state], ["night", 7, ["a"], '{"by":"code"}', "completed"]);
      assert.deepEqual([tick.policy.retries, tick.policy.timeout], [2, 60_000]);
      assert.ok(tick.createdAt - DAWN - secondsOf(tick) * 1_000 < 100, "made within a tenth of a second");
    }
    assert.deepEqual(
      seen,
      [60, 120, 180, 240, 300].map((second) => [undefined, name, DAWN + second * 1_000]),
    );
    const info = await (await stage.service()).schedules.get(name);
    assert.deepEqual(info?.last?.scheduledFor, new Date(DAWN + 300_000));
    assert.deepEqual([info?.last?.status, info?.count, info?.words], ["completed", 5, "every minute"]);
  });

  onEachStore("are made once, however many workers there are", async (stage, t) => {
    scheduledTask(t, "tick.many", { interval: "10s", overlap: "allow" });
    for (let count = 0; count < 5; count += 1) await stage.worker();
    await stage.clock.advance("10m");
    await stage.clock.advance("2s");
    const ticks = await ticksOf(stage, "tick.many");
    assert.deepEqual(
      ticks.map(secondsOf),
      Array.from({ length: 60 }, (_, index) => (index + 1) * 10),
    );
    assert.equal(new Set(ticks.map(({ id }) => id)).size, 60);
  });

  it("are spread by jitter, never early, their nominal instants on the grid", async (t) => {
    const stage = new Stage(t);
    scheduledTask(t, "tick.jitter", { interval: "1m", jitter: "20s", overlap: "allow" }, { delay: "5s" });
    await stage.worker();
    await stage.clock.advance("30m");
    await stage.clock.advance("2s");
    const ticks = await ticksOf(stage, "tick.jitter");
    const late = ticks.map((tick) => tick.readyAt - DAWN - secondsOf(tick) * 1_000);
    assert.equal(ticks.length, 30);
    assert.ok(late.every((wait) => wait >= 5_000 && wait <= 25_000));
    assert.ok(new Set(late).size > 20, "and they differ");
  });

  it("cost one small read per second and worker while nothing is due", async (t) => {
    const stage = new Stage(t);
    scheduledTask(t, "tick.rare", { cron: "0 0 1 1 *" });
    const reads: string[] = [];
    const watch = (call: { readonly method: string; readonly args: readonly unknown[] }): null => {
      if (call.method === "schedules") reads.push((call.args[0] as { readonly by: string }).by);
      if (call.method === "advance") reads.push("advance");
      return null;
    };
    await stage.worker({}, { onCall: watch });
    reads.length = 0;
    await stage.clock.advance("100s");
    assert.deepEqual(new Set(reads), new Set(["next"]));
    assert.ok(reads.length <= 126, `${reads.length} reads`);
  });

  it("do not depend on how earlier ones ended", async (t) => {
    const stage = new Stage(t);
    const ways: ((name: string) => unknown)[] = [
      () => {
        throw new Error("no");
      },
      () => 1n,
    ];
    let run = 0;
    scheduledTask(t, "tick.bad", { interval: "1m" }, { timeout: "5s" }, (_, ctx) => {
      run += 1;
      if (run === 3)
        return new Promise((_resolve, reject) => ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason)));
      return ways[run - 1]?.(ctx.id);
    });
    const service = await stage.service();
    await stage.worker();
    await stage.clock.advance("4m");
    await stage.clock.advance("10s");
    const ticks = await ticksOf(stage, "tick.bad");
    assert.deepEqual(
      ticks.map(({ state }) => state),
      ["failed", "failed", "failed", "completed"],
    );
    registry.remove("tick.bad");
    assert.equal((await service.schedules.get("tick.bad"))?.state, "active");
  });

  it("do not overlap unless they may", async (t) => {
    const stage = new Stage(t);
    const slow = gate();
    scheduledTask(t, "tick.skip", { interval: "1m" }, {}, () => slow.promise);
    scheduledTask(t, "tick.queue", { interval: "1m", overlap: "queue-one" }, {}, () => slow.promise);
    scheduledTask(t, "tick.allow", { interval: "1m", overlap: "allow" }, {}, () => slow.promise);
    await stage.worker({ maxConcurrency: 100 });
    await stage.clock.advance("5m");
    await stage.clock.advance("2s");
    const counts = async (): Promise<number[]> =>
      Promise.all(["tick.skip", "tick.queue", "tick.allow"].map(async (name) => (await ticksOf(stage, name)).length));
    // With a free slot the queued one runs beside the first: it is the queue's, not the worker's, concurrency that is kept.
    assert.deepEqual(await counts(), [1, 5, 5]);
    slow.open();
    await stage.clock.advance("1m");
    assert.deepEqual(await counts(), [2, 6, 6]);
  });

  it("wait one at a time where a queue's concurrency keeps them", async (t) => {
    const stage = new Stage(t);
    const slow = gate();
    scheduledTask(t, "tick.one", { interval: "1m", overlap: "queue-one" }, { queue: "narrow" }, () => slow.promise);
    await stage.worker({ queueConcurrency: { narrow: 1 } });
    await stage.clock.advance("5m");
    await stage.clock.advance("2s");
    assert.deepEqual((await ticksOf(stage, "tick.one")).map(secondsOf), [60, 120]);
    slow.open();
    await stage.clock.advance("1m");
    assert.deepEqual((await ticksOf(stage, "tick.one")).map(secondsOf), [60, 120, 360]);
  });

  onEachStore("cancel the run before, where they are told to", async (stage, t) => {
    scheduledTask(t, "tick.cancel", { interval: "1m", overlap: "cancel-running" }, {}, (_, ctx) => {
      return new Promise((_resolve, reject) => {
        ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason));
      });
    });
    await stage.worker();
    await stage.clock.advance("3m");
    await stage.clock.advance("5s");
    const ticks = await ticksOf(stage, "tick.cancel");
    assert.deepEqual(
      ticks.map(({ state, reason }) => [state, reason]),
      [
        ["cancelled", "schedule tick.cancel: its next run is due"],
        ["cancelled", "schedule tick.cancel: its next run is due"],
        ["running", null],
      ],
    );
  });
});

describe("downtime", () => {
  for (const [misfire, expected] of [
    ["skip", []],
    ["latest", [1_000]],
    [{ all: { max: 1_000, within: "1d" } }, Array.from({ length: 1_000 }, (_, index) => index + 1)],
    [{ all: { max: 2, within: "1d" } }, [999, 1_000]],
  ] as const) {
    onEachStore(`over 1,000 ticks, with misfire ${JSON.stringify(misfire)}`, async (stage, t) => {
      scheduledTask(t, "down", { interval: "1m", misfire, overlap: "allow", endAt: DAWN + 1_000 * 60_000 });
      const first = new Worker(await stage.service());
      await first.start();
      await stage.clock.runUntil(first.stop());
      // The thousandth and last one has come more than a minute ago.
      await stage.clock.advance(1_000 * 60_000 + 61_000);
      assert.deepEqual(await ticksOf(stage, "down"), []);
      await stage.worker();
      await stage.clock.advance("3s");
      const late = await ticksOf(stage, "down");
      assert.deepEqual(
        late.map((tick) => secondsOf(tick) / 60),
        [...expected],
      );
    });
  }

  it("of a worker between two ticks is not noticed", async (t) => {
    const stage = new Stage(t);
    scheduledTask(t, "down.short", { interval: "1m" });
    for (let minute = 1; minute <= 3; minute += 1) {
      const worker = new Worker(await stage.service());
      await worker.start();
      await stage.clock.advance("30s");
      await stage.clock.runUntil(worker.stop());
      await stage.clock.advance("31s");
    }
    await stage.worker();
    await stage.clock.advance("2s");
    assert.deepEqual((await ticksOf(stage, "down.short")).map(secondsOf), [60, 120, 180]);
  });
});

describe("one bad schedule", () => {
  onEachStore("stops nobody else, is told once, and goes on when it is mended", async (stage, t) => {
    let mended = false;
    const key = (): string => {
      if (!mended) throw new Error("no key today");
      return "k";
    };
    scheduledTask(t, "bad.key", { interval: "1m", misfire: "latest" }, { key } as never);
    scheduledTask(t, "bad.good", { interval: "1m" });
    const service = await stage.service();
    await stage.worker();
    await stage.clock.advance("5m");
    await stage.clock.advance("2s");
    assert.equal((await ticksOf(stage, "bad.good")).length, 5);
    assert.equal((await ticksOf(stage, "bad.key")).length, 0);
    assert.match((await service.schedules.get("bad.key"))?.problem ?? "", /no key today/);
    const told = stage.logs.filter(({ message }) => message === "a schedule is in trouble");
    assert.deepEqual(
      told.map(({ fields }) => fields["schedule"]),
      ["bad.key"],
    );
    mended = true;
    await stage.clock.advance("1m");
    assert.equal((await ticksOf(stage, "bad.key")).length, 1);
    assert.equal((await service.schedules.get("bad.key"))?.problem, null);
  });

  onEachStore("may be damaged in the store", async (stage, t) => {
    scheduledTask(t, "bad.other", { interval: "1m" });
    const name = "bad.damaged";
    await stage.store.advance([{ from: null, to: { name, version: 1, dueAt: DAWN, body: '{"format":1}' }, ticks: [] }]);
    const service = await stage.service();
    await stage.worker();
    await stage.clock.advance("5m");
    await stage.clock.advance("2s");
    assert.equal((await ticksOf(stage, "bad.other")).length, 5);
    const { schedules } = await service.schedules.list();
    const info = schedules.find((schedule) => schedule.name === name);
    assert.equal(info?.state, "damaged");
    assert.match(info?.problem ?? "", /cannot be read: schedule: (?:last|taskName) is damaged/);
    assert.equal(stage.logs.filter(({ fields }) => fields["schedule"] === name).length, 1);
    await assert.rejects(service.schedules.pause(name), { code: "STORE_CORRUPT" });
    assert.equal(await service.schedules.remove(name), true);
  });

  it("of a task that nobody here knows waits for those who do, and hides no other", async (t) => {
    const stage = new Stage(t);
    const stranger = scheduledTask(t, "bad.stranger", { interval: "1m", misfire: "latest" });
    await (await stage.service()).initializeSchedules();
    registry.remove(stranger.name);
    scheduledTask(t, "bad.own", { interval: "1s", overlap: "allow", misfire: "skip" });
    await stage.worker();
    await stage.clock.advance("2m");
    await stage.clock.advance("500ms");
    const own = await ticksOf(stage, "bad.own");
    assert.equal(own.length, 120);
    // The stranger is overdue for a minute; what we know of our own keeps them on time.
    const late = own.slice(2).map((tick) => tick.createdAt - DAWN - secondsOf(tick) * 1_000);
    assert.ok(Math.max(...late) < 100, `${Math.max(...late)} ms late`);
    const service = await stage.service({ initializeSchedules: false });
    assert.match(
      (await service.schedules.get("bad.stranger"))?.problem ?? "",
      /^due since 2030-01-01T00:01:00.000Z: no running worker knows task bad.stranger$/,
    );
    registry.add(stranger);
    await stage.clock.advance("2s");
    assert.equal((await service.schedules.get("bad.stranger"))?.problem, null);
    assert.deepEqual((await ticksOf(stage, "bad.stranger")).map(secondsOf), [120]);
  });

  it("whose validation never ends keeps nobody else waiting for long", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const hanging = stage.task(() => {});
    await service.schedules.create("bad.hanging", { task: hanging.name, interval: "1m" });
    const schema = { "~standard": { version: 1, vendor: "t", validate: () => new Promise(() => {}) } };
    registry.remove(hanging.name);
    registry.add({ ...hanging, schema: schema as never });
    scheduledTask(t, "bad.beside", { interval: "1m" });
    await stage.worker();
    await stage.clock.advance("5m");
    await stage.clock.advance("15s");
    assert.deepEqual((await ticksOf(stage, "bad.beside")).map(secondsOf), [60, 120, 180, 240, 300]);
    assert.match(
      (await service.schedules.get("bad.hanging"))?.problem ?? "",
      /validation of its input took longer than/,
    );
  });

  it("whose input the task no longer takes says so", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const plain = stage.task(() => {});
    await service.schedules.create("bad.input", { task: plain.name, interval: "1m", input: { n: 1 } });
    const schema = {
      "~standard": { version: 1, vendor: "t", validate: () => ({ issues: [{ message: "not any more" }] }) },
    };
    registry.remove(plain.name);
    registry.add({ ...plain, schema: schema as never });
    await stage.worker();
    await stage.clock.advance("70s");
    assert.match(
      (await service.schedules.get("bad.input"))?.problem ?? "",
      /refused its input \(input: not any more\)/,
    );
  });
});
