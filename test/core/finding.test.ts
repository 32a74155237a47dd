/** Finding records: what each filter means, pages that neither skip nor repeat, bounded calls, bad input. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { FindOptions, RecordFilter } from "../../src/core/record-operations.ts";
import type { CoreService } from "../../src/core/service.ts";
import { hasCode } from "../../src/model/errors.ts";
import type { TaskRecord } from "../../src/model/record.ts";
import { Stage } from "./support/stage.ts";
import { cancelledNow, failedAll, idOf, inserted, onEachStore } from "./support/stores.ts";

type Finding = Pick<CoreService, "find">;

/** Everything that matches, page by page; fails when the pages do not end. */
async function all(
  service: Finding,
  filter: RecordFilter,
  options: FindOptions = {},
  between: () => Promise<unknown> = async () => {},
): Promise<TaskRecord[]> {
  const records: TaskRecord[] = [];
  let cursor: string | null = null;
  for (let pages = 0; pages < 2_000; pages += 1) {
    const page = await service.find(filter, { ...options, cursor });
    assert.ok(page.records.length <= (options.limit ?? 50));
    records.push(...page.records);
    if (page.cursor === null) return records;
    cursor = page.cursor;
    await between();
  }
  throw new Error("the pages do not end");
}

const numbers = (records: readonly TaskRecord[]): number[] => records.map(({ id }) => Number(id.slice(-12)));

