/** The same test on each store there is, and records of every kind to find in it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it, type TestContext } from "node:test";
import { sqlite } from "../../../src/backends/sqlite/index.ts";
import type { QueueBackend } from "../../../src/contracts/queue-backend.ts";
import { cancelled, type EnqueueFacts, enqueued, failed } from "../../../src/model/lifecycle.ts";
import type { TaskPolicy, TaskRecord } from "../../../src/model/record.ts";
import { Stage } from "./stage.ts";

/** Declares a test for memory and for a SQLite file of its own, each under a virtual clock. */
export function onEachStore(name: string, body: (stage: Stage, t: TestContext) => Promise<void>): void {
  it(`${name} (memory)`, async (t) => {
    const stage = new Stage(t);
    await stage.store.open();
    await body(stage, t);
  });
  it(`${name} (sqlite)`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "sidereal-core-"));
    const store = (clock: Stage["clock"]): QueueBackend =>
      sqlite(join(folder, "queue.db"), { clock }) as QueueBackend<unknown> as QueueBackend;
    const stage = new Stage(t, store);
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    await stage.store.open();
    await body(stage, t);
  });
}

const POLICY: TaskPolicy = {
  retries: 0,
  timeout: null,
  requeueOnShutdown: true,
  backoff: { kind: "fixed", delay: 1_000, factor: 1, maxDelay: 1_000, jitter: 0 },
};

/** An id that sorts by its number. */
export const idOf = (n: number): string => `00000000-0000-7000-8000-${String(n).padStart(12, "0")}`;

/** Inserts so many records, numbered from `from`. */
export async function inserted(
  { store }: Stage,
  count: number,
  facts: Partial<EnqueueFacts> = {},
  from = 0,
): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, at) => idOf(from + at));
  const plain = { taskName: "t", queue: "q", execution: "local", priority: 0, input: null, policy: POLICY };
  for (let at = 0; at < count; at += 1_000) {
    await store.insert(ids.slice(at, at + 1_000).map((id) => enqueued({ ...plain, ...facts, id })));
  }
  return ids;
}

let tokens = 0;

/** Claims everything that is ready and fails it with an error of this name. */
export async function failedAll({ store }: Stage, error = "RangeError"): Promise<void> {
  for (;;) {
    const tasks = [...new Set((await everyRecord(store)).map(({ taskName }) => taskName))];
    tokens += 1;
    const token = String(tokens).padStart(32, "0");
    const wish = { token, workerId: "w", limit: 1_000, lease: 1_000, tasks, queues: null, queueLimits: {} };
    const claims = await store.claim({ ...wish, executions: ["local", "immediate"] });
    if (claims.length === 0) return;
    const now = await store.now();
    const failure = { name: error, message: "as planned", stack: null, code: null, attempt: 1, at: now };
    await store.apply(
      claims.map((from) => ({ from, to: failed(from, { now, error: failure, retryable: false, retryIn: 0 }) })),
    );
  }
}

/** Cancels a record behind everybody's back. */
export async function cancelledNow(stage: Stage, id: string, reason: string): Promise<void> {
  const from = await stage.record(id);
  const now = await stage.store.now();
  await stage.store.apply([{ from, to: cancelled(from, { now, reason, by: "force" }) }]);
}

/** All records, by id. */
export async function everyRecord(store: Pick<QueueBackend, "page">): Promise<TaskRecord[]> {
  const records: TaskRecord[] = [];
  for (let after: string | null = null; ; ) {
    const page = await store.page({ order: "oldest", after, limit: 1_000 });
    records.push(...page.records);
    if (page.next === null) return records;
    after = page.next;
  }
}
