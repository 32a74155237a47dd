/** What only two tables and a server can get wrong: identity across both; and what any store on a server meets. */
import assert from "node:assert/strict";
import { test } from "node:test";
import pg from "pg";
import { cancelled, completed, revived } from "../../src/model/lifecycle.ts";
import type { TaskRecord } from "../../src/model/record.ts";
import { draftOf, idOf } from "../../src/testing/backend-contract/stage.ts";
import { CLAIM } from "../sql/server.ts";
import { exerciseTroubles } from "../sql/troubles.ts";
import { ADDRESS, raw, server, skip, store } from "./bench.ts";

exerciseTroubles(server);

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
  const [taken] = (await backend.claim(CLAIM)) as [TaskRecord];
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