describe("find", () => {
  onEachStore("means what each member of a filter says", async (stage) => {
    const service = await stage.service();
    const start = stage.clock.wall();
    await inserted(stage, 2, { queue: "mail", taskName: "send", tags: ["a", "b"] });
    await failedAll(stage, "TypeError");
    await stage.clock.advance(1_000);
    await inserted(stage, 1, { queue: "mail", tags: ["a"] }, 2);
    await failedAll(stage, "RangeError");
    await stage.clock.advance(1_000);
    await inserted(stage, 1, { readyIn: 60_000 }, 3);
    await inserted(stage, 1, {}, 4);
    await cancelledNow(stage, idOf(4), "not wanted");
    const origin = { kind: "schedule", schedule: "nightly", scheduledFor: 1 } as const;
    await inserted(stage, 1, { taskName: "tick", origin }, 5);
    await inserted(stage, 1, { taskName: "send" }, 6);
    const request = { token: "c".repeat(32), workerId: "w", limit: 1, lease: 600_000, queues: null, queueLimits: {} };
    await stage.store.claim({ ...request, tasks: ["send"], executions: ["local"] });
    const cases: readonly [RecordFilter, readonly number[]][] = [
      [{}, [0, 1, 2, 3, 4, 5, 6]],
      [{ queue: undefined } as unknown as RecordFilter, [0, 1, 2, 3, 4, 5, 6]],
      [{ status: "failed" }, [0, 1, 2]],
      [{ status: "scheduled" }, [3]],
      [{ status: "pending" }, [5]],
      [{ status: ["pending", "scheduled"] }, [3, 5]],
      [{ status: "running" }, [6]],
      [{ status: "completed" }, []],
      [{ status: ["failed", "cancelled"] }, [0, 1, 2, 4]],
      [{ queue: "mail" }, [0, 1, 2]],
      [{ queue: ["mail", "q"], task: ["tick"] }, [5]],
      [{ task: "send" }, [0, 1, 6]],
      [{ tags: "a" }, [0, 1, 2]],
      [{ tags: ["a", "b"] }, [0, 1]],
      [{ errorName: "TypeError" }, [0, 1]],
      [{ errorName: ["TypeError", "RangeError"], tags: "a" }, [0, 1, 2]],
      [{ reason: "not wanted" }, [4]],
      [{ reason: ["error", "not wanted"] }, [0, 1, 2, 4]],
      [{ schedule: "nightly" }, [5]],
      [{ schedule: "daily" }, []],
      [{ createdAfter: start + 1_000 }, [2, 3, 4, 5, 6]],
      [{ createdBefore: new Date(start + 1_000) }, [0, 1]],
      [{ createdAfter: start + 1, createdBefore: start + 2_000 }, [2]],
      [{ finishedAfter: start + 1_000 }, [2, 4]],
      [{ finishedBefore: start + 1_000 }, [0, 1]],
      [{ finishedBefore: start + 1_001, status: "failed", task: "t" }, [2]],
    ];
    for (const [filter, expected] of cases) {
      const found = await service.find(filter, { order: "oldest" });
      assert.deepEqual(numbers(found.records), expected, JSON.stringify(filter));
      assert.equal(found.cursor, null, JSON.stringify(filter));
      const newest = await all(service, filter, { limit: 1 });
      assert.deepEqual(numbers(newest), [...expected].reverse(), `newest: ${JSON.stringify(filter)}`);
    }
    await stage.clock.advance(60_000);
    assert.deepEqual(numbers((await service.find({ status: "pending" })).records), [5, 3], "its time has come");
  });

  onEachStore("neither skips nor repeats what is there throughout, whatever comes in between", async (stage) => {
    const service = await stage.service();
    await inserted(stage, 500, {}, 10_000);
    for (const order of ["oldest", "newest"] as const) {
      for (const filter of [{}, { tags: "late" }, { status: "pending" }] satisfies RecordFilter[]) {
        if ("tags" in filter) await inserted(stage, 30, { tags: ["late"] }, 20_000);
        let extra = 0;
        const seen = numbers(
          await all(service, filter, { order, limit: 7 }, async () => {
            extra += 1;
            const side = order === "oldest" ? 30_000 + extra : 9_000 - extra;
            if (extra <= 40) await inserted(stage, 1, { tags: ["between"] }, side);
          }),
        );
        const there = seen.filter((n) => n >= 10_000 && n < 30_000);
        const sorted = [...there].sort((a, b) => (order === "oldest" ? a - b : b - a));
        assert.deepEqual(there, sorted);
        assert.equal(new Set(seen).size, seen.length, "none twice");
        const expected = "tags" in filter ? 30 : 500;
        assert.ok(there.length >= expected, `${there.length} of ${expected}`);
      }
    }
  });

  onEachStore("finds a few among 10,000 in bounded calls, with pages that may be short", async (stage) => {
    await inserted(stage, 10_000);
    await inserted(stage, 3, { tags: ["rare"] }, 5_000_000);
    const sizes: number[] = [];
    const service = await stage.service(
      {},
      {
        onCall: ({ method, args }) => {
          if (method === "page") sizes.push((args[0] as { limit: number }).limit);
          return null;
        },
      },
    );
    const first = await service.find({ tags: "rare" }, { order: "oldest" });
    assert.deepEqual(first.records, []);
    assert.notEqual(first.cursor, null);
    assert.ok(sizes.length <= 10 && sizes.every((size) => size <= 200), String(sizes));
    assert.equal((await all(service, { tags: "rare" }, { order: "oldest" })).length, 3);
    assert.equal((await all(service, {}, { limit: 200 })).length, 10_003);
  });

  it("has no cursor when a full page is the last one", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    await inserted(stage, 100);
    assert.equal((await service.find({}, { limit: 100 })).cursor, null);
    assert.notEqual((await service.find({}, { limit: 99 })).cursor, null);
  });

  it("refuses what it does not understand, and names it", async (t) => {
    const stage = new Stage(t);
    const service = await stage.service();
    await inserted(stage, 5);
    const { cursor } = await service.find({}, { limit: 2 });
    const cases: readonly [unknown, unknown, RegExp][] = [
      [{ state: "failed" }, {}, /no "state"; it may have status, queue/],
      [{ status: "dead" }, {}, /status is "dead", not one of pending, scheduled/],
      [{ status: [] }, {}, /status has 0 values/],
      [{ queue: Array(1_001).fill("q") }, {}, /queue has 1001 values/],
      [{ tags: [""] }, {}, /tags is ""/],
      [{ tags: [7] }, {}, /tags is 7/],
      [{ errorName: "" }, {}, /errorName/],
      [{ schedule: null }, {}, /schedule is null/],
      [{ createdAfter: "yesterday" }, {}, /createdAfter is "yesterday", not a Date/],
      [{ createdAfter: new Date("x") }, {}, /createdAfter/],
      [{ finishedAfter: -1 }, {}, /finishedAfter is -1/],
      [{ finishedAfter: 5, finishedBefore: 5 }, {}, /finishedAfter is not earlier than finishedBefore/],
      ["failed", {}, /filter is "failed", not an object/],
      [[], {}, /filter is \[\]/],
      [null, {}, /filter is null/],
      [{}, { limit: 0 }, /limit is 0, not a whole number from 1 to 200/],
      [{}, { limit: 201 }, /limit is 201/],
      [{}, { limit: 1.5 }, /limit is 1.5/],
      [{}, { limit: "10" }, /limit is "10"/],
      [{}, { order: "desc" }, /order is "desc"/],
      [{}, { after: "x" }, /no option "after", only cursor, limit, order/],
      [{}, null, /options is null/],
      [{}, { cursor: "garbage" }, /cursor is "garbage", which no call of find gave/],
      [{}, { cursor: "" }, /cursor is ""/],
      [{}, { cursor: 7 }, /cursor is 7/],
      [{}, { cursor: `${cursor}A` }, /which no call of find gave/],
      [{}, { cursor, order: "oldest" }, /cursor is of the order newest, and oldest is asked for/],
    ];
    for (const [filter, options, message] of cases) {
      await assert.rejects(
        service.find(filter as RecordFilter, options as FindOptions),
        (error: unknown) => hasCode(error, "OPTION_INVALID") && message.test(error.message),
        `${JSON.stringify(filter)} ${JSON.stringify(options)}`,
      );
    }
    await assert.rejects(service.find({ queue: "no such/name" }), (error) => hasCode(error, "NAME_INVALID"));
    await service.close();
    await assert.rejects(service.find(), (error) => hasCode(error, "NOT_OPEN"));
  });
});
