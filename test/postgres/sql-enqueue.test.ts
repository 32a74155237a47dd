/** Enqueueing by plain SQL: what it stores is what the door in TypeScript would, in the caller's transaction. */
import assert from "node:assert/strict";
import { test } from "node:test";
import pg from "pg";
import { postgres } from "../../src/backends/postgres/index.ts";
import type { TaskRecord } from "../../src/index.ts";
import { type EnqueueOptions, QueueService, task, Worker } from "../../src/index.ts";
import { ADDRESS, drop, freshNamespace, raw, skip, store } from "./bench.ts";

const TASK = "sql.mail";
const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/u;

async function enqueue(namespace: string, ...values: unknown[]): Promise<string> {
  const places = values.map((_, at) => `$${at + 1}`).join(", ");
  const [row] = await raw(`select "${namespace}".enqueue(${places})`, values);
  return row?.[0] as string;
}

const options: EnqueueOptions<never> = {
  queue: "mail",
  priority: 5,
  delay: "1.5h",
  expiresIn: 90_000.5,
  retries: 3,
  backoff: { type: "linear", delay: "2s", maxDelay: "1m", jitter: 0 },
  timeout: "30s",
  key: "clé \u001a 🌍",
  metadata: { by: "ada", deep: [1, null, "\u0001"] },
  tags: ["a", "é\u001a"],
  description: "line\nline \u001a",
  executionProfile: "small",
  requeueOnShutdown: false,
};

/** What may differ between two records of one request. */
function request(record: TaskRecord | undefined): object {
  const { id, createdAt, readyAt, expiresAt, queuedAt, metadata, input, ...rest } = record as TaskRecord;
  const read = (text: string | null): unknown => (text === null ? null : JSON.parse(text));
  const times = { ready: readyAt - createdAt, expires: expiresAt === null ? null : expiresAt - createdAt };
  return { ...rest, ...times, queued: queuedAt - createdAt, metadata: read(metadata), input: read(input) };
}

const mail = task(TASK, async (input: unknown) => input);

for (const [name, input, own] of [
  ["nothing but a task", undefined, {}],
  ["an input", { a: [1, "é", null, 1.5e-7], "": "\u001a" }, {}],
  ["every option", null, options],
  ["a fixed back-off, and a key of the task's own", [], { backoff: "3s", uniqueBy: "task", uniqueUntil: "terminal" }],
  ["an exponential back-off", 1, { backoff: { type: "exponential", delay: "2h", factor: 1.5 } }],
  ["instants", "x", { runAt: 1_900_000_000_000, expiresAt: 1_900_000_001_000 }],
] as const satisfies readonly (readonly [string, unknown, EnqueueOptions<never>])[]) {
  test(`${name}: the record is that of the same enqueue in TypeScript`, { skip }, async (t) => {
    const { backend, namespace } = await store(t);
    const service = await new QueueService({ queueBackend: backend, namespace }).open();
    const { id } = await service.enqueue(mail, input, own);
    const find = async (one: string): Promise<TaskRecord | undefined> =>
      (await backend.find({ by: "id", ids: [one] }))[0];
    const theirs = await find(id);
    await service.cancel(id);
    const sqlId = await enqueue(
      namespace,
      TASK,
      input === undefined ? null : JSON.stringify(input),
      JSON.stringify(own),
    );
    assert.match(sqlId, UUID7);
    const ours = await find(sqlId);
    const absolute = "runAt" in own;
    if (absolute) assert.deepEqual([ours?.readyAt, ours?.expiresAt], [own.runAt, own.expiresAt]);
    const plain = (record: TaskRecord | undefined): object =>
      request(absolute ? ({ ...record, createdAt: 0, queuedAt: 0 } as TaskRecord) : record);
    assert.deepEqual(plain(ours), plain(theirs));
    await service.close();
  });
}

test("a worker runs what was committed; a rollback leaves nothing; a live key answers with its holder", {
  skip,
}, async (t) => {
  const namespace = freshNamespace();
  const service = await new QueueService({ queueBackend: postgres(ADDRESS), namespace }).open();
  const client = new pg.Client({ connectionString: ADDRESS });
  await client.connect();
  t.after(async () => {
    await client.end();
    await service.close();
    await drop(namespace);
  });
  const call = `select "${namespace}".enqueue($1, jsonb_build_object('n', 7), jsonb_build_object('key', 'k', 'queue', null)) as id`;
  const once = async (): Promise<string> => (await client.query(call, [TASK])).rows[0].id;
  await client.query("begin");
  await once();
  await client.query("rollback");
  assert.equal((await service.counts()).total, 0);
  await client.query("begin");
  const id = await once();
  assert.equal(await once(), id);
  assert.equal((await service.counts()).total, 0);
  await client.query("commit");
  assert.equal(await enqueue(namespace, TASK, null, '{"key":"k"}'), id);
  const worker = await new Worker(service).start();
  assert.deepEqual(await (await service.handle(id))?.result(), { n: 7 });
  await worker.stop();
  assert.notEqual(await enqueue(namespace, TASK, null, '{"key":"k"}'), id);
});

test("a user with the rights that the documents name, and no others, can", { skip }, async (t) => {
  const { namespace } = await store(t);
  const role = `${namespace}_plain`;
  const schema = `"${namespace}"`;
  await raw(`create role ${role}; grant usage on schema ${schema} to ${role}; grant usage on sequence ${schema}.batches to ${role};
    grant insert, select on ${schema}.live to ${role}; grant select on ${schema}.store to ${role}`);
  const client = new pg.Client({ connectionString: ADDRESS });
  await client.connect();
  t.after(async () => {
    await client.end();
    await raw(`drop owned by ${role}; drop role ${role}`);
  });
  await client.query(`set role ${role}`);
  const text = `select ${schema}.enqueue('a', null, '{"key":"k"}') as id`;
  const ids = [await client.query(text), await client.query(text)].map(({ rows }) => rows[0].id);
  assert.equal(ids[0], ids[1]);
});

