/** Paused queues on a file: one service pauses, the worker of another obeys, also across a restart and amid claims ahead. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it, type TestContext } from "node:test";
import { sqlite } from "../../src/backends/sqlite/index.ts";
import { QueueService, type TaskHandle, task, Worker } from "../../src/index.ts";

const folder = mkdtempSync(join(tmpdir(), "sidereal-queues-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const ran = new Map<number, number>();
/** A turn of the event loop long: quick enough to be claimed ahead, and seen while it waits. */
const count = task("sqlite.queues.count", async (input: number) => {
  ran.set(input, (ran.get(input) ?? 0) + 1);
  await new Promise((resolve) => setImmediate(resolve));
});

/** An open service of its own on the file, closed after the test. */
async function opened(t: TestContext, file: string): Promise<QueueService<never>> {
  const service = new QueueService({ queueBackend: sqlite(join(folder, file)) }) as unknown as QueueService<never>;
  t.after(() => service.close());
  return service.open();
}

async function working(t: TestContext, file: string): Promise<Worker> {
  const service = await opened(t, file);
  const worker = new Worker(service);
  t.after(() => worker.stop({ force: true }));
  return worker.start();
}

/** Looks again and again; between two looks everything else gets its turn. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve));
}

describe("paused queues on SQLite", { timeout: 120_000 }, () => {
  it("a worker that starts later, on the file opened anew, does not claim", async (t) => {
    const first = await opened(t, "restart.db");
    const frozen = await first.enqueue(count, -1, { queue: "frozen" });
    await first.queues.pause("frozen", { reason: "restart" });
    await first.close();
    const worker = await working(t, "restart.db");
    const { service } = worker;
    const [info] = await service.queues.list();
    assert.deepEqual([info?.name, info?.paused?.reason, info?.counts.pending], ["frozen", "restart", 1]);
    for (let n = 0; n < 20; n += 1) await (await service.enqueue(count, -2)).result({ timeout: "1m" });
    assert.equal((await service.get(frozen.id))?.version, 1, "nobody has touched it");
    const other = await opened(t, "restart.db");
    assert.equal(await other.queues.resume("frozen"), true);
    await (await other.handle(frozen.id))?.result({ timeout: "1m" });
  });

  it("what was claimed ahead goes back, runs once, and no attempt is spent", async (t) => {
    const operator = await opened(t, "ahead.db");
    const worker = await working(t, "ahead.db");
    const handles: TaskHandle[] = [];
    const numbers: number[] = [];
    const more = async (): Promise<void> => {
      const next = Array.from({ length: 3_000 }, (_, at) => numbers.length + at);
      numbers.push(...next);
      handles.push(...(await operator.enqueueMany(count, next)));
    };
    let most = 0;
    await more();
    await until(async () => {
      most = Math.max(most, worker.status().claimed);
      return (await operator.counts()).completed > 500;
    });
    await operator.queues.pause("default");
    // Enqueueing outruns the worker, so that there is work whenever it comes to read the pause.
    await until(async () => {
      const { running, pending } = await operator.counts();
      const { claimed } = worker.status();
      most = Math.max(most, claimed);
      if (running === 0 && pending > 0 && claimed === 0) return true;
      if (pending < 2_000) await more();
      return false;
    });
    const { pending } = await operator.counts();
    // The worker is seen to serve another queue, and takes nothing from this one.
    for (let n = 0; n < 20; n += 1)
      await (await operator.enqueue(count, -3, { queue: "other" })).result({ timeout: "1m" });
    assert.equal((await operator.counts({ queue: "default" })).pending, pending);
    assert.ok(most > 0, "nothing was claimed ahead");
    await operator.queues.resume("default");
    for (const { id } of handles) await (await operator.handle(id))?.result({ timeout: "1m" });
    assert.ok(
      numbers.every((number) => ran.get(number) === 1),
      "a record ran twice, or not at all",
    );
    const records = await Promise.all(handles.map(({ id }) => operator.get(id)));
    assert.ok(records.every((record) => record?.attempt === 1 && record.losses + record.interruptions === 0));
  });

  it("workers of both services are listed in each", async (t) => {
    const [one, two] = [await working(t, "list.db"), await working(t, "list.db")];
    const ids = [one.id, two.id].sort();
    for (const { service } of [one, two]) {
      await until(async () => (await service.workers()).length === 2);
      assert.deepEqual(
        (await service.workers()).map(({ id, alive, pid }) => [id, alive, pid]),
        ids.map((id) => [id, true, process.pid]),
      );
    }
  });
});
