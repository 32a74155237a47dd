/** `onStaleFailure`: the process that fails a record whose workers were lost tells its task, once, and is never hurt by it. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { inspect } from "node:util";
import { registry } from "../../src/core/registry.ts";
import { task } from "../../src/core/task.ts";
import type { TaskOptions } from "../../src/core/vocabulary.ts";
import { hasCode } from "../../src/model/errors.ts";
import type { TaskRecord } from "../../src/model/record.ts";
import type { FaultPlan } from "../../src/testing/faulty.ts";
import { gate, Stage } from "./support/stage.ts";

const LEASE = { leaseDuration: "3s", finalCancelTimeout: "100ms" } as const;

/** A task that loses every worker it runs on, and workers elsewhere that reap. */
async function lost(
  t: TestContext,
  options: TaskOptions,
  { reapers = [{}], sanitizeError }: { reapers?: readonly FaultPlan[]; sanitizeError?: () => never } = {},
): Promise<{ stage: Stage; id: string; lose: (meanwhile?: () => Promise<unknown>) => Promise<void>; name: string }> {
  const stage = new Stage(t);
  const held = gate();
  const deadly = stage.task(() => held.promise, options);
  const service = await stage.service();
  for (const plan of reapers)
    await stage.worker({ ...LEASE, queues: ["elsewhere"] }, plan, sanitizeError === undefined ? {} : { sanitizeError });
  const { id } = await service.enqueue(deadly);
  const lose = async (meanwhile?: () => Promise<unknown>): Promise<void> => {
    let cut = false;
    const worker = await stage.worker(LEASE, { onCall: () => (cut ? { lose: "request" } : null) });
    await stage.until("it runs", () => worker.status().running === 1);
    const { losses } = await stage.record(id);
    cut = true;
    await meanwhile?.();
    await stage.until("the loss is noticed", async () => {
      const record = await stage.record(id);
      return record.losses > losses || record.state !== "running";
    });
  };
  return { stage, id, lose, name: deadly.name };
}

