/** Records as rows and back; and batches of drafts, whose statements depend on what the drafts have in common. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { memory } from "../../src/backends/memory/index.ts";
import { STATES } from "../../src/backends/sql/columns.ts";
import { decoded, encoded } from "../../src/backends/sqlite/rows.ts";
import { enqueued } from "../../src/model/lifecycle.ts";
import type { BackoffPolicy, Draft, Origin, TaskPolicy, TaskRecord } from "../../src/model/record.ts";
import { ManualClock } from "../../src/testing/backend-contract/index.ts";
import { request, store } from "./bench.ts";

const text = fc.string({ unit: "binary" });
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value, { nil: null });
const time = fc.integer({ min: 0, max: 4_102_444_800_000 });
const count = fc.nat({ max: 1_000_000 });
const json = fc.json();

const policy: fc.Arbitrary<TaskPolicy> = fc.record({
  retries: count,
  backoff: fc.record({
    kind: fc.constantFrom<BackoffPolicy["kind"]>("fixed", "linear", "exponential", "custom"),
    delay: count,
    factor: fc.double({ min: 1, max: 100, noNaN: true }),
    maxDelay: count,
    jitter: fc.double({ min: 0, max: 1, noNaN: true }).map((value) => value + 0),
  }),
  timeout: maybe(count),
  requeueOnShutdown: fc.boolean(),
});

const origin: fc.Arbitrary<Origin> = fc.oneof(
  fc.record(
    {
      kind: fc.constant("schedule" as const),
      schedule: text,
      scheduledFor: time,
      manual: fc.constant(true as const),
    },
    { requiredKeys: ["kind", "schedule", "scheduledFor"], noNullPrototype: true },
  ),
  fc.record({ kind: fc.constant("retry" as const), of: text }, { noNullPrototype: true }),
);

const record: fc.Arbitrary<TaskRecord> = fc.record({
  id: text,
  taskName: text,
  queue: text,
  execution: text,
  executionProfile: maybe(text),
  priority: fc.integer(),
  input: maybe(json),
  policy,
  createdAt: time,
  expiresAt: maybe(time),
  metadata: maybe(json),
  tags: fc.array(text),
  description: maybe(text),
  origin: maybe(origin),
  state: fc.constantFrom(...STATES),
  version: count,
  claim: maybe(text),
  attempt: count,
  failures: count,
  losses: count,
  interruptions: count,
  snoozes: count,
  revivals: count,
  begun: fc.boolean(),
  key: maybe(text),
  ref: maybe(text),
  queuedAt: time,
  readyAt: time,
  startedAt: maybe(time),
  finishedAt: maybe(time),
  cancelRequestedAt: maybe(time),
  reason: maybe(text),
  result: maybe(json),
  error: maybe(
    fc.record({ name: text, message: text, stack: maybe(text), code: maybe(text), attempt: count, at: time }),
  ),
  progress: maybe(
    fc.record({ current: count, total: maybe(count), message: maybe(text), detail: maybe(text), at: time }),
  ),
  logs: fc.array(fc.record({ at: time, attempt: count, message: text })),
  leaseUntil: maybe(time),
  workerId: maybe(text),
});

test("every record comes back from its row as it was", () => {
  fc.assert(
    fc.property(record, (value) => {
      assert.deepEqual(decoded(encoded(value)), plain(value));
    }),
  );
});

/** Without the null prototypes that fast-check likes to make. */
function plain(value: TaskRecord): TaskRecord {
  return structuredClone(value);
}

const shared = [1, 2].map(
  (retries): TaskPolicy => ({
    retries,
    backoff: { kind: "fixed", delay: 1, factor: 1, maxDelay: 1, jitter: 0 },
    timeout: retries === 2 ? 5_000 : null,
    requeueOnShutdown: true,
  }),
);

/** Mostly alike, as the drafts of one loop are; now and then one is not, or is there already. */
const draft: fc.Arbitrary<Draft> = fc
  .record({
    id: fc.oneof({ weight: 9, arbitrary: fc.uuid({ version: 7 }) }, fc.constantFrom("a", "b")),
    key: fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, fc.constantFrom("k", "l")),
    taskName: fc.oneof({ weight: 9, arbitrary: fc.constant("mail.send") }, fc.constant("index")),
    queue: fc.oneof({ weight: 9, arbitrary: fc.constant("default") }, fc.constant("other")),
    priority: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.constant(3)),
    policy: fc.oneof({ weight: 9, arbitrary: fc.constant(shared[0]) }, fc.constant(shared[1])),
    readyIn: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.constant(10)),
    expiresIn: fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, fc.constant(5)),
    tags: fc.oneof({ weight: 9, arbitrary: fc.constant([]) }, fc.constant(["vip"])),
    metadata: fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, fc.constant('{"by":"ada"}')),
    origin: fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, origin),
    input: fc.oneof(fc.constant(null), json),
  })
  .map((facts) => enqueued({ ...facts, policy: facts.policy as TaskPolicy, execution: "local" }));

test("a batch of any make-up is answered, stored and claimed as by the memory store", async (t) => {
  const batches = fc.array(fc.array(draft, { maxLength: 40 }), { minLength: 1, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(batches, async (several) => {
      const clock = new ManualClock();
      const model = memory({ clock });
      await model.open();
      const { backend } = await store(t, { clock });
      for (const batch of several) {
        assert.deepEqual(await backend.insert(batch), await model.insert(batch));
        clock.advance(7);
      }
      const all = { order: "oldest", after: null, limit: 1_000 } as const;
      assert.deepEqual(await backend.page(all), await model.page(all));
      const claim = request(50, { tasks: ["mail.send", "index"] });
      assert.deepEqual(await backend.claim(claim), await model.claim(claim));
      await backend.close();
    }),
    { numRuns: 60 },
  );
});

test("in a batch that is written together, an id refused for its key is free for a later draft", async (t) => {
  const clock = new ManualClock();
  const model = memory({ clock });
  await model.open();
  const { backend } = await store(t, { clock });
  const facts = { taskName: "mail.send", queue: "default", execution: "local", priority: 0, input: null };
  const make = (id: string, key: string | null = null): Draft =>
    enqueued({ ...facts, id, key, policy: shared[0] as TaskPolicy });
  const batch = [
    make("first", "k"),
    make("a", "k"),
    make("a"),
    make("a", "l"),
    make("b", "l"),
    make("first"),
    make("c", "l"),
  ];
  const rest = ["d", "e", "f", "g", "h", "i", "j", "k", "l"].map((id) => make(id));
  for (const drafts of [
    [...batch, ...rest],
    [...rest, ...batch, ...rest],
  ]) {
    assert.deepEqual(await backend.insert(drafts), await model.insert(drafts));
  }
  const all = { order: "oldest", after: null, limit: 1_000 } as const;
  assert.deepEqual(await backend.page(all), await model.page(all));
});
