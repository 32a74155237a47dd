/** Whatever a record holds comes back as it went in; the store reads none of it. */
import assert from "node:assert/strict";
import { claimed, completed, failed, noted } from "../../../model/lifecycle.ts";
import { type ContractCase, Group } from "../case.ts";
import { forged, ids, present } from "../stage.ts";

const group = new Group("content");
export const content: readonly ContractCase[] = group.cases;

/** Text that has broken one store or another. */
const TEXTS: readonly string[] = [
  "",
  " leading and trailing ",
  "line\nfeed\r\ntab\tand \u0001 control \u007f",
  "quotes ' \" ` and back\\slash \\n \\u0000",
  "%_ like, $1 ? :name @p {} #{x} ${x} <b>&amp;</b>",
  "'; drop table tasks; --",
  "עברית العربية \u202eright to left\u202c",
  "日本語 한국어 ภาษาไทย हिन्दी",
  "emoji 👩‍👩‍👧‍👦 🏳️‍🌈 💾 and 𝒻𝑜𝓊𝓇 𠜎 byte text",
  "e\u0301 is not \u00e9, ß is not ss, İ is not i",
  "\u2028\u2029\ufeff\ufffd\uffff",
  "null",
  "2026-01-01T00:00:00.000Z",
];

group.holds("I15 I18", "text of any script and any escape comes back untouched", async (stage) => {
  const text = TEXTS.join("|");
  const all = JSON.stringify(TEXTS);
  const record = await stage.one({
    input: all,
    metadata: JSON.stringify(Object.fromEntries(TEXTS.map((value, n) => [`${n}${value}`, value]))),
    tags: TEXTS,
    description: text,
    key: text,
    executionProfile: text,
  });
  assert.deepEqual(record, {
    ...record,
    input: all,
    tags: TEXTS,
    description: text,
    key: text,
    executionProfile: text,
  });
  assert.deepEqual(await stage.dump(), [record]);
  assert.deepEqual(await stage.store.find({ by: "key", key: text }), [record]);
  const [taken] = await stage.claim({ workerId: text });
  assert.deepEqual(
    taken,
    claimed(record, { now: taken?.startedAt ?? 0, token: taken?.claim ?? "", lease: 600_000, workerId: text }),
  );
});

group.holds("I15", "JSON is kept byte for byte, not read and written again", async (stage) => {
  const inputs = [
    '{"b":1,"a":2,"b":3}',
    '{ "spaces" : [ 1 , 2 ] }',
    "1e400",
    "-0",
    "1.0",
    "12345678901234567890",
    "0.1000000000000000055511151231257827",
    '"\\u0000\\ud83d\\ude00\\/"',
    "null",
    "true",
    '""',
    "[]",
    `${"[".repeat(400)}${"]".repeat(400)}`,
    '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}',
  ];
  const records = await stage.put(...inputs.map((input) => ({ input })), { input: null });
  assert.deepEqual(
    records.map(({ input }) => input),
    [...inputs, null],
  );
  assert.deepEqual(await stage.dump(), records);
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
});

group.holds("I15", "an input and a result of 1 MiB", async (stage) => {
  const ascii = JSON.stringify("x".repeat(1_048_574));
  const record = await stage.one({ input: ascii });
  assert.equal((await stage.read(record.id))?.input, ascii);
  const taken = present((await stage.claim())[0]);
  assert.equal(taken.input, ascii);
  const result = JSON.stringify('é💾\\"'.repeat(100_000));
  await stage.become(taken, completed(taken, { now: 1, result }));
  assert.equal((await stage.read(record.id))?.result, result);
});

group.holds("I6 I15", "everything an attempt leaves behind comes back as it was written", async (stage) => {
  const taken = await stage.running({ key: "k", tags: ["a", "a", ""], metadata: "{}" });
  const lines = TEXTS.map((message, n) => ({ at: 1_000 + n, attempt: 1, message }));
  const progress = { current: 0.5, total: 1e15, message: TEXTS.join(), detail: null, at: 1_234 };
  const step = await stage.become(taken, noted(taken, { progress, lines, begun: true }));
  assert.deepEqual(await stage.read(taken.id), step);
  const error = {
    name: "Ошибка",
    message: TEXTS.join("\n"),
    stack: "at x\n".repeat(6_000),
    code: "E💾",
    attempt: 1,
    at: 99,
  };
  const next = await stage.become(step, failed(step, { now: 2_000, error, retryable: true, retryIn: 7 }));
  assert.deepEqual(await stage.read(taken.id), next);
  const bare = { ...error, stack: null, code: null };
  const later = { ...progress, total: null, detail: "d" };
  const over = forged(next, { version: next.version + 1, error: bare, progress: later });
  await stage.become(next, over);
  assert.deepEqual(await stage.read(taken.id), over);
});

group.holds("", "numbers keep their size and their fractions", async (stage) => {
  const policy = {
    retries: 1_000_000,
    backoff: { kind: "custom", delay: 0.5, factor: 1.7, maxDelay: 31_536_000_000_000, jitter: 0.123456789 },
    timeout: 2 ** 40,
    requeueOnShutdown: false,
  } as const;
  const at = 253_402_300_799_000;
  const record = await stage.one({ policy, priority: -1_000, runAt: at, expiresAt: at + 1 });
  assert.deepEqual(record, { ...record, policy, priority: -1_000, readyAt: at, expiresAt: at + 1 });
  const many = forged(record, { version: 2, snoozes: 100_000, attempt: 100_250, failures: 150, queuedAt: at });
  await stage.become(record, many);
  assert.deepEqual(await stage.read(record.id), many);
});

group.holds("I11 I18", "keys and names that only look alike are different", async (stage) => {
  const keys = [
    "k",
    "K",
    "k ",
    " k",
    "\u00e9",
    "e\u0301",
    "ß",
    "ss",
    "k%",
    "k_",
    "k\\",
    "",
    "0",
    "00",
    "x".repeat(500),
    "x".repeat(499),
  ];
  const records = await stage.put(...keys.map((key) => ({ key })));
  for (const [place, key] of keys.entries()) {
    assert.deepEqual(await stage.store.find({ by: "key", key }), [records[place]], `key ${JSON.stringify(key)}`);
  }
  await stage.put({ queue: "mail", task: "send" }, { queue: "Mail", task: "Send" });
  assert.deepEqual(
    (await stage.claim({ tasks: ["send"] })).map(({ queue }) => queue),
    ["mail"],
  );
  assert.deepEqual((await stage.claim({ tasks: ["Send"], queues: ["mail"] })).length, 0);
  assert.deepEqual(
    (await stage.store.tally(["Mail"])).map(({ queue }) => queue),
    ["Mail"],
  );
});

group.holds("I18", "names that JavaScript objects are born with are names like any other", async (stage) => {
  const names = ["constructor", "toString", "hasOwnProperty", "valueOf"];
  await stage.put(...names.map((name) => ({ queue: name, task: name, key: name, execution: name })));
  assert.deepEqual(
    (await stage.store.tally()).map(({ queue, pending }) => [queue, pending]),
    names.toSorted().map((name) => [name, 1]),
  );
  const wish = { tasks: names, executions: names };
  assert.equal((await stage.claim({ ...wish, queueLimits: { toString: 0, valueOf: 0 } })).length, 2);
  assert.equal((await stage.claim(wish)).length, 2);
  await stage.store.hold("constructor", "toString");
  assert.equal((await stage.store.held("constructor")).length, 1);
  assert.equal(ids(await stage.store.find({ by: "key", key: "valueOf" })).length, 1);
});
