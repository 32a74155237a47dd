/** Retention: what is removed by state, age and count, how much of it at a time, and never more than that. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Page } from "../../src/contracts/queue-backend.ts";
import { isRetentionOn, Retention, retentionInterval } from "../../src/core/retention.ts";
import { type RetentionConfig, resolveRetention } from "../../src/core/retention-rules.ts";
import type { TaskRecord } from "../../src/model/record.ts";
import type { QueueService } from "../../src/sidereal.ts";
import { finished } from "./support/finished.ts";
import { Stage } from "./support/stage.ts";

const keeper = ({ parts }: QueueService, rules: RetentionConfig): Retention =>
  new Retention(parts, resolveRetention(rules));

async function kept(stage: Stage): Promise<TaskRecord[]> {
  const records: TaskRecord[] = [];
  for (let after: string | null = null; ; ) {
    const page: Page = await stage.store.page({ order: "oldest", after, limit: 1_000 });
    records.push(...page.records);
    after = page.next;
    if (after === null) return records;
  }
}

describe("retention", () => {
  it("removes each state at its age: of 5,000, completed ones after 7 days, the others after 30", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    await finished(stage.store, { completed: 3_000, failed: 1_500, cancelled: 500 });
    const retention = keeper(service, {});
    const pass = () => stage.clock.runUntil(retention.pass());
    assert.deepEqual(await pass(), { changed: 0, done: true });
    await stage.clock.advance("6d");
    await finished(stage.store, { completed: 10 });
    await stage.clock.advance("25h");
    assert.deepEqual(await pass(), { changed: 3_000, done: true });
    assert.deepEqual(await pass(), { changed: 0, done: true });
    await stage.clock.advance("23d");
    assert.deepEqual(await pass(), { changed: 2_010, done: true });
    assert.equal((await kept(stage)).length, 0);
  });

  it("keeps the newest so many of a state, over all queues", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    for (let round = 0; round < 5; round += 1) {
      await finished(stage.store, { completed: 400, failed: 500, cancelled: 100, queue: `q${round % 2}` });
      await stage.clock.advance(10);
    }
    const newest = (await kept(stage))
      .filter(({ state }) => state === "failed")
      .map(({ finishedAt }) => finishedAt ?? 0);
    const retention = keeper(service, { failed: { count: 700 }, cancelled: { age: null, count: 0 } });
    assert.deepEqual(await stage.clock.runUntil(retention.pass()), { changed: 1_800 + 500, done: true });
    const left = await kept(stage);
    assert.equal(left.filter(({ state }) => state === "completed").length, 2_000);
    assert.equal(left.filter(({ state }) => state === "cancelled").length, 0);
    const times = left.filter(({ state }) => state === "failed").map(({ finishedAt }) => finishedAt ?? 0);
    const byAge = (a: number, b: number): number => a - b;
    assert.deepEqual(times.sort(byAge), newest.sort(byAge).slice(-700));
  });

  it("removes an excess once, however many workers count it at the same moment", async (t) => {
    const stage = new Stage(t);
    await stage.service();
    await finished(stage.store, { failed: 1_000 });
    await stage.clock.advance(10);
    const workers = await Promise.all(
      [1, 2, 3, 4].map(() => stage.service({}, { rates: { every: { delay: 1, longestDelay: 20 } } })),
    );
    const passes = workers.map((service) => keeper(service, { failed: { count: 600 } }).pass());
    const pruned = await stage.clock.runUntil(Promise.all(passes));
    assert.deepEqual(pruned.map(({ changed }) => changed).sort(), [0, 0, 0, 400]);
    assert.equal((await kept(stage)).length, 600);
    assert.deepEqual(await stage.store.held("retention"), [], "and the turn is given back");
  });

  it("does not fail for a turn that it could not give back", async (t) => {
    const stage = new Stage(t);
    const lossy = await stage.service(
      {},
      { onCall: ({ method }) => (method === "release" ? { lose: "request" } : null) },
    );
    await finished(stage.store, { failed: 10 });
    await stage.clock.advance(10);
    const retention = keeper(lossy, { failed: { count: 4 } });
    assert.deepEqual(await stage.clock.runUntil(retention.pass()), { changed: 6, done: true });
    assert.ok(stage.logs.some(({ message }) => message === "the turn of retention could not be given back"));
    const other = keeper(await stage.service(), { failed: { count: 2 } });
    assert.equal((await stage.clock.runUntil(other.pass())).changed, 0, "somebody else has the turn");
    await stage.clock.advance("61s");
    assert.equal((await stage.clock.runUntil(other.pass())).changed, 2);
  });

  it("counts once a minute at most, and only where a count is limited", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    const retention = keeper(service, { completed: { count: 5 } });
    const pass = () => stage.clock.runUntil(retention.pass());
    await pass();
    await finished(stage.store, { completed: 10 });
    await stage.clock.advance("59s");
    assert.equal((await pass()).changed, 0);
    await stage.clock.advance("2s");
    assert.equal((await pass()).changed, 5);
    const never = { ...service.parts, calls: { ...service.parts.calls, tally: () => assert.fail("counted") } };
    await stage.clock.runUntil(new Retention(never, resolveRetention({})).pass());
  });

  it("says when it was cut short, and goes on where it stopped", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    await finished(stage.store, { completed: 2_500 });
    await stage.clock.advance("8d");
    const retention = keeper(service, {});
    let pages = 2;
    const goOn = (): boolean => {
      pages -= 1;
      return pages >= 0;
    };
    assert.deepEqual(await stage.clock.runUntil(retention.pass(goOn)), { changed: 2_000, done: false });
    assert.deepEqual(await stage.clock.runUntil(retention.pass()), { changed: 500, done: true });
  });

  it("is a worker's loop unless everything is kept for ever", async (t) => {
    const stage = new Stage(t);
    await stage.service();
    await finished(stage.store, { failed: 30 });
    await stage.worker({ retention: { failed: { age: null, count: 10 } } });
    await stage.until("the excess is gone", async () => (await kept(stage)).length === 10);
    assert.ok(!isRetentionOn(resolveRetention(null)));
    assert.ok(isRetentionOn(resolveRetention({ completed: null, failed: null, cancelled: { age: null, count: 1 } })));
    assert.equal(retentionInterval(resolveRetention({})), 60_000);
    assert.equal(retentionInterval(resolveRetention({ failed: "10s" })), 10_000);
    assert.equal(retentionInterval(resolveRetention(0)), 1_000);
  });
});
