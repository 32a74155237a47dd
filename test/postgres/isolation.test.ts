/** Sessions that begin at another isolation level than the statements count on, and transactions with an old snapshot. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import pg from "pg";
import { type PostgresTransaction, postgres } from "../../src/backends/postgres/index.ts";
import { completed } from "../../src/model/lifecycle.ts";
import type { TaskRecord } from "../../src/model/record.ts";
import { exerciseBackend } from "../../src/testing/backend-contract/index.ts";
import { draftOf, idOf } from "../../src/testing/backend-contract/stage.ts";
import { within } from "../sql/server.ts";
import { ADDRESS, bench, drop, freshNamespace, skip, store, sweep, type Way } from "./bench.ts";

const strict = new pg.Pool({
  connectionString: ADDRESS,
  max: 4,
  options: "-c default_transaction_isolation=serializable",
});
after(async () => {
  await sweep();
  await strict.end();
});

const way: Way = {
  options: () => ({ pool: strict }),
  transaction: async <T>(body: (tx: PostgresTransaction) => Promise<T>): Promise<T> => {
    const client = await strict.connect();
    return within(
      (text) => client.query(text === "begin" ? "begin isolation level read committed" : text),
      () => body(client),
      () => client.release(),
    );
  },
};

describe("over sessions that begin as serializable", { skip }, () => {
  exerciseBackend({
    name: "a pool of pg",
    capabilities: { signals: true, shared: true, transactions: true, clock: true },
    make: (clock) => bench(clock, way),
    walkSeeds: 3,
  });
});

test("it is a finding, with what to do", { skip }, async (t) => {
  const namespace = freshNamespace();
  const backend = postgres({ pool: strict });
  t.after(async () => {
    await backend.close();
    await drop(namespace);
  });
  await backend.open({ namespace });
  const finding = (await backend.diagnose?.())?.find(({ check }) => check === "isolation");
  assert.equal(finding?.level, "warning");
  assert.match(finding?.message ?? "", /transactions begin as serializable by default/u);
});

const request = { workerId: "w", limit: 10, lease: 60_000, tasks: ["mail.send"], queues: null } as const;

for (const level of ["repeatable read", "serializable"]) {
  for (const key of [null, "k"]) {
    test(`${level}: an id that ended unseen, ${key ?? "no key"}, is not stored twice`, { skip }, async (t) => {
      const client = new pg.Client({ connectionString: ADDRESS });
      await client.connect();
      t.after(() => client.end());
      const { backend } = await store(t);
      const draft = draftOf(idOf(1), { key });
      await client.query(`begin isolation level ${level}`);
      await client.query("select count(*) from pg_class");
      await backend.insert([draft]);
      const claim = { ...request, token: "a".repeat(32), queueLimits: {}, executions: ["local"] };
      const [taken] = (await backend.claim(claim)) as [TaskRecord];
      await backend.apply([{ from: taken, to: completed(taken, { now: 1, result: "1" }) }]);
      const again = backend.within?.(client).insert([draft, draftOf(idOf(2))]);
      await assert.rejects(Promise.resolve(again), { code: "STORE_BUSY" });
      await client.query("rollback");
      const { records } = await backend.page({ order: "oldest", after: null, limit: 10 });
      assert.deepEqual(
        records.map(({ id, state }) => [id, state]),
        [[idOf(1), "completed"]],
      );
    });
  }

  test(`${level}: what is new is stored, what ended before is answered`, { skip }, async (t) => {
    const { backend } = await store(t);
    await backend.insert([draftOf(idOf(1))]);
    const claim = { ...request, token: "a".repeat(32), queueLimits: {}, executions: ["local"] };
    const [taken] = (await backend.claim(claim)) as [TaskRecord];
    const over = completed(taken, { now: 1, result: "1" });
    await backend.apply([{ from: taken, to: over }]);
    const client = new pg.Client({ connectionString: ADDRESS });
    await client.connect();
    t.after(() => client.end());
    await client.query(`begin isolation level ${level}`);
    const answers = await backend.within?.(client).insert([draftOf(idOf(1)), draftOf(idOf(2))]);
    await client.query("commit");
    assert.deepEqual(answers?.[0], { created: false, by: "id", record: over });
    assert.equal(answers?.[1]?.created, true);
    const { records } = await backend.page({ order: "oldest", after: null, limit: 10 });
    assert.deepEqual(
      records.map(({ id, state }) => [id, state]),
      [
        [idOf(1), "completed"],
        [idOf(2), "pending"],
      ],
    );
  });
}
