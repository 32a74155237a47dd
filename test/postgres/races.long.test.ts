/** What only two tables and a server can get wrong: identity across both, and connections that end under a call. */
import assert from "node:assert/strict";
import { test } from "node:test";
import pg from "pg";
import { cancelled, completed, revived } from "../../src/model/lifecycle.ts";
import type { TaskRecord } from "../../src/model/record.ts";
import { draftOf, forged, idOf } from "../../src/testing/backend-contract/stage.ts";
import { ADDRESS, raw, skip, store } from "./bench.ts";

const request = {
  workerId: "w",
  limit: 10,
  lease: 60_000,
  tasks: ["mail.send"],
  queues: null,
  queueLimits: {},
  executions: ["local"],
};

/** Resolves once a session of this namespace waits for a lock. */
async function waiting(namespace: string): Promise<void> {
  for (;;) {
    const found = await raw(
      "select 1 from pg_stat_activity where wait_event_type = 'Lock' and application_name = 'sidereal' and query like $1",
      [`%"${namespace}"%`],
    );
    if (found.length > 0) return;
  }
}

test("an id whose record ends while it is enqueued again is answered, not stored twice", { skip }, async (t) => {
  const { backend, namespace } = await store(t);
  const draft = draftOf(idOf(1), { key: "k" });
  await backend.insert([draft]);
  const [taken] = (await backend.claim({ ...request, token: "a".repeat(32) })) as [TaskRecord];
  const client = new pg.Client({ connectionString: ADDRESS });
  await client.connect();
  await client.query("begin");
  const over = completed(taken, { now: 1, result: "1" });
  assert.deepEqual(await backend.within?.(client).apply([{ from: taken, to: over }]), [true]);
  const again = backend.insert([draft, draftOf(idOf(2))]);
  await waiting(namespace);
  await client.query("commit");
  await client.end();
  const [first, second] = await again;
  assert.deepEqual(first, { created: false, by: "id", record: over });
  assert.equal(second?.created, true);
  const { records } = await backend.page({ order: "oldest", after: null, limit: 10 });
  assert.deepEqual(
    records.map(({ id, state }) => [id, state]),
    [
      [idOf(1), "completed"],
      [idOf(2), "pending"],
    ],
  );
});

test("an id whose record is brought back while it is enqueued again is answered, not stored twice", {
  skip,
}, async (t) => {
  const { backend, namespace } = await store(t);
  const draft = draftOf(idOf(1));
  const [insertion] = await backend.insert([draft]);
  const pending = insertion?.record as TaskRecord;
  const over = cancelled(pending, { now: 1, reason: null, by: "force" });
  await backend.apply([{ from: pending, to: over }]);
  const back = revived(over, { now: 2 });
  const client = new pg.Client({ connectionString: ADDRESS });
  await client.connect();
  await client.query("begin");
  assert.deepEqual(await backend.within?.(client).apply([{ from: over, to: back }]), [true]);
  const again = backend.insert([draft]);
  await waiting(namespace);
  await client.query("commit");
  await client.end();
  assert.deepEqual(await again, [{ created: false, by: "id", record: back }]);
});

test("characters that the server has not come back as they were", { skip }, async (t) => {
  const { backend } = await store(t);
  const odd = "nul \u0000, half \ud83d, other half \udcbe, \u001a, \u001a0000, whole 💾";
  const draft = draftOf(idOf(1), { key: odd, description: odd, tags: [odd], metadata: JSON.stringify({ odd }) });
  const [insertion] = await backend.insert([draft]);
  const record = insertion?.record as TaskRecord;
  assert.deepEqual(await backend.find({ by: "key", key: odd }), [record]);
  const [taken] = (await backend.claim({ ...request, token: "a".repeat(32), workerId: odd })) as [TaskRecord];
  assert.equal(taken.workerId, odd);
  const error = { name: odd, message: odd, stack: odd, code: odd, attempt: 1, at: 1 };
  const over = cancelled(forged(taken, { error }), { now: 1, reason: odd, by: "force" });
  assert.deepEqual(await backend.apply([{ from: taken, to: over }]), [true]);
  assert.deepEqual(await backend.find({ by: "id", ids: [idOf(1)] }), [over]);
});

test("sessions that are killed under load: calls fail with a code of ours, and the next ones work", {
  skip,
}, async (t) => {
  const { backend, namespace } = await store(t);
  let ended = false;
  const killer = (async () => {
    while (!ended) {
      await raw(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sidereal' and query like $1",
        [`%"${namespace}"%`],
      );
    }
  })();
  const acknowledged = new Set<string>();
  let failed = 0;
  for (let n = 0; n < 300 || failed < 5; n += 1) {
    const draft = draftOf(idOf(n));
    try {
      await backend.insert([draft]);
      acknowledged.add(draft.record.id);
    } catch (error) {
      assert.equal((error as { code?: unknown }).code, "STORE_UNAVAILABLE", String(error));
      failed += 1;
    }
  }
  ended = true;
  await killer;
  const stored = await backend.tally();
  assert.ok((stored[0]?.pending ?? 0) >= acknowledged.size, "nothing that was acknowledged is lost");
  for (const id of acknowledged) assert.equal((await backend.find({ by: "id", ids: [id] })).length, 1);
});
