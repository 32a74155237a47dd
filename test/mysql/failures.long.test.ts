/** Sessions that end under a call, odd characters, and what errors say. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { inspect } from "node:util";
import { mysql } from "../../src/backends/mysql/index.ts";
import { hasCode, SiderealError } from "../../src/model/errors.ts";
import { cancelled } from "../../src/model/lifecycle.ts";
import type { TaskRecord } from "../../src/model/record.ts";
import { draftOf, forged, idOf } from "../../src/testing/backend-contract/stage.ts";
import { ADDRESS, DATABASE, raw, skip, store, sweep } from "./bench.ts";

after(sweep);

const request = {
  workerId: "w",
  limit: 10,
  lease: 60_000,
  tasks: ["mail.send"],
  queues: null,
  queueLimits: {},
  executions: ["local"],
};

test("characters that no server takes come back as they were", { skip }, async (t) => {
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

test("a batch larger than the server's packet is written whole", { skip }, async (t) => {
  const { backend } = await store(t);
  const input = JSON.stringify('é💾"'.repeat(100_000));
  const answers = await backend.insert(Array.from({ length: 30 }, (_, n) => draftOf(idOf(n), { input })));
  assert.ok(answers.every(({ created }) => created));
  const taken = await backend.claim({ ...request, token: "a".repeat(32), limit: 30 });
  assert.equal(taken.length, 30);
  assert.ok(taken.every((record) => record.input === input));
  const changes = taken.map((from) => ({
    from,
    to: cancelled(forged(from, { result: input }), { now: 1, reason: "no", by: "force" }),
  }));
  assert.ok((await backend.apply(changes)).every(Boolean));
  const again = await backend.insert(Array.from({ length: 31 }, (_, n) => draftOf(idOf(n), { input })));
  assert.equal(again.filter(({ created }) => created).length, 1);
});

test("an id that the index cannot hold is refused, not cut off", { skip }, async (t) => {
  const { backend } = await store(t);
  await assert.rejects(backend.insert([draftOf("x".repeat(256))]), (error) => hasCode(error, "OPTION_INVALID"));
  assert.equal((await backend.insert([draftOf("é".repeat(127))]))[0]?.created, true);
});

test("sessions that are killed under load: calls fail with a code of ours, and the next ones work", {
  skip,
}, async (t) => {
  const { backend } = await store(t);
  let ended = false;
  const killer = (async () => {
    while (!ended) {
      const sessions = await raw(
        "select id from information_schema.processlist where db = ? and id <> connection_id()",
        [DATABASE],
      );
      for (const [id] of sessions) await raw(`kill ${Number(id)}`).catch(() => {});
    }
  })();
  const acknowledged = new Set<string>();
  let failed = 0;
  for (let n = 0; n < 200 || failed < 5; n += 1) {
    const draft = draftOf(idOf(n));
    try {
      await backend.insert([draft]);
      acknowledged.add(draft.record.id);
      const claimed = await backend.claim({ ...request, token: n.toString(16).padStart(32, "0"), limit: 1 });
      await backend.apply(
        claimed.map((from) => ({ from, to: cancelled(from, { now: 1, reason: null, by: "force" }) })),
      );
    } catch (error) {
      assert.equal((error as { code?: unknown }).code, "STORE_UNAVAILABLE", inspect(error));
      failed += 1;
    }
  }
  ended = true;
  await killer;
  const [counts] = await backend.tally();
  const stored = (counts?.pending ?? 0) + (counts?.running ?? 0) + (counts?.cancelled ?? 0);
  assert.ok(stored >= acknowledged.size, "nothing that was acknowledged is lost");
  const found = await backend.find({ by: "id", ids: [...acknowledged] });
  assert.equal(found.length, acknowledged.size);
});

test("no address, user or password in an error's words", { skip }, async () => {
  const { hostname } = new URL(ADDRESS);
  for (const url of [
    `mysql://nobody-here:very-secret@${hostname}:3306/${DATABASE}`,
    `mysql://root:very-secret@${hostname}:3306/${DATABASE}`,
    `mysql://nobody-here:very-secret@${hostname}:1/${DATABASE}`,
  ]) {
    await assert.rejects(mysql(url).open(), (error: Error) => {
      assert.ok(hasCode(error, "STORE_UNAVAILABLE"), String(error));
      assert.doesNotMatch(error.message, /nobody-here|very-secret|root/u);
      assert.doesNotMatch(inspect(error, { depth: 5 }), /very-secret/u);
      return true;
    });
  }
});

test("options that cannot be are refused by name", () => {
  for (const options of [
    {},
    { url: ADDRESS, pool: {} },
    { url: "postgres://root@localhost/test" },
    { url: "mysql://root@localhost" },
    { url: ADDRESS, connections: 0 },
    { pool: {} },
  ]) {
    assert.throws(
      () => mysql(options as never),
      (error) => hasCode(error, "CONFIG_INVALID"),
    );
  }
  assert.throws(
    () => mysql("nowhere:very-secret"),
    (error) => error instanceof SiderealError && !error.message.includes("very-secret"),
  );
});
