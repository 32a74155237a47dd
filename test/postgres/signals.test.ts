/** Wake-ups between processes: few notifications, one listening connection, and what happens when it is lost or silent. */
import assert from "node:assert/strict";
import { test } from "node:test";
import pg from "pg";
import type { Listener, Listening } from "../../src/backends/postgres/clients/listening.ts";
import { postgres } from "../../src/backends/postgres/index.ts";
import { NotifySignals } from "../../src/backends/postgres/signals.ts";
import { Notes } from "../../src/backends/sql/notes.ts";
import type { Session, TextRow } from "../../src/backends/sql/port.ts";
import type { Hint } from "../../src/contracts/signals.ts";
import { ManualClock } from "../../src/testing/backend-contract/index.ts";
import { draftOf, idOf } from "../../src/testing/backend-contract/stage.ts";
import { ADDRESS, raw, skip, store } from "./bench.ts";

test("many writes at once are one notification or two", { skip }, async (t) => {
  const { backend, namespace } = await store(t);
  const client = new pg.Client({ connectionString: ADDRESS });
  await client.connect();
  const payloads: string[] = [];
  client.on("notification", ({ payload }) => payloads.push(payload ?? ""));
  await client.query(`listen "sidereal:${namespace}"`);
  await Promise.all(Array.from({ length: 100 }, (_, n) => backend.insert([draftOf(idOf(n))])));
  await backend.close();
  // What was sent before is delivered before the answer to this.
  await client.query("select 1");
  await client.end();
  assert.ok(payloads.length >= 1, "others were told");
  assert.ok(payloads.length < 50, `${payloads.length} notifications of 100 writes`);
  assert.ok(payloads.every((payload) => JSON.parse(payload).work === true));
});

test("a lost listening connection is replaced, and what may have been missed is told", { skip }, async (t) => {
  const { backend, namespace } = await store(t);
  const other = postgres(ADDRESS);
  await other.open({ namespace });
  t.after(() => other.close());
  const heard: Hint[] = [];
  const hints = (about: Hint["about"]): Promise<void> => until(() => heard.some((hint) => hint.about === about));
  other.signals?.subscribe((hint) => heard.push(hint));
  await hints("any");
  heard.length = 0;
  const ended = await raw(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sidereal listen' and query like $1",
    [`%"sidereal:${namespace}"%`],
  );
  assert.deepEqual(ended, [[true]], "there was one listening connection");
  await hints("any");
  heard.length = 0;
  await backend.insert([draftOf(idOf(1))]);
  await hints("work");
});

/** A client whose listening connections do what the test says. */
class Puppet implements Session, Listening {
  readonly opened: { heard: (payload: string) => void; lost: () => void; stopped: boolean }[] = [];
  readonly sent: string[] = [];
  fails = false;
  /** Whether what is sent arrives. */
  delivers = true;

  async query(_: string, values: readonly (string | null)[]): Promise<readonly TextRow[]> {
    const payload = values[1] ?? "";
    this.sent.push(payload);
    if (this.delivers) for (const { heard, stopped } of this.opened) if (!stopped) heard(payload);
    return [];
  }

  async listen(heard: (payload: string) => void, lost: () => void): Promise<Listener> {
    if (this.fails) throw new Error("refused");
    const connection = { heard, lost, stopped: false };
    this.opened.push(connection);
    const stop = (): void => {
      connection.stopped = true;
    };
    return { session: this, stop };
  }
}

function stage(): { puppet: Puppet; signals: NotifySignals; heard: Hint[]; pass: (ms: number) => Promise<void> } {
  const clock = new ManualClock();
  const looks: (() => void)[] = [];
  const signals = new NotifySignals(clock, (_, look) => {
    looks.push(look);
    return () => void looks.splice(looks.indexOf(look), 1);
  });
  const puppet = new Puppet();
  const heard: Hint[] = [];
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 500) {
      clock.advance(500);
      for (const look of [...looks]) look();
      for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
    }
  };
  signals.attach(puppet, "ns", "me");
  return { puppet, signals, heard, pass };
}

test("a connection that does not hear itself any more is replaced", async () => {
  const { puppet, signals, heard, pass } = stage();
  signals.subscribe((hint) => heard.push(hint));
  await pass(1_000);
  assert.deepEqual(heard, [{ about: "any" }]);
  await pass(60_000);
  assert.equal(puppet.opened.length, 1, "one that proves itself is kept");
  assert.ok(puppet.sent.length >= 4 && puppet.sent.length <= 7, `${puppet.sent.length} proofs in a minute`);
  puppet.delivers = false;
  await pass(16_500);
  assert.equal(puppet.opened[0]?.stopped, true);
  assert.equal(puppet.opened.length, 2, "replaced within 16.5 s");
  assert.deepEqual(heard, [{ about: "any" }, { about: "any" }]);
});

test("a server that refuses is asked again, ever more rarely, and with success when it is back", async () => {
  const { puppet, signals, heard, pass } = stage();
  puppet.fails = true;
  signals.subscribe((hint) => heard.push(hint));
  await pass(120_000);
  assert.deepEqual(heard, []);
  puppet.fails = false;
  await pass(31_000);
  assert.deepEqual(heard, [{ about: "any" }]);
});

test("own notifications are not heard twice, and those of others tell what they know", async () => {
  const { puppet, signals, heard, pass } = stage();
  signals.subscribe((hint) => heard.push(hint));
  await pass(1_000);
  heard.length = 0;
  const notes = new Notes();
  notes.work = true;
  notes.ended.push("a");
  signals.noted(notes);
  await pass(1_000);
  assert.deepEqual(heard, [{ about: "outcome", ids: ["a"] }, { about: "work" }]);
  assert.deepEqual(JSON.parse(puppet.sent.at(-1) ?? ""), { by: "me", work: true, ended: ["a"] });
  heard.length = 0;
  const tell = (message: object | string): void =>
    puppet.opened[0]?.heard(typeof message === "string" ? message : JSON.stringify({ by: "other", ...message }));
  tell({ ended: ["b"], cancel: true });
  tell({ ended: [] });
  tell("something that a trigger of the user's own sent");
  assert.deepEqual(heard, [{ about: "outcome", ids: ["b"] }, { about: "cancel" }, { about: "any" }, { about: "work" }]);
});

test("more ended records than fit are told as some", async () => {
  const { puppet, signals, pass } = stage();
  const notes = new Notes();
  notes.ended.push(...Array.from({ length: 500 }, (_, n) => `0192d3a4-b5c6-7000-8000-${n}`));
  signals.noted(notes);
  await pass(500);
  assert.deepEqual(JSON.parse(puppet.sent[0] ?? ""), { by: "me", ended: [] });
});

test("nobody listens: no connection is opened", async () => {
  const { puppet, signals, pass } = stage();
  await pass(5_000);
  assert.equal(puppet.opened.length, 0);
  const stop = signals.subscribe(() => {});
  await pass(1_000);
  assert.equal(puppet.opened.length, 1);
  stop();
  assert.equal(puppet.opened[0]?.stopped, true);
});

async function until(come: () => boolean): Promise<void> {
  while (!come()) await new Promise((resolve) => setImmediate(resolve));
}
