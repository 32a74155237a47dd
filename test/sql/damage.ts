/** Rows that somebody or something has damaged: each is set aside with its reason, and the work goes on. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ClaimRequest } from "../../src/contracts/queue-backend.ts";
import { completed } from "../../src/model/lifecycle.ts";
import type { TaskRecord } from "../../src/model/record.ts";
import { draftOf, finishedBefore, idOf, rowOf } from "../../src/testing/backend-contract/stage.ts";
import { CLAIM, type SqlServer } from "./server.ts";

const ids = (records: readonly TaskRecord[]): string[] => records.map(({ id }) => id);
const drafts = (from: number, until: number) =>
  Array.from({ length: until - from + 1 }, (_, at) => draftOf(idOf(from + at), { runAt: at + 1 }));
const request = (limit: number, lease = 60_000, token = "a"): ClaimRequest => ({
  ...CLAIM,
  ...{ token: token.repeat(32), limit, lease },
});

const DAMAGES: Readonly<Record<string, string>> = {
  "policy is not JSON": "policy = '{broken'",
  "policy is JSON of another kind": `policy = '{"retries":1}'`,
  "policy has a wrong type inside": `policy = '["three","fixed",1,1,1,0,null,1]'`,
  "tags are not JSON": "tags = '[1,'",
  "tags are an object": "tags = '{}'",
  "error is a list": "error = '[]', version = 2",
  "progress is not JSON": "progress = 'half', version = 2",
  "logs are a number": "logs = '7', version = 2",
  "origin is a text": `origin = '"x"'`,
  "version is larger than JavaScript counts": "version = 9007199254740993",
  "created_at is larger than JavaScript counts": "created_at = 9007199254740993",
};

/**
 * The tests of one kind of store.
 * @param places - Changes of a pending row after which no index has it where it belongs.
 */
export function exerciseDamage(server: SqlServer, places: readonly string[]): void {
  describe(`${server.kind}: damaged rows`, { skip: server.skip }, () => {
    damagedOnTheWay(server, places);
    damagedElsewhere(server);
  });
}

function damagedOnTheWay({ store, raw, table }: SqlServer, places: readonly string[]): void {
  for (const [name, change] of Object.entries(DAMAGES)) {
    it(`${name}: the record fails as corrupt, the ones around it are claimed`, async (t) => {
      const { backend, namespace } = await store(t);
      await backend.insert(drafts(1, 3));
      await raw(`update ${table(namespace, "live")} set ${change} where id = '${idOf(2)}'`);
      assert.deepEqual(ids(await backend.claim(request(10))), [idOf(1), idOf(3)]);
      const [record] = await backend.find({ by: "id", ids: [idOf(2)] });
      assert.deepEqual([record?.state, record?.reason, record?.error?.code], ["failed", "corrupt", "STORE_CORRUPT"]);
      assert.match(record?.error?.message ?? "", /^The stored record is damaged: column \w+ /u);
      assert.equal((await backend.tally())[0]?.failed, 1);
      assert.deepEqual(await backend.claim(request(10, 60_000, "b")), []);
      assert.equal(await backend.prune(finishedBefore((await backend.now()) + 1, 10)), 1);
      const left = await raw(
        `select id from ${table(namespace, "live")} union select id from ${table(namespace, "done")} order by id`,
      );
      assert.deepEqual(left.flat().map(String), [idOf(1), idOf(3)]);
    });
  }

  for (const change of places) {
    it(`${change}: the others are claimed, and whoever reads it sets it aside`, async (t) => {
      const { backend, namespace } = await store(t);
      await backend.insert(drafts(1, 3));
      await raw(`update ${table(namespace, "live")} set ${change} where id = '${idOf(2)}'`);
      assert.deepEqual(ids(await backend.claim(request(10))), [idOf(1), idOf(3)]);
      await backend.tally();
      await backend.find({ by: "next", queues: null });
      const { records } = await backend.page({ order: "oldest", after: null, limit: 10 });
      assert.deepEqual(
        records.map(({ state }) => state),
        ["running", "failed", "running"],
      );
      assert.deepEqual(await raw(`select state, reason from ${table(namespace, "done")} where state > 2`), [
        [4, "corrupt"],
      ]);
      assert.equal(await backend.prune(finishedBefore((await backend.now()) + 1, 10)), 1);
    });
  }

  it("a running record that is damaged is set aside by its reaper, and its owner's finish is refused", async (t) => {
    const { backend, namespace } = await store(t);
    await backend.insert(drafts(1, 2));
    const taken = await backend.claim(request(2, -1));
    await raw(`update ${table(namespace, "live")} set logs = 'gone' where id = '${idOf(1)}'`);
    const lapsed = await backend.find({ by: "lapsed", after: null, limit: 10 });
    assert.deepEqual(ids(lapsed), [idOf(2)]);
    const now = await backend.now();
    const applied = await backend.apply(taken.map((from) => ({ from, to: completed(from, { now, result: null }) })));
    assert.deepEqual(applied, [false, true]);
  });
}

