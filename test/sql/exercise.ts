/** What a transaction of the caller's must do, whichever library it is of: the same tests for each, on each server. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { QueueBackend } from "../../src/contracts/queue-backend.ts";
import { QueueService, task, Worker } from "../../src/index.ts";
import { hasCode } from "../../src/model/errors.ts";

/** A library on a server. */
export interface Library<Tx> {
  readonly name: string;
  /** Runs the body in a transaction: committed when it resolves, rolled back when it rejects. */
  transaction(body: (tx: Tx, insert: (name: string) => Promise<unknown>) => Promise<void>): Promise<unknown>;
  /** What the library has for statements outside of any transaction. */
  readonly root?: Tx;
}

export interface Server<Tx> {
  /** A store on the server; opened under a namespace of its own. */
  store(): QueueBackend<Tx>;
  readonly namespace: string;
  /** The names in the table `effects`, which is there. */
  effects(): Promise<readonly unknown[]>;
  /** Why it is all left out. */
  readonly skip: string | false;
}

class Undone extends Error {}

/** What may be misread: by placeholders, by escapes, by encodings. */
const ODD = 'it\'s "odd": ? ?? $1 $2 :name ::text :0: \\ \\\' %s \u001a \ud83d\ude80 `x` -- /* {"a":[1]} \u2028 end';

const echo = task("sql.echo", { retries: 0 }, async (input: { readonly text: string }) => input.text);
const strict = task("sql.strict", { uniqueBy: "input" }, async (input: { readonly text: string }) => input.text);

export function exerciseLibrary<Tx>(server: Server<Tx>, { name, transaction, root }: Library<Tx>): void {
  describe(name, { skip: server.skip }, () => {
    let service: QueueService<Tx>;
    before(async () => {
      service = await new QueueService<Tx>({ queueBackend: server.store(), namespace: server.namespace }).open();
    });
    after(() => service?.close());
    const undone = (body: Parameters<typeof transaction>[0]): Promise<void> =>
      assert.rejects(
        transaction(async (tx, insert) => {
          await body(tx, insert);
          throw new Undone("to be rolled back");
        }),
        Undone,
      );

    it("rolled back: no task", async () => {
      let id = "";
      await undone(async (tx, insert) => {
        await insert(`${name} rolled back`);
        id = (await service.enqueue(echo, { text: "no" }, { tx })).id;
      });
      assert.equal(await service.get(id), null);
    });

    it("committed: the task runs, with its input as it was", async (t) => {
      let id = "";
      await transaction(async (tx, insert) => {
        await insert(`${name} committed`);
        id = (await service.enqueue(echo, { text: ODD }, { tx, tags: [ODD] })).id;
        assert.equal(await service.get(id), null, "nobody else sees it yet");
      });
      const worker = await new Worker(service).start();
      t.after(() => worker.stop({ force: true }));
      const handle = await service.handle<string>(id);
      assert.equal(await handle?.result({ timeout: "30s" }), ODD);
      assert.ok((await server.effects()).includes(`${name} committed`));
    });

    it("a key that is held is answered with its holder, and the transaction goes on", async () => {
      const key = `key of ${name}`;
      const held = await service.enqueue(echo, { text: "held" }, { key });
      await transaction(async (tx, insert) => {
        const again = await service.enqueue(echo, { text: "again" }, { tx, key });
        assert.deepEqual([again.outcome, again.id], ["existing", held.id]);
        const fresh = await service.enqueue(strict, { text: name }, { tx });
        const same = await service.enqueue(strict, { text: name }, { tx });
        assert.deepEqual([fresh.outcome, same.outcome, same.id], ["created", "existing", fresh.id]);
        await insert(`${name} after a conflict`);
      });
      assert.ok((await server.effects()).includes(`${name} after a conflict`));
    });

    it("a thousand at once", async () => {
      const inputs = Array.from({ length: 1_000 }, (_, n) => ({ text: `${name} ${n}` }));
      const options = { queue: name.replaceAll(/\W/gu, "-") };
      await undone(async (tx) => void (await service.enqueueMany(echo, inputs, { ...options, tx })));
      assert.equal((await service.counts(options)).total, 0);
      await transaction(async (tx) => {
        const handles = await service.enqueueMany(echo, inputs, { ...options, tx });
        assert.equal(new Set(handles.map(({ id }) => id)).size, 1_000);
      });
      assert.equal((await service.counts(options)).pending, 1_000);
    });

    it("what is refused leaves the transaction usable", async () => {
      await transaction(async (tx, insert) => {
        const refused = service.enqueue(echo, { text: new Date(0) as unknown as string }, { tx });
        await assert.rejects(refused, (error) => hasCode(error, "INPUT_NOT_JSON"));
        const many = service.enqueueMany(echo, [{ text: "x" }, { text: 1n as unknown as string }], { tx });
        await assert.rejects(many, (error) => hasCode(error, "INPUT_NOT_JSON"));
        await insert(`${name} after a refusal`);
      });
      assert.ok((await server.effects()).includes(`${name} after a refusal`));
    });

    it("completes the record whose handler it is, or does not", async (t) => {
      const effect = `${name} completes`;
      const pay = task(
        `sql.pay.${name.replaceAll(/\W/gu, "-")}`,
        { retries: 1, backoff: "1ms" },
        async (_: undefined, ctx) => {
          const run = transaction(async (tx, insert) => {
            await insert(effect);
            await ctx.completeIn(tx, { paid: ctx.attempt });
            if (ctx.attempt === 1) throw new Undone("to be rolled back");
          });
          await run;
          throw new Error("after the fact");
        },
      );
      const handle = await service.enqueue(pay);
      const worker = await new Worker(service).start();
      t.after(() => worker.stop({ force: true }));
      assert.deepEqual(await handle.result({ timeout: "30s" }), { paid: 2 });
      assert.equal((await server.effects()).filter((one) => one === effect).length, 1);
      const { state, failures } = (await service.get(handle.id)) ?? {};
      assert.deepEqual([state, failures], ["completed", 1]);
    });

    if (root !== undefined) {
      it("outside of a transaction it is refused", async () => {
        const refused = service.enqueue(echo, { text: "x" }, { tx: root });
        await assert.rejects(refused, (error) => hasCode(error, "OPTION_INVALID"));
      });
    }
  });
}
