/** What is handed in and out as a transaction: what is no such thing, and connections that a handler has. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { QueueBackend } from "../../src/contracts/queue-backend.ts";
import { hasCode } from "../../src/model/errors.ts";
import type { SqlServer } from "./server.ts";

/** A client with a connection each, and how to run a statement on what a handler gets. */
export interface Hands {
  /** A store over a pool of one connection; and how to let go of that. */
  single(): readonly [backend: QueueBackend<unknown>, end: () => Promise<unknown>];
  /** Writes a name into the table of effects. */
  insert(tx: unknown, name: string): Promise<unknown>;
  effects(): Promise<readonly unknown[]>;
}

/** A handler's connection is a handler's for as long as the store says. */
export function exerciseHands({ kind, skip, store, fresh }: SqlServer, { single, insert, effects }: Hands): void {
  describe(`${kind}: a handler's connection, whichever the store`, { skip }, () => {
    it("is ended by force when the signal says so", async (t) => {
      const { backend } = await store(t);
      const force = new AbortController();
      const why = new Error("by force");
      let after: unknown;
      let ended = (): void => {};
      const body = new Promise<void>((resolve) => {
        ended = resolve;
      });
      const run = backend.transaction?.(async (tx) => {
        await insert(tx, "by force");
        force.abort(why);
        await new Promise((resolve) => setImmediate(resolve));
        after = await insert(tx, "after").catch((error: unknown) => error);
        ended();
      }, force.signal);
      await assert.rejects(
        async () => run,
        (error) => error === why,
      );
      await body;
      assert.ok(after instanceof Error, "what the body still does fails");
      const left = (await effects()).filter((name) => name === "by force" || name === "after");
      assert.deepEqual(left, []);
    });

    it("is not to be had where the store's only connection would be gone", async (t) => {
      const [backend, end] = single();
      t.after(async () => {
        await backend.close();
        await end();
      });
      await backend.open({ namespace: fresh(t) });
      await assert.rejects(
        async () => backend.transaction?.(async () => 1),
        (error) => hasCode(error, "TRANSACTION_UNSUPPORTED"),
      );
    });
  });
}

/**
 * What is handed in as a transaction, and is none.
 * @param listed - What the refusal says is taken.
 * @param idle - A connection without a transaction; and how to let go of it.
 */
export function exerciseStrangers(
  { kind, skip, store }: SqlServer,
  listed: RegExp,
  idle: () => Promise<readonly [connection: unknown, end: () => Promise<unknown>]>,
): void {
  it(`${kind}: what is not known is refused, with a list of what is taken`, { skip }, async (t) => {
    const { backend } = await store(t);
    for (const tx of [{}, null, 5, "tx", [], () => {}, new Map()]) {
      await assert.rejects(
        async () => backend.within?.(tx).insert([]),
        (error: Error) => hasCode(error, "TRANSACTION_UNSUPPORTED") && listed.test(error.message),
      );
    }
    const [connection, end] = await idle();
    t.after(end);
    await assert.rejects(
      async () => backend.within?.(connection).insert([]),
      (error: Error) => hasCode(error, "OPTION_INVALID") && /no open transaction/u.test(error.message),
    );
  });
}