function damagedElsewhere({ store, raw, table }: SqlServer): void {
  it("a claim that is asked for again leaves out what was damaged meanwhile", async (t) => {
    const { backend, namespace } = await store(t);
    await backend.insert(drafts(1, 2));
    await backend.claim(request(2));
    await raw(`update ${table(namespace, "live")} set logs = 'gone' where id = '${idOf(1)}'`);
    assert.deepEqual(ids(await backend.claim(request(2))), [idOf(2)]);
  });

  it("a damaged record that has ended still reads, and stays ended", async (t) => {
    const { backend, namespace } = await store(t);
    await backend.insert(drafts(1, 1));
    const [from] = (await backend.claim(request(1))) as [TaskRecord];
    await backend.apply([{ from, to: completed(from, { now: 1, result: '"fine"' }) }]);
    await raw(`update ${table(namespace, "done")} set logs = 'gone', policy = ''`);
    const [record] = await backend.find({ by: "id", ids: [from.id] });
    assert.deepEqual([record?.state, record?.result, record?.logs], ["completed", '"fine"', []]);
  });

  it("an enqueue that meets a damaged record under its id or key is answered", async (t) => {
    const { backend, namespace } = await store(t);
    await backend.insert([draftOf(idOf(1), { key: "k" })]);
    await raw(`update ${table(namespace, "live")} set policy = '?'`);
    const [byId, byKey] = await backend.insert([draftOf(idOf(1)), draftOf(idOf(2), { key: "k" })]);
    assert.deepEqual([byId?.created, byKey?.created], [false, false]);
  });

  it("a schedule whose numbers are damaged hides no other", async (t) => {
    const { backend, namespace } = await store(t);
    const names = ["a", "b", "c"];
    await backend.advance(names.map((name) => ({ from: null, to: rowOf(name, { dueAt: 1 }), ticks: [] })));
    await raw(
      `update ${table(namespace, "schedules")} set version = 9007199254740993, due_at = -9007199254740993 where name = 'b'`,
    );
    for (const by of ["all", "due"] as const) {
      const rows = await backend.schedules({ by, after: null, limit: 10 });
      assert.deepEqual(
        rows.map(({ name, version }) => [name, Number.isSafeInteger(version)]),
        names.map((name) => [name, true]),
      );
    }
    const [, damaged] = await backend.schedules({ by: "all", after: null, limit: 10 });
    assert.ok(damaged);
    assert.deepEqual(await backend.advance([{ from: damaged, to: null, ticks: [] }]), [false]);
  });

  it("many damaged rows in front do not hide the sound one behind them", async (t) => {
    const { backend, namespace } = await store(t);
    await backend.insert(drafts(1, 200));
    await raw(`update ${table(namespace, "live")} set policy = '?' where id < '${idOf(200)}'`);
    const claimed = await backend.claim(request(1, 60_000, "a"));
    const more = claimed.length > 0 ? [] : await backend.claim(request(1, 60_000, "b"));
    assert.deepEqual(ids([...claimed, ...more]), [idOf(200)]);
  });
}
