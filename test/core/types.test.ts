/**
 * The types that users see: what follows a task through enqueue, handle and result, without a cast. The compiler is the
 * test; each `@ts-expect-error` is a line that must not compile.
 */
import assert from "node:assert/strict";
import { it } from "node:test";
import {
  currentTaskContext,
  type Dependency,
  type DependencyProvider,
  defineQueues,
  dependency,
  type QueueService,
  type TaskContext,
  type TaskHandle,
  type TaskRecord,
  task,
} from "sidereal";
import * as v from "valibot";
import { z } from "zod";
import { registry } from "../../src/core/registry.ts";
import type { Task } from "../../src/core/vocabulary.ts";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles only if the type is `true`. */
function must<_T extends true>(): void {}

// A service of any kind: nothing here runs.
declare const service: QueueService;

async function plainTasks(): Promise<void> {
  const sync = task("types.sync", { retries: 3 }, async (input: { accountId: string }, ctx) => {
    must<Equal<typeof ctx, TaskContext>>();
    return { accountId: input.accountId, status: "synced" as const };
  });
  must<Equal<typeof sync, Task<{ accountId: string }, { accountId: string; status: "synced" }>>>();
  const handle = await service.enqueue(sync, { accountId: "a" });
  must<Equal<typeof handle, TaskHandle<{ accountId: string; status: "synced" }>>>();
  const result = await handle.result({ timeout: "5s" });
  must<Equal<typeof result, { accountId: string; status: "synced" }>>();
  must<Equal<typeof handle.record, TaskRecord | null>>();
  const many = await service.enqueueMany(sync, [{ accountId: "a" }], (input, index) => {
    must<Equal<typeof input, { accountId: string }>>();
    return { priority: index };
  });
  must<Equal<typeof many, TaskHandle<{ accountId: string; status: "synced" }>[]>>();
  // @ts-expect-error: a wrong member
  await service.enqueue(sync, { accountId: 5 });
  // @ts-expect-error: no input
  await service.enqueue(sync);
  // @ts-expect-error: one wrong among many
  await service.enqueueMany(sync, [{ accountId: "a" }, { id: "b" }]);
  // @ts-expect-error: an unknown option
  await service.enqueue(sync, { accountId: "a" }, { prio: 5 });
  // @ts-expect-error: a duration without a unit
  await service.enqueue(sync, { accountId: "a" }, { delay: "5" });
  // @ts-expect-error: this store has no transactions
  await service.enqueue(sync, { accountId: "a" }, { tx: {} });
  await service.enqueue(sync, { accountId: "a" }, { delay: "5m", runAt: new Date(), backoff: { type: "linear" } });
}

async function withoutOptions(): Promise<void> {
  const sum = task("types.sum", (input: readonly number[]) => input.reduce((a, b) => a + b, 0));
  must<Equal<typeof sum, Task<readonly number[], number>>>();
  must<Equal<number, Awaited<ReturnType<Awaited<ReturnType<typeof enqueueSum>>["result"]>>>>();
  function enqueueSum(): Promise<TaskHandle<number>> {
    return service.enqueue(sum, [1, 2]);
  }
}

async function withoutInput(): Promise<void> {
  const tick = task("types.tick", async () => 5);
  must<Equal<typeof tick, Task<void, number>>>();
  await service.enqueue(tick);
  await service.enqueue(tick, undefined, { delay: 1 });
  // @ts-expect-error: it takes none
  await service.enqueue(tick, { some: "input" });
  const contextual = task("types.contextual", async (_: undefined, ctx) => ctx.id);
  await service.enqueue(contextual);
  const optional = task("types.optional", (input?: { n: number }) => input?.n ?? 0);
  await service.enqueue(optional);
  await service.enqueue(optional, { n: 1 });
  // @ts-expect-error: if given, then right
  await service.enqueue(optional, { n: "1" });
  const nothing = task("types.nothing", async (_: string) => {});
  const none = await (await service.enqueue(nothing, "x")).result();
  must<Equal<typeof none, void>>();
}