describe("onStaleFailure", () => {
  it("is called with the record when the last loss fails it, and not before", async (t) => {
    const told: TaskRecord[] = [];
    const { stage, id, lose } = await lost(
      t,
      { onStaleFailure: (record) => void told.push(record) },
      { reapers: [{}, {}, {}] },
    );
    await lose();
    await lose();
    assert.deepEqual(told, []);
    await lose();
    await stage.clock.advance("1m");
    const record = await stage.record(id);
    assert.deepEqual(told, [record]);
    assert.deepEqual([record.state, record.reason, record.losses], ["failed", "poison", 3]);
  });

  it("is not called for an ordinary failure, nor for a lost task that was being cancelled", async (t) => {
    const told: TaskRecord[] = [];
    const onStaleFailure = (record: TaskRecord): void => void told.push(record);
    const { stage, id, lose } = await lost(t, { onStaleFailure });
    const service = await stage.service();
    await lose();
    await lose();
    await lose(() => service.cancel(id));
    assert.deepEqual([(await stage.record(id)).state, (await stage.record(id)).losses], ["cancelled", 3]);
    await stage.worker();
    const { id: failing } = await service.enqueue(stage.task(() => Promise.reject(new Error("x")), { onStaleFailure }));
    assert.equal((await stage.ended(failing)).state, "failed");
    assert.deepEqual(told, []);
  });

  for (const [what, onStaleFailure] of [
    ["throws", (): never => assert.fail("the alarm is broken")],
    ["rejects", (): Promise<never> => Promise.reject(new assert.AssertionError({ message: "the alarm is broken" }))],
  ] as const) {
    it(`that ${what} is logged and disturbs nothing`, async (t) => {
      const { stage, id, lose } = await lost(t, { onStaleFailure });
      for (let losses = 0; losses < 3; losses += 1) await lose();
      await stage.clock.settle();
      const lines = stage.logs.filter(({ message }) => message === "onStaleFailure threw");
      assert.deepEqual(
        lines.map(({ level, fields }) => [level, fields["id"], (fields["error"] as Error).message]),
        [["error", id, "the alarm is broken"]],
      );
      assert.equal((await stage.record(id)).state, "failed");
      const after = stage.task(() => "fine");
      const { id: next } = await (await stage.service()).enqueue(after);
      await stage.worker();
      assert.equal((await stage.ended(next)).state, "completed");
    });
  }

  it("that throws a secret is logged as sanitizeError says", async (t) => {
    const sanitizeError = (): never => {
      throw new Error("hunter2");
    };
    const onStaleFailure = (): never => {
      throw new RangeError("hunter2");
    };
    const { stage, lose } = await lost(t, { onStaleFailure }, { sanitizeError });
    for (let losses = 0; losses < 3; losses += 1) await lose();
    await stage.clock.settle();
    const line = stage.logs.find(({ message }) => message === "onStaleFailure threw");
    assert.equal((line?.fields["error"] as Error | undefined)?.name, "RangeError");
    assert.doesNotMatch(inspect(stage.logs, { depth: null, maxArrayLength: null }), /hunter2/);
  });

  it("that never ends is waited for ten seconds, and by nobody but a close", async (t) => {
    const { stage, lose } = await lost(t, { onStaleFailure: () => gate().promise });
    for (let losses = 0; losses < 3; losses += 1) await lose();
    const late = (): boolean => stage.logs.some(({ message }) => message.includes("onStaleFailure took longer"));
    const { id: other } = await (await stage.service()).enqueue(stage.task(() => "fine"));
    await stage.worker(LEASE);
    assert.equal((await stage.ended(other)).state, "completed");
    assert.equal(late(), false);
    await stage.clock.advance("10s");
    assert.equal(late(), true);
  });

  it("is waited for by the close of its service", async (t) => {
    const stage = new Stage(t);
    const held = gate();
    const done: string[] = [];
    const hooked = stage.task(() => held.promise, {
      onStaleFailure: async () => {
        await new Promise<void>((resolve) => stage.clock.after(2_000, resolve));
        done.push("told");
      },
    });
    const service = await stage.service();
    const { id } = await service.enqueue(hooked);
    service.parts.staleFailures.tell(await stage.record(id));
    await stage.clock.runUntil(service.close());
    assert.deepEqual(done, ["told"]);
  });

  it("is not called where the answer to the write was lost: another process may have made it", async (t) => {
    const told: TaskRecord[] = [];
    let drop = false;
    const plan: FaultPlan = { onCall: ({ method }) => (drop && method === "apply" ? { lose: "reply" } : null) };
    const { stage, id, lose } = await lost(
      t,
      { onStaleFailure: (record) => void told.push(record) },
      { reapers: [plan] },
    );
    await lose();
    await lose();
    drop = true;
    await lose();
    await stage.until("it is noticed", () =>
      stage.logs.some(({ message }) => message.includes("is not known; onStaleFailure")),
    );
    assert.deepEqual([(await stage.record(id)).state, told], ["failed", []]);
  });

  it("of a task that the process does not know is a warning", async (t) => {
    const { stage, lose, id, name } = await lost(t, {});
    await lose();
    await lose();
    const third = lose();
    const known = registry.get(name);
    await stage.until(
      "it runs again",
      async () => (await stage.record(id)).begun && (await stage.record(id)).losses === 2,
    );
    registry.remove(name);
    await third;
    await stage.clock.settle();
    const line = stage.logs.find(({ message }) => message.includes("does not know it"));
    assert.deepEqual([line?.level, line?.fields["task"], known?.name], ["warn", name, name]);
  });

  it("must be a function, and belongs to the task, not to one enqueue", async (t) => {
    const wrong = { onStaleFailure: "mail me" } as unknown as TaskOptions;
    assert.throws(
      () => task("stale.wrong", wrong as object, () => 1),
      (error) => hasCode(error, "OPTION_INVALID"),
    );
    const stage = new Stage(t);
    const service = await stage.service();
    const options = { onStaleFailure: () => {} } as object;
    await assert.rejects(
      service.enqueue(
        stage.task(() => 1),
        undefined,
        options,
      ),
      (error) => hasCode(error, "OPTION_INVALID"),
    );
  });
});
