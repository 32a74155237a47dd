/** The schema of a store on a server: made by several at once, left alone if it is newer or somebody else's. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { describe, it } from "node:test";
import { hasCode } from "../../src/model/errors.ts";
import { draftOf, idOf, rowOf } from "../../src/testing/backend-contract/stage.ts";
import type { SqlServer } from "./server.ts";

/** What is a store's own of this. */
export interface SchemaFacts {
  /** The statements of each migration, and the first digits of their fingerprints. */
  readonly migrations: readonly (readonly string[])[];
  readonly prints: readonly string[];
  /** How a message names the tables of a namespace, with its verb: `schema mine has`. */
  readonly words: (namespace: string) => string;
  /** Makes a table of somebody else's where live records go. */
  readonly foreign: (namespace: string) => readonly string[];
  /** An injection, if the namespace were not checked. */
  readonly injection: string;
}

const REFUSED = /has a table \S+ that is not Sidereal's; choose another namespace/u;

export function exerciseSchema(server: SqlServer, facts: SchemaFacts): void {
  describe(`${server.kind}: schema`, { skip: server.skip }, () => {
    it("a migration is never changed", () => {
      const print = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 16);
      assert.deepEqual(
        facts.migrations.map((statements) => print(statements.join("\n"))),
        facts.prints,
      );
    });
    making(server, facts);
    refusing(server, facts);
  });
}

function making({ kind, address, make, fresh, store, raw, table }: SqlServer, { migrations }: SchemaFacts): void {
  it("planning looks and makes nothing; what it names is what is done, and all of it", async (t) => {
    const namespace = fresh(t);
    const plan = await make().schema?.plan({ namespace });
    assert.deepEqual([plan?.from, plan?.to], [0, migrations.length]);
    assert.deepEqual(await make().schema?.plan({ namespace }), plan);
    for (const statement of plan?.statements ?? []) await raw(statement);
    const backend = make();
    assert.deepEqual((await backend.schema?.plan({ namespace }))?.statements, []);
    t.after(() => backend.close());
    await backend.open({ namespace });
    assert.deepEqual(await backend.tally(), []);
  });

  it("migrating without opening makes the schema; opening finds nothing left to do", async (t) => {
    const namespace = fresh(t);
    const backend = make();
    assert.equal((await backend.schema?.migrate({ namespace }))?.from, 0);
    assert.deepEqual((await backend.schema?.plan({ namespace }))?.statements, []);
    await assert.rejects(backend.now(), (error) => hasCode(error, "STORE_CLOSED"));
  });

  const child = `
    import { ${kind} } from ${JSON.stringify(new URL(`../../src/backends/${kind}/index.js`, import.meta.url).href)};
    const [address, namespace] = process.argv.slice(1);
    const backend = ${kind}(address);
    await backend.open({ namespace });
    process.stdout.write(String((await backend.tally()).length));
    await backend.close();`;

  it("processes that open at once on an empty database all get on", async (t) => {
    const namespace = fresh(t);
    const one = async (): Promise<[unknown, string]> => {
      const running = spawn(process.execPath, ["--input-type=module", "-e", child, "--", address, namespace]);
      let said = "";
      for (const stream of [running.stdout, running.stderr]) stream.on("data", (piece) => (said += String(piece)));
      const [code] = await once(running, "close");
      return [code, said];
    };
    const ends = await Promise.all([one(), one(), one(), one()]);
    assert.deepEqual(
      ends,
      ends.map(() => [0, "0"]),
    );
    const version = await raw(`select schema_version from ${table(namespace, "store")}`);
    assert.deepEqual(version, [[migrations.length]]);
  });

  it("namespaces share a database and nothing else", async (t) => {
    const { backend: one } = await store(t);
    const { backend: two } = await store(t);
    await one.insert([draftOf(idOf(1), { key: "k" })]);
    await one.advance([{ from: null, to: rowOf("daily", { dueAt: 1 }), ticks: [] }]);
    assert.deepEqual(await two.tally(), []);
    assert.deepEqual(await two.schedules({ by: "all", after: null, limit: 10 }), []);
    assert.equal((await two.insert([draftOf(idOf(1), { key: "k" })]))[0]?.created, true);
  });
}

function refusing({ make, fresh, raw, table, store }: SqlServer, facts: SchemaFacts): void {
  it("a newer schema is refused by name and number, whatever is asked of it", async (t) => {
    const namespace = fresh(t);
    const backend = make();
    await backend.schema?.migrate({ namespace });
    await raw(`update ${table(namespace, "store")} set schema_version = 99`);
    const known = `version 99; this version of sidereal knows up to ${facts.migrations.length}`;
    const refusal = { code: "STORE_SCHEMA", message: new RegExp(`${facts.words(namespace)} ${known}`, "u") };
    await assert.rejects(backend.open({ namespace }), refusal);
    await assert.rejects(Promise.resolve(backend.schema?.plan({ namespace })), refusal);
    await assert.rejects(Promise.resolve(backend.schema?.migrate({ namespace })), refusal);
  });

  it("tables of those names that are somebody else's are refused and left alone", async (t) => {
    const namespace = fresh(t);
    for (const statement of facts.foreign(namespace)) await raw(statement);
    await assert.rejects(make().open({ namespace }), { code: "STORE_SCHEMA", message: REFUSED });
    assert.deepEqual(await raw(`select * from ${table(namespace, "live")}`), [["precious"]]);
  });

  it("a namespace is a word, never SQL", async () => {
    const bad = [facts.injection, "Tasks", "1st", "a b", "ä", "", "a".repeat(49), "tasks\u0000", "a.b"];
    for (const namespace of bad) {
      const backend = make();
      const isRefused = (error: unknown): boolean => hasCode(error, "CONFIG_INVALID");
      await assert.rejects(backend.open({ namespace }), isRefused, namespace);
      await assert.rejects(Promise.resolve(backend.schema?.plan({ namespace })), isRefused, namespace);
      await assert.rejects(Promise.resolve(backend.schema?.migrate({ namespace })), isRefused, namespace);
    }
  });

  it("one open store has one namespace", async (t) => {
    const { backend, namespace } = await store(t);
    await assert.rejects(backend.open({ namespace: "two" }), (error) => hasCode(error, "CONFIG_CONFLICT"));
    await backend.open({ namespace });
  });
}