async function withSchemas(): Promise<void> {
  const at = z.object({ at: z.iso.datetime().transform((text) => new Date(text)), tries: z.number().default(3) });
  const byZod = task("types.zod", { input: at, key: (input) => input.at }, (input) => {
    must<Equal<typeof input, { at: Date; tries: number }>>();
    return input.at.getTime();
  });
  must<Equal<typeof byZod, Task<{ at: string; tries?: number | undefined }, number>>>();
  await service.enqueue(byZod, { at: "2026-01-01T00:00:00Z" });
  // @ts-expect-error: the output's type is not what goes in
  await service.enqueue(byZod, { at: new Date() });
  const byValibot = task(
    "types.valibot",
    { input: v.object({ n: v.pipe(v.string(), v.transform(Number)) }), retries: 1 },
    async (input) => {
      must<Equal<typeof input, { n: number }>>();
      return input.n;
    },
  );
  must<Equal<typeof byValibot, Task<{ n: string }, number>>>();
  await service.enqueueMany(byValibot, [{ n: "1" }]);
  // @ts-expect-error: not what the schema takes
  await service.enqueueMany(byValibot, [{ n: 1 }]);
}

async function options(): Promise<void> {
  task("types.key", { key: (input) => input.id, uniqueUntil: "forever" }, async (input: { id: string }) => input.id);
  // @ts-expect-error: a key is text
  task("types.bad-key", { key: (input) => input.n }, async (input: { n: number }) => input.n);
  // @ts-expect-error: an unknown option
  task("types.bad-option", { retry: 3 }, async () => 1);
  // @ts-expect-error: a duration that is none
  task("types.bad-duration", { timeout: "5 minutes" }, async () => 1);
  // @ts-expect-error: metadata is JSON
  task("types.bad-metadata", { metadata: { at: new Date() } }, async () => 1);
  // @ts-expect-error: only two ways
  task("types.bad-unique", { uniqueBy: "arguments" }, async () => 1);
}

async function byName(): Promise<void> {
  const handle = await service.enqueue("types.sync", { any: "thing" }, { priority: 1 });
  must<Equal<typeof handle, TaskHandle<unknown>>>();
  const typed = await service.handle<{ n: number }>("id");
  must<Equal<typeof typed, TaskHandle<{ n: number }> | null>>();
  // @ts-expect-error: what is not known cannot be used
  (await handle.result()).n;
}

async function insideHandlers(): Promise<void> {
  const child = task("types.child", (input: number) => `${input}`);
  task("types.parent", async (_: undefined, ctx) => {
    const handle = await ctx.service.enqueue(child, 5);
    const text = await handle.result();
    must<Equal<typeof text, string>>();
    const here = currentTaskContext();
    must<Equal<typeof here, TaskContext | undefined>>();
    const never: never = ctx.snooze("5s");
    return never;
  });
}

async function dependencies(): Promise<void> {
  const Db = dependency<{ query(sql: string): Promise<number> }>("types.db");
  const Count = dependency<number>("types.count");
  must<Equal<typeof Count, Dependency<number>>>();
  task("types.uses", async (_: undefined, ctx) => {
    const db = ctx.use(Db);
    must<Equal<typeof db, { query(sql: string): Promise<number> }>>();
    const count = ctx.use(Count);
    must<Equal<typeof count, number>>();
    // @ts-expect-error: a name is no token
    ctx.use("types.db");
    return (await db.query("select 1")) + count;
  });
  const provider: DependencyProvider = {
    async acquire({ id, signal }) {
      must<Equal<typeof id, string>>();
      must<Equal<typeof signal, AbortSignal>>();
      return { values: [Count.is(1), Db.is({ query: async () => 1 })], release: async () => {} };
    },
  };
  defineQueues({ dependencies: { provider, resolver: () => [Count.is(5)] } });
  // @ts-expect-error: not a number
  Count.is("five");
  // @ts-expect-error: values are made by a dependency's is()
  defineQueues({ dependencies: { resolver: () => [5] } });
  // @ts-expect-error: a dependency of one type is none of another
  const text: Dependency<string> = Count;
  // @ts-expect-error: nor of a wider one
  const wide: Dependency<number | string> = Count;
  defineQueues({ sanitizeError: (failure, { task: name }) => ({ message: `${name}: ${failure.name}` }) });
  // @ts-expect-error: it must not be async
  defineQueues({ sanitizeError: async (failure) => failure });
  void [text, wide];
}

/** A task of any kind can be held in one list. */
function anyTask(): readonly Task[] {
  return [task("types.a", (input: { a: string }) => input.a), task("types.b", () => 1)];
}

it("the compiler has read every line of this file", () => {
  const all = [
    plainTasks,
    withoutOptions,
    withoutInput,
    withSchemas,
    options,
    byName,
    insideHandlers,
    dependencies,
    anyTask,
  ];
  assert.equal(all.length, 9);
  assert.ok(
    registry.names().every((name) => !name.startsWith("types.")),
    "and has run none",
  );
});
