/** Sessions that end under a call, odd characters, and what errors say. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { inspect } from "node:util";
import { mysql } from "../../src/backends/mysql/index.ts";
import { hasCode, SiderealError } from "../../src/model/errors.ts";
import { cancelled } from "../../src/model/lifecycle.ts";
import { draftOf, forged, idOf } from "../../src/testing/backend-contract/stage.ts";
import { CLAIM } from "../sql/server.ts";
import { exerciseTroubles } from "../sql/troubles.ts";
import { ADDRESS, DATABASE, server, skip, store, sweep } from "./bench.ts";

after(sweep);

exerciseTroubles(server);

test("a batch larger than the server's packet is written whole", { skip }, async (t) => {
  const { backend } = await store(t);
  const input = JSON.stringify('é💾"'.repeat(100_000));
  const answers = await backend.insert(Array.from({ length: 30 }, (_, n) => draftOf(idOf(n), { input })));
  assert.ok(answers.every(({ created }) => created));
  const taken = await backend.claim({ ...CLAIM, limit: 30 });
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
