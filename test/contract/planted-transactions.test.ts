/**
 * The suite's tests of transactions can fail: each is green for the SQLite store, and one of them is red for every bug that
 * stands in front of it here. The memory store, in which the other bugs are planted, has no transactions.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SqliteTransaction } from "../../src/backends/sqlite/index.ts";
import type { QueueBackend } from "../../src/contracts/queue-backend.ts";
import { type ContractOptions, contractCases, runCase } from "../../src/testing/backend-contract/index.ts";
import { bench } from "../sqlite/bench.ts";

type Store = QueueBackend<SqliteTransaction>;
type Transaction = NonNullable<Store["transaction"]>;
type Within = NonNullable<Store["within"]>;
/** What takes the place of `transaction` or `within` of the right store. */
type Bug = (store: Store) => { readonly transaction?: Transaction; readonly within?: Within };

const right = (store: Store): { transaction: Transaction; within: Within } => ({
  transaction: (body, signal) => (store.transaction as Transaction)(body, signal),
  within: (tx) => (store.within as Within)(tx),
});

const bugs: Readonly<Record<string, Bug>> = {
  "commits although the body rejects": (store) => ({
    transaction: async (body, signal) => {
      let failure: { readonly error: unknown } | null = null;
      const result = await right(store).transaction(
        (tx) =>
          body(tx).catch((error: unknown) => {
            failure = { error };
            return undefined as never;
          }),
        signal,
      );
      if (failure !== null) throw (failure as { readonly error: unknown }).error;
      return result;
    },
  }),
  "rolls back although the body resolves": (store) => ({
    transaction: async (body, signal) => {
      let result: { readonly value: unknown } | null = null;
      const run = right(store).transaction(async (tx) => {
        result = { value: await body(tx) };
        throw new Error("planted");
      }, signal);
      return run.catch((error: unknown) => {
        if (result === null) throw error;
        return (result as { readonly value: unknown }).value as never;
      });
    },
  }),
  "hides the body's error": (store) => ({
    transaction: (body, signal) =>
      right(store)
        .transaction(body, signal)
        .catch(() => undefined as never),
  }),
  "wraps the body's error": (store) => ({
    transaction: (body, signal) =>
      right(store)
        .transaction(body, signal)
        .catch((error: unknown) => Promise.reject(new Error("it failed", { cause: error }))),
  }),
  "resolves before it has committed": (store) => ({
    transaction: (body, signal) =>
      new Promise((resolve, reject) => {
        const run = right(store).transaction(async (tx) => {
          const result = await body(tx);
          resolve(result);
          for (let turn = 0; turn < 5; turn += 1) await new Promise((later) => setImmediate(later));
          return result;
        }, signal);
        run.catch(reject);
      }),
  }),
  "gives nothing of what the body gives": (store) => ({
    transaction: async (body, signal) => {
      await right(store).transaction(body, signal);
      return undefined as never;
    },
  }),
  "writes beside the transaction": (store) => ({
    transaction: (body) => body("none" as never),
    within: (tx) => (tx === ("none" as never) ? store : right(store).within(tx)),
  }),
  "applies without the version": (store) => ({
    within: (tx) => {
      const { insert, apply } = right(store).within(tx);
      return {
        insert,
        apply: async (changes) => {
          const fresh = await Promise.all(
            changes.map(async (change) => {
              const [from = change.from] = await store.find({ by: "id", ids: [change.from.id] });
              return from.claim === change.from.claim ? { ...change, from } : change;
            }),
          );
          return apply(fresh);
        },
      };
    },
  }),
  "applies without the claim": (store) => ({
    within: (tx) => {
      const { insert, apply } = right(store).within(tx);
      return {
        insert,
        apply: async (changes) => {
          const fresh = await Promise.all(
            changes.map(async (change) => {
              const [from = change.from] = await store.find({ by: "id", ids: [change.from.id] });
              return from.version === change.from.version ? { ...change, from } : change;
            }),
          );
          return apply(fresh);
        },
      };
    },
  }),
};

const cases = contractCases.filter(({ needs }) => needs.includes("transactions"));

async function red(bug: Bug): Promise<string | undefined> {
  const options: ContractOptions<SqliteTransaction> = {
    name: "sqlite",
    capabilities: { signals: true, shared: true, transactions: true, clock: true },
    patience: 500,
    make: async (clock) => {
      const made = await bench(clock);
      return { ...made, backend: planted(made.backend, bug) };
    },
  };
  for (const test of cases) {
    const fails = await runCase(test, options).then(
      () => false,
      () => true,
    );
    if (fails) return test.name;
  }
  return undefined;
}

function planted(store: Store, bug: Bug): Store {
  const members: Record<string | symbol, unknown> = bug(store);
  return new Proxy(store, {
    get: (target, name) => {
      const member: unknown = members[name] ?? Reflect.get(target, name, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

describe("planted bugs of transactions", () => {
  it("nothing is red without a bug", async () => assert.equal(await red(() => ({})), undefined));

  for (const [what, bug] of Object.entries(bugs)) {
    it(`caught: ${what}`, async (t) => {
      const caught = await red(bug);
      assert.ok(caught, "a test of the suite turns red");
      t.diagnostic(`by: ${caught}`);
    });
  }
});