test("a time is read with its zone", { skip }, async (t) => {
  const { backend, namespace } = await store(t);
  const id = await enqueue(namespace, TASK, null, '{"runAt":"2030-01-01T12:00:00.001+02:00"}');
  const [record] = await backend.find({ by: "id", ids: [id] });
  assert.equal(record?.readyAt, Date.UTC(2030, 0, 1, 10, 0, 0, 1));
});

test("in a snapshot that does not see the key's holder it is a serialization failure, never a second holder", {
  skip,
}, async (t) => {
  const { namespace } = await store(t);
  const client = new pg.Client({ connectionString: ADDRESS });
  await client.connect();
  t.after(() => client.end());
  await client.query("begin isolation level repeatable read; select 1");
  await enqueue(namespace, TASK, null, '{"key":"k"}');
  const second = client.query(`select "${namespace}".enqueue($1, null, '{"key":"k"}')`, [TASK]);
  await assert.rejects(second, { code: "40001" });
  await client.query("rollback");
});

test("what the door refuses is refused here, by name and with what is allowed", { skip }, async (t) => {
  const { backend, namespace } = await store(t);
  const long = "a".repeat(501);
  const refused: readonly (readonly [unknown, string, RegExp])[] = [
    [null, "{}", /the task's name is null, not a name/u],
    ["a b", "{}", /the task's name is "a b", not a name: 1 to 200 letters/u],
    ["ä", "{}", /the task's name/u],
    [TASK, "[]", /options is \[\], not an object/u],
    [TASK, '{"Queue":"x"}', /enqueue of sql\.mail: there is no option "Queue"/u],
    [TASK, '{"queue":"a;b"}', /queue is "a;b", not a name/u],
    [TASK, '{"queue":5}', /queue is 5, not a name/u],
    [TASK, '{"priority":1001}', /priority is 1001, not a whole number from -1000 to 1000/u],
    [TASK, '{"priority":1.5}', /priority is 1\.5/u],
    [TASK, '{"retries":"3"}', /retries is "3", not a whole number from 0 to 1000/u],
    [TASK, '{"delay":"5 minutes"}', /delay is "5 minutes", not a duration/u],
    [TASK, '{"delay":-1}', /delay is -1, not a duration/u],
    [TASK, '{"delay":"36501d"}', /at most 100 years/u],
    [TASK, '{"timeout":0}', /timeout is 0, not a duration .* at least 1 ms/u],
    [TASK, '{"runAt":"tomorrow"}', /runAt is "tomorrow", not milliseconds/u],
    [TASK, '{"runAt":"2030-13-01T00:00:00Z"}', /runAt is "2030-13/u],
    [TASK, '{"runAt":"2030-01-01T00:00:00"}', /runAt .* with its zone/u],
    [TASK, '{"runAt":-1}', /runAt is -1/u],
    [TASK, '{"delay":1,"runAt":1}', /delay and runAt exclude each other/u],
    [TASK, '{"expiresIn":1,"expiresAt":1}', /expiresIn and expiresAt exclude each other/u],
    [TASK, '{"key":"k","uniqueBy":"task"}', /key and uniqueBy exclude each other/u],
    [TASK, '{"uniqueUntil":"terminal"}', /uniqueUntil needs key or uniqueBy/u],
    [TASK, '{"key":"k","uniqueUntil":"forever"}', /uniqueUntil is "forever", not "terminal", the only one in SQL/u],
    [TASK, '{"uniqueBy":"input"}', /uniqueBy is "input", not "task", the only one in SQL/u],
    [TASK, '{"key":""}', /key is "", not a text of 1 to 500 characters/u],
    [TASK, `{"key":"${long}"}`, /key is "a+, not a text/u],
    [TASK, `{"key":"${"🌍".repeat(251)}"}`, /not a text of 1 to 500 characters/u],
    [TASK, '{"backoff":{"type":"custom"}}', /backoff\.type is "custom", not "fixed", "linear" or "exponential"/u],
    [TASK, '{"backoff":{"type":"fixed","delays":1}}', /backoff has no field "delays"/u],
    [TASK, '{"backoff":{"type":"fixed","jitter":2}}', /backoff\.jitter is 2, not a number from 0 to 1/u],
    [TASK, '{"metadata":[]}', /metadata is \[\], not an object/u],
    [TASK, '{"tags":"a"}', /tags is "a", not up to 20 texts/u],
    [TASK, '{"tags":[1]}', /tags is 1, not a text of 1 to 200 characters/u],
    [TASK, '{"description":5}', /description is 5, not a text of 1 to 1000 characters/u],
    [TASK, '{"executionBackend":"immediate"}', /executionBackend is "immediate", not "local"/u],
    [TASK, '{"executionProfile":""}', /executionProfile is "", not a name/u],
    [TASK, '{"requeueOnShutdown":1}', /requeueOnShutdown is 1, not true or false/u],
  ];
  for (const [name, own, message] of refused) {
    await assert.rejects(enqueue(namespace, name, null, own), { code: "22023", message }, `${String(name)} ${own}`);
  }
  const large = JSON.stringify("x".repeat(1_048_576));
  await assert.rejects(enqueue(namespace, TASK, large), { code: "22023", message: /input has 1048578 bytes of JSON/u });
  assert.deepEqual(await backend.tally(), []);
});
