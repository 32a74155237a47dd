/** Every write of the store is at READ COMMITTED, however it reaches the server, for a user whose sessions begin otherwise. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import pg from "pg";
import postgresJs from "postgres";
import { type PostgresOptions, postgres } from "../../src/backends/postgres/index.ts";
import { completed } from "../../src/model/lifecycle.ts";
import type { TaskRecord } from "../../src/model/record.ts";
import { draftOf, idOf, rowOf } from "../../src/testing/backend-contract/stage.ts";
import { ADDRESS, drop, freshNamespace, raw, skip } from "./bench.ts";

const role = `${freshNamespace()}_strict`;
const own = new URL(ADDRESS);
own.username = role;
const address = own.href;

/** A way in, whether its sessions keep the user's level between transactions, and how to let go. */
interface Entry {
  readonly options: PostgresOptions;
  readonly strict: boolean;
  end(): Promise<unknown>;
}

const entries: Readonly<Record<string, () => Promise<Entry>>> = {
  "an address": async () => ({ options: { connectionString: address }, strict: false, end: async () => {} }),
  "a pool of pg": async () => {
    const pool = new pg.Pool({ connectionString: address, max: 3 });
    return { options: { pool }, strict: true, end: () => pool.end() };
  },
  "postgres.js": async () => {
    const sql = postgresJs(address, { max: 3, onnotice: () => {} });
    return { options: { sql }, strict: true, end: () => sql.end() };
  },
  "a client": async () => {
    const client = new pg.Client({ connectionString: address });
    await client.connect();
    const query = (text: string, values: (string | null)[]) => client.query(text, values);
    return { options: { client: { query } }, strict: true, end: () => client.end() };
  },
};

/** Makes the server refuse every write at another level. */
async function guard(namespace: string): Promise<void> {
  await raw(`create function "${namespace}".guard() returns trigger language plpgsql as $$
    begin
      if current_setting('transaction_isolation') <> 'read committed' then
        raise exception '% of % at %', tg_op, tg_table_name, current_setting('transaction_isolation');
      end if;
      return null;
    end $$`);
  for (const table of ["live", "done", "holds", "schedules", "store"]) {
    await raw(`create trigger guard before insert or update or delete on "${namespace}".${table}
      for each statement execute function "${namespace}".guard()`);
  }
}

describe("a user whose transactions begin as serializable", { skip }, () => {
  before(() =>
    raw(`create role ${role} superuser login; alter role ${role} set default_transaction_isolation = serializable`),
  );
  after(() => raw(`drop role ${role}`));

  for (const [name, make] of Object.entries(entries)) {
    it(`by ${name}`, async (t) => {
      const namespace = freshNamespace();
      const { options, strict, end } = await make();
      const backend = postgres(options);
      t.after(async () => {
        await backend.close();
        await end();
        await drop(namespace);
      });
      await backend.schema?.migrate({ namespace });
      await guard(namespace);
      await backend.open({ namespace });
      await backend.insert([draftOf(idOf(1)), draftOf(idOf(2))]);
      const request = { workerId: "w", limit: 10, lease: 60_000, tasks: ["mail.send"], queues: null, queueLimits: {} };
      const taken = await backend.claim({ ...request, token: "a".repeat(32), executions: ["local"] });
      const [first] = taken as [TaskRecord];
      await backend.renew([{ id: first.id, claim: first.claim ?? "" }], 60_000);
      const changes = taken.map((from) => ({ from, to: completed(from, { now: 1, result: null }) }));
      assert.deepEqual(await backend.apply(changes), [true, true]);
      await backend.advance([{ from: null, to: rowOf("daily", { dueAt: 1 }), ticks: [draftOf(idOf(3))] }]);
      await backend.hold("a", "b");
      await backend.release("a", "b");
      assert.equal(await backend.prune({ states: ["completed"], before: 2, limit: 10 }), 2);
      if (name !== "a client") {
        const level = await backend.transaction?.(async (tx) => {
          await backend.within?.(tx).insert([draftOf(idOf(4))]);
          return "done";
        });
        assert.equal(level, "done");
      }
      const warned = (await backend.diagnose?.())?.some(({ check }) => check === "isolation");
      assert.equal(warned, strict, "sessions of our own are set once, and cost no transaction each");
    });
  }
});
