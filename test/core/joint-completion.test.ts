/** Completion inside a transaction: writes and outcome together or neither, and what the attempt makes of every ending. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { loadDriver, type OwnConnection } from "../../src/backends/sqlite/driver.ts";
import { sqlite } from "../../src/backends/sqlite/index.ts";
import type { QueueBackend } from "../../src/contracts/queue-backend.ts";
import type { TaskContext } from "../../src/core/vocabulary.ts";
import { hasCode, SiderealError } from "../../src/model/errors.ts";
import { Db, Pool } from "./support/pool.ts";
import { gate, Stage } from "./support/stage.ts";

const open = await loadDriver();

/** A stage on a file, and a table beside the store's for the handlers' writes. */
async function staged(
  t: TestContext,
  wrap: (store: QueueBackend) => QueueBackend = (store) => store,
): Promise<{ stage: Stage; own: OwnConnection; effects: () => unknown[] }> {
  const folder = mkdtempSync(join(tmpdir(), "sidereal-joint-"));
  const path = join(folder, "queue.db");
  const store = (clock: Stage["clock"]): QueueBackend =>
    wrap(sqlite(path, { clock }) as QueueBackend<unknown> as QueueBackend);
  const stage = new Stage(t, store);
  await stage.store.open();
  const own = open(path);
  own.exec("create table effects (name text)");
  t.after(() => {
    own.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const effects = (): unknown[] =>
    (own.prepare("select name from effects order by rowid").all() as { name: string }[]).map(({ name }) => name);
  return { stage, own, effects };
}

const write = (tx: OwnConnection, name: string): unknown => tx.prepare("insert into effects values (?)").run(name);

describe("ctx.transaction", () => {
  it("commits the writes, what was enqueued, and the completion together; the result is what the body gives", async (t) => {
    const { stage, effects } = await staged(t);
    const next = stage.task(async () => "next");
    const ids: string[] = [];
    const seen: unknown[] = [];
    const task = stage.task(async (_: undefined, ctx) => {
      void ctx.progress(1, 2, "on the way");
      seen.push(
        await ctx.transaction(async (tx: OwnConnection) => {
          write(tx, "paid");
          ids.push((await ctx.service.enqueue(next, undefined, { tx })).id);
          assert.equal((await stage.record(ctx.id)).state, "running");
          assert.deepEqual(effects(), [], "nobody else sees it yet");
          // Its write would wait for this very transaction.
          await ctx.log("in the body");
          return { paid: 5, note: undefined };
        }),
      );
      seen.push((await stage.record(ctx.id)).state);
      assert.throws(() => ctx.assertLease(), "the record is nobody's any more");
      await ctx.progress(2, 2, "too late");
      return "ignored";
    });
    const service = await stage.service();
    await stage.worker();
    const { id } = await stage.clock.runUntil(service.enqueue(task));
    const { state, result, progress, logs, version } = await stage.ended(id);
    assert.deepEqual([state, result, progress?.message, version], ["completed", '{"paid":5}', "on the way", 4]);
    assert.deepEqual(
      logs.map(({ message }) => message),
      ["in the body"],
    );
    assert.deepEqual(seen, [{ paid: 5, note: undefined }, "completed"]);
    assert.deepEqual(effects(), ["paid"]);
    assert.equal((await stage.ended(ids[0] as string)).result, '"next"');
    assert.equal((await stage.record(id)).version, 4);
    assert.deepEqual(stage.logs, []);
  });

  it("rolls back what a body that rejects has written, and the attempt has failed", async (t) => {
    const { stage, effects } = await staged(t);
    const why = new RangeError("no");
    const task = stage.task(
      async (_: undefined, ctx) => {
        const run = ctx.transaction(async (tx: OwnConnection) => {
          write(tx, `try ${ctx.attempt}`);
          if (ctx.attempt === 1) throw why;
          return ctx.attempt;
        });
        if (ctx.attempt === 1) await assert.rejects(run, (error) => error === why);
        return run;
      },
      { retries: 1 },
    );
    const service = await stage.service();
    await stage.worker();
    const { id } = await stage.clock.runUntil(service.enqueue(task));
    const { state, result, failures } = await stage.ended(id);
    assert.deepEqual([state, result, failures], ["completed", "2", 1]);
    assert.deepEqual(effects(), ["try 2"]);
  });

  it("rolls back when the body's result cannot be stored, for which no retry helps", async (t) => {
    const { stage, effects } = await staged(t);
    const task = stage.task(
      (_: undefined, ctx) =>
        ctx.transaction(async (tx: OwnConnection) => {
          write(tx, "x");
          return new Date(0);
        }),
      { retries: 5 },
    );
    const service = await stage.service();
    await stage.worker();
    const { id } = await stage.clock.runUntil(service.enqueue(task));
    const { state, reason, error } = await stage.ended(id);
    assert.deepEqual([state, reason, error?.code], ["failed", "result", "RESULT_NOT_JSON"]);
    assert.deepEqual(effects(), []);
  });

  it("rolls back when the attempt was asked to stop while the body ran", async (t) => {
    const { stage, effects } = await staged(t);
    const codes: unknown[] = [];
    const task = stage.task(
      async (_: undefined, ctx) => {
        await ctx
          .transaction(async (tx: OwnConnection) => {
            write(tx, "late");
            await new Promise((resolve) => stage.clock.after(3_000, () => resolve(0)));
          })
          .catch((error: unknown) => {
            codes.push((error as SiderealError).code);
            throw error;
          });
      },
      { timeout: "2s" },
    );
    const service = await stage.service();
    await stage.worker();
    const { id } = await stage.clock.runUntil(service.enqueue(task));
    const { state, reason } = await stage.ended(id);
    assert.deepEqual([state, reason, codes], ["failed", "timeout", ["ATTEMPT_TIMEOUT"]]);
    assert.deepEqual(effects(), []);
  });

  it("ends by force the transaction of a body that ignores its signal, so that nobody waits for its locks", async (t) => {
    const { stage, own, effects } = await staged(t);
    const held = gate();
    const after = gate<unknown>();
    const task = stage.task(
      (_: undefined, ctx) =>
        ctx.transaction(async (tx: OwnConnection) => {
          write(tx, "stuck");
          await held.promise;
          try {
            write(tx, "later");
            after.open("written");
          } catch (error) {
            after.open(error);
          }
        }),
      { timeout: "1s" },
    );
    const service = await stage.service();
    await stage.worker();
    const { id } = await stage.clock.runUntil(service.enqueue(task));
    // Reads of the store wait behind its writes, and those for the lock.
    await stage.clock.advance("10s");
    assert.equal((await stage.record(id)).state, "failed");
    own.exec("begin immediate");
    own.exec("rollback");
    held.open();
    assert.ok((await after.promise) instanceof Error, "its connection is closed");
    assert.deepEqual(effects(), []);
  });

  it("leaves a record completed whose handler throws afterwards, and says so", async (t) => {
    const { stage, effects } = await staged(t);
    const task = stage.task(
      async (_: undefined, ctx) => {
        await ctx.transaction(async (tx: OwnConnection) => void write(tx, "once"));
        await assert.rejects(
          ctx.transaction(async (tx: OwnConnection) => void write(tx, "twice")),
          (error) => hasCode(error, "ILLEGAL_TRANSITION"),
        );
        throw new Error("after the fact");
      },
      { retries: 3 },
    );
    const service = await stage.service();
    const worker = await stage.worker();
    const { id } = await stage.clock.runUntil(service.enqueue(task));
    await stage.ended(id);
    await stage.until("the handler has ended", () => worker.status().running === 0);
    const { state, attempt } = await stage.record(id);
    assert.deepEqual([state, attempt], ["completed", 1]);
    assert.deepEqual(effects(), ["once"]);
    assert.deepEqual(
      stage.logs.map(({ level, message }) => [level, message]),
      [["warn", "a task threw after it was completed in a transaction"]],
    );
  });

  it("counts what a lost answer to the commit has committed, and nothing else", async (t) => {
    let answers = 0;
    const { stage, effects } = await staged(t, (store) => {
      const lossy: QueueBackend["transaction"] = async (body, signal) => {
        answers += 1;
        const lost = new SiderealError("STORE_UNAVAILABLE", "the answer was lost");
        if (answers > 1) {
          await store.transaction?.(body, signal);
          throw lost;
        }
        return store.transaction?.(async (tx) => {
          await body(tx);
          throw lost;
        }, signal) as never;
      };
      return Object.assign(Object.create(store), { transaction: lossy, ...bound(store) });
    });
    const seen: unknown[] = [];
    const task = stage.task(
      (_: undefined, ctx) =>
        ctx
          .transaction(async (tx: OwnConnection) => {
            write(tx, `try ${ctx.attempt}`);
            return ctx.attempt;
          })
          .then(
            (result) => seen.push(result),
            (error: SiderealError) => {
              seen.push(error.code);
              throw error;
            },
          ),
      { retries: 3 },
    );
    const service = await stage.service();
    await stage.worker();
    const { id } = await stage.clock.runUntil(service.enqueue(task));
    const { state, result, failures } = await stage.ended(id);
    assert.deepEqual([state, result, failures], ["completed", "2", 1]);
    await stage.until("the handler has heard of it", () => seen.length === 2);
    assert.deepEqual(seen, ["STORE_UNAVAILABLE", 2]);
    assert.deepEqual(effects(), ["try 2"]);
  });

  it("is not to be had on a store without transactions", async (t) => {
    const stage = new Stage(t);
    const codes: unknown[] = [];
    const task = stage.task(async (_: undefined, ctx) => {
      for (const call of [() => ctx.transaction(async () => 1), () => ctx.completeIn({})])
        await call().catch((error: SiderealError) => codes.push(error.code));
    });
    const service = await stage.service();
    await stage.worker();
    assert.equal((await stage.ended((await stage.clock.runUntil(service.enqueue(task))).id)).state, "completed");
    assert.deepEqual(codes, ["TRANSACTION_UNSUPPORTED", "TRANSACTION_UNSUPPORTED"]);
  });

  it("tells the attempt's dependencies that it went well, and works in immediate execution", async (t) => {
    const { stage, effects } = await staged(t);
    const pool = new Pool();
    const task = stage.task(
      async (_: undefined, ctx) => {
        ctx.use(Db);
        await ctx.transaction(async (tx: OwnConnection) => void write(tx, "inline"));
        await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
      },
      // Which comes when it is completed already.
      { executionBackend: "immediate", timeout: "1s" },
    );
    const service = await stage.service({ dependencies: { provider: pool.provider } });
    const handle = await stage.clock.runUntil(service.enqueue(task));
    assert.equal(handle.status, "completed");
    assert.deepEqual(pool.calls.slice(1), ["acquire 1", "release 1 ok"]);
    assert.deepEqual(effects(), ["inline"]);
  });

  it("is rolled back by a shutdown, and the record is handed back", async (t) => {
    const { stage, effects } = await staged(t);
    const entered = gate();
    const task = stage.task((_: undefined, ctx) =>
      ctx.transaction(async (tx: OwnConnection) => {
        write(tx, `attempt ${ctx.attempt}`);
        entered.open();
        if (ctx.attempt === 1) await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
      }),
    );
    const service = await stage.service();
    const worker = await stage.worker({ gracefulShutdownTimeout: "1s" });
    const { id } = await stage.clock.runUntil(service.enqueue(task));
    await stage.until("it runs", () => worker.status().running === 1);
    await entered.promise;
    await stage.clock.runUntil(worker.stop());
    assert.deepEqual([(await stage.record(id)).state, effects()], ["pending", []]);
    await stage.worker();
    assert.equal((await stage.ended(id)).state, "completed");
    assert.deepEqual(effects(), ["attempt 2"]);
  });
});

describe("ctx.completeIn", () => {
  /** What becomes of a record whose handler ends its own transaction so. */
  async function ended(t: TestContext, handler: (own: OwnConnection, ctx: TaskContext) => Promise<unknown>) {
    const { stage, own, effects } = await staged(t);
    const task = stage.task(
      async (_: undefined, ctx) => {
        own.exec("begin immediate");
        write(own, `try ${ctx.attempt}`);
        return handler(own, ctx);
      },
      { retries: 1 },
    );
    const service = await stage.service();
    const worker = await stage.worker();
    const { id } = await stage.clock.runUntil(service.enqueue(task));
    await stage.ended(id);
    await stage.until("the handler has ended", () => worker.status().running === 0);
    const { state, result, attempt } = await stage.record(id);
    return { outcome: [state, result, attempt], effects: effects(), logs: stage.logs.map(({ message }) => message) };
  }

  it("completes the record if the caller commits, whatever the handler does then", async (t) => {
    const returns = await ended(t, async (own, ctx) => {
      await ctx.completeIn(own, { sent: 1 });
      own.exec("commit");
      return "ignored";
    });
    assert.deepEqual(returns, { outcome: ["completed", '{"sent":1}', 1], effects: ["try 1"], logs: [] });
    const throws = await ended(t, async (own, ctx) => {
      await ctx.completeIn(own);
      own.exec("commit");
      throw new Error("after the fact");
    });
    assert.deepEqual(throws.outcome, ["completed", null, 1]);
    assert.deepEqual(throws.logs, ["a task threw after it was completed in a transaction"]);
  });

  it("counts for nothing if the caller rolls back: the handler's own ending does", async (t) => {
    const returns = await ended(t, async (own, ctx) => {
      await ctx.completeIn(own, "rolled back");
      own.exec("rollback");
      await ctx.progress(1);
      return "by itself";
    });
    assert.deepEqual(returns, { outcome: ["completed", '"by itself"', 1], effects: [], logs: [] });
    const again = await ended(t, async (own, ctx) => {
      await ctx.completeIn(own, ctx.attempt);
      own.exec(ctx.attempt === 1 ? "rollback" : "commit");
      if (ctx.attempt === 1) throw new Error("the commit failed");
    });
    assert.deepEqual(again, { outcome: ["completed", "2", 2], effects: ["try 2"], logs: [] });
  });

  it("counts, too, if the caller commits after the handler has ended", async (t) => {
    const { stage, own, effects } = await staged(t);
    const task = stage.task(
      async (_: undefined, ctx) => {
        own.exec("begin immediate");
        write(own, "late");
        await ctx.completeIn(own, "in the transaction");
        stage.clock.after(200, () => own.exec("commit"));
        throw new Error("did not wait for it");
      },
      { retries: 1 },
    );
    const service = await stage.service();
    await stage.worker();
    const { id } = await stage.clock.runUntil(service.enqueue(task));
    await stage.clock.advance("10s");
    const { state, result, attempt } = await stage.record(id);
    assert.deepEqual([state, result, attempt, effects()], ["completed", '"in the transaction"', 1, ["late"]]);
  });

  it("may be called again after a rollback", async (t) => {
    const { outcome, effects } = await ended(t, async (own, ctx) => {
      await ctx.completeIn(own, "first");
      own.exec("rollback");
      own.exec("begin immediate");
      write(own, "again");
      await ctx.completeIn(own, "second");
      own.exec("commit");
    });
    assert.deepEqual([outcome, effects], [["completed", '"second"', 1], ["again"]]);
  });
});

/** The methods of a store bound to it, since its private members are not found through another object. */
function bound(store: QueueBackend): Partial<QueueBackend> {
  const names = [
    "open",
    "close",
    "now",
    "insert",
    "claim",
    "apply",
    "renew",
    "find",
    "tally",
    "page",
    "prune",
  ] as const;
  const more = ["schedules", "advance", "hold", "release", "held", "within"] as const;
  return Object.fromEntries([...names, ...more].map((name) => [name, (store[name] as () => void).bind(store)]));
}
