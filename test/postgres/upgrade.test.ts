/**
 * Workers of two versions side by side: what those of version 1 send was written down with its answers, and means the
 * same after the migrations since. `SIDEREAL_FREEZE=1` writes down what this version sends.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import pg from "pg";
import { ClientConnections } from "../../src/backends/postgres/clients/client.ts";
import { postgres } from "../../src/backends/postgres/index.ts";
import { MIGRATIONS, migrate } from "../../src/backends/postgres/schema.ts";
import { cancelled, completed, noted, revived } from "../../src/model/lifecycle.ts";
import type { TaskRecord } from "../../src/model/record.ts";
import { draftOf, idOf, rowOf } from "../../src/testing/backend-contract/stage.ts";
import { allRecords } from "../../src/testing/records.ts";
import { root } from "../architecture/source.ts";
import { ADDRESS, drop, freshNamespace, raw, skip } from "./bench.ts";

/** A statement, its values, and the rows that it answered with; the namespace is written as @. */
type Step = readonly [text: string, values: readonly (string | null)[], rows: readonly unknown[]];

const file = join(root, "test/postgres/schemas/version-1.json");
const START = 1_700_000_000_000;

interface Frozen {
  readonly steps: readonly Step[];
}

async function connect(t: TestContext): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: ADDRESS });
  await client.connect();
  t.after(() => client.end());
  return client;
}

/** A schema of version 1. */
async function old(t: TestContext, client: pg.Client): Promise<string> {
  const namespace = freshNamespace();
  t.after(() => drop(namespace));
  const connections = new ClientConnections({ query: (text, values) => client.query(text, values) });
  await connections.transaction((session) => migrate(session, namespace, MIGRATIONS.slice(0, 1)));
  return namespace;
}

const rowsOf = (rows: readonly unknown[]): unknown[] =>
  rows.map((row) => (Array.isArray(row) ? row : Object.values(row as object)));

/** What a worker does in its life, at a time that stands still. */
async function live(backend: ReturnType<typeof postgres>): Promise<void> {
  await backend.insert([
    draftOf(idOf(1), { key: "k", tags: ["a"], metadata: "{}" }),
    draftOf(idOf(2), { priority: 3, expiresIn: 60_000 }),
    draftOf(idOf(3), { runAt: START + 5_000 }),
  ]);
  await backend.insert([draftOf(idOf(4), { key: "k" }), draftOf(idOf(2))]);
  const request = {
    workerId: "w",
    limit: 10,
    lease: 60_000,
    tasks: ["mail.send"],
    queues: null,
    executions: ["local"],
  };
  const claim = (token: string, queueLimits: Record<string, number> = {}): Promise<readonly TaskRecord[]> =>
    backend.claim({ ...request, token: token.repeat(32), queueLimits });
  const [first, second] = (await claim("a", { default: 2 })) as [TaskRecord, TaskRecord];
  await claim("a", { default: 2 });
  await claim("b");
  await backend.renew([{ id: first.id, claim: first.claim as string }], 90_000);
  const told = noted(first, { begun: true });
  await backend.apply([{ from: first, to: told }]);
  await backend.apply([{ from: told, to: completed(told, { now: START, result: "1" }) }]);
  const over = cancelled(second, { now: START, reason: "enough", by: "acknowledge" });
  await backend.apply([{ from: second, to: over }]);
  await backend.apply([{ from: over, to: revived(over, { now: START }) }]);
  for (const by of ["lapsed", "expired", "cancelling"] as const) await backend.find({ by, after: null, limit: 10 });
  await backend.find({ by: "next", queues: null });
  await backend.find({ by: "id", ids: [idOf(1), idOf(2)] });
  await backend.find({ by: "key", key: "k" });
  await backend.page({ order: "newest", after: null, limit: 10 });
  await backend.page({ order: "oldest", after: null, limit: 10, states: ["failed", "cancelled"] });
  await backend.tally();
  await backend.hold("unique:k", "w", { lease: 1_000, note: "{}" });
  await backend.held("unique:");
  await backend.release("unique:k", "w");
  const daily = rowOf("daily", { dueAt: START });
  await backend.advance([{ from: null, to: daily, ticks: [draftOf(idOf(9))] }]);
  await backend.schedules({ by: "due", after: null, limit: 10 });
  await backend.advance([{ from: daily, to: { ...daily, version: daily.version + 1 }, ticks: [draftOf(idOf(10))] }]);
  await backend.prune({ states: ["completed"], before: START + 1, limit: 10 });
}

if (process.env["SIDEREAL_FREEZE"] === "1") {
  test("freeze", async (t) => {
    const client = await connect(t);
    const namespace = await old(t, client);
    const steps: Step[] = [];
    const query = async (text: string, values: (string | null)[]): Promise<{ rows: readonly unknown[] }> => {
      const { rows } = await client.query(text, values);
      if (
        !/advisory|pg_class|pg_namespace|schema_version|gen_random_uuid|pg_notify/u.test(text) ||
        text.includes("live")
      ) {
        steps.push([text.replaceAll(`"${namespace}"`, "@"), values, rowsOf(rows)]);
      }
      return { rows };
    };
    const clock = { wall: () => START, mono: () => 0, after: () => () => {}, soon: () => {} };
    const backend = postgres({ client: { query }, clock });
    await backend.open({ namespace });
    steps.length = 0;
    await live(backend);
    await backend.close();
    writeFileSync(file, `${JSON.stringify({ steps }, null, 1)}\n`);
  });
}

const frozen = JSON.parse(readFileSync(file, "utf8")) as Frozen;

test("what a worker of version 1 sends is answered the same after the migrations since", { skip }, async (t) => {
  const client = await connect(t);
  const namespace = await old(t, client);
  const plan = await postgres(ADDRESS).schema?.migrate({ namespace });
  assert.deepEqual([plan?.from, plan?.to], [1, MIGRATIONS.length]);
  assert.ok(frozen.steps.length > 30);
  for (const [at, [text, values, rows]] of frozen.steps.entries()) {
    const answer = await client.query(text.replaceAll("@", `"${namespace}"`), [...values]);
    assert.deepEqual(rowsOf(answer.rows), rows, `step ${at}: ${text.slice(0, 200)}`);
  }
});

test("what it stored before and after is there for the workers of this version", { skip }, async (t) => {
  const client = await connect(t);
  const namespace = await old(t, client);
  const half = Math.floor(frozen.steps.length / 2);
  const send = async (steps: readonly Step[]): Promise<void> => {
    for (const [text, values] of steps) await client.query(text.replaceAll("@", `"${namespace}"`), [...values]);
  };
  await send(frozen.steps.slice(0, half));
  const backend = postgres(ADDRESS);
  t.after(() => backend.close());
  await backend.open({ namespace });
  const before = (await allRecords(backend)).map(({ id }) => id);
  assert.ok(before.length >= 2);
  await send(frozen.steps.slice(half));
  const after = (await allRecords(backend)).map(({ id, state }) => [id, state]);
  assert.deepEqual(after, [
    [idOf(1), "pending"],
    [idOf(3), "pending"],
    [idOf(9), "pending"],
    [idOf(10), "pending"],
  ]);
  assert.deepEqual(await raw(`select schema_version from "${namespace}".store`), [[MIGRATIONS.length]]);
});
