/**
 * The plans that the speed rests on: with many completed, scheduled and unserved records in the way, no hot statement
 * scans a table or reads more than it answers with. Once as our own connections are set, once as a lent one may be; with
 * the plan for the values at hand and with the one for any.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import pg from "pg";
import { postgres } from "../../src/backends/postgres/index.ts";
import { completed, noted } from "../../src/model/lifecycle.ts";
import type { TaskRecord } from "../../src/model/record.ts";
import { draftOf, idOf } from "../../src/testing/backend-contract/stage.ts";
import { ADDRESS, drop, freshNamespace, raw, skip } from "./bench.ts";

/** How many records of each kind are in the way. A million rows in all: SIDEREAL_TEST_ROWS=250000. */
const ROWS = Number(process.env["SIDEREAL_TEST_ROWS"] ?? 10_000);

/** Pages that a statement over at most 100 records may look at, and its plan's steps may answer with so many rows. */
const PAGES = 3_000;
const ANSWERED = 300;

/** A filtered page looks at so many ids at most to find out where it ends. */
const LOOKED_AT = 10_000;

interface Step {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Shared Hit Blocks": number;
  readonly "Shared Read Blocks": number;
  readonly Plans?: readonly Step[];
}

const OWN = "set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; set jit = off";

for (const [name, settings, forced] of [
  ["on our own connections, planned for the values at hand", OWN, "auto"],
  ["on our own connections", OWN, "force_generic_plan"],
  ["on a lent connection", "select 1", "auto"],
] as const) {
  test(`plans ${name}`, { skip }, async (t) => {
    const namespace = freshNamespace();
    const client = new pg.Client({ connectionString: ADDRESS });
    await client.connect();
    await client.query(settings);
    const plans: { text: string; step: Step }[] = [];
    let watching = false;
    const query = async (text: string, values: (string | null)[]): Promise<pg.QueryResult> => {
      if (watching && !/^(?:begin|commit|rollback|select set_config)/u.test(text))
        plans.push({ text, step: await planOf(client, forced, text, values) });
      return client.query(text, values);
    };
    const backend = postgres({ client: { query } });
    t.after(async () => {
      await backend.close();
      await client.end();
      await drop(namespace);
    });
    await backend.open({ namespace });
    await fill(namespace);
    watching = true;
    await work(backend);
    assert.ok(plans.length >= 15, `${plans.length} statements were looked at`);
    for (const { text, step } of plans) judge(text, step);
  });
}

async function planOf(client: pg.Client, forced: string, text: string, values: (string | null)[]): Promise<Step> {
  await client.query("begin");
  try {
    await client.query(`set local plan_cache_mode = ${forced}`);
    const types = values.map(() => "text").join(", ");
    await client.query(`prepare plan${types === "" ? "" : `(${types})`} as ${text}`);
    const literals = values.map((value) => (value === null ? "null" : client.escapeLiteral(value))).join(", ");
    const { rows } = await client.query({
      text: `explain (analyze, buffers, timing off, format json) execute plan${literals === "" ? "" : `(${literals})`}`,
      rowMode: "array",
    });
    await client.query("deallocate plan");
    return rows[0]?.[0]?.[0]?.Plan as Step;
  } finally {
    await client.query("rollback");
  }
}

function judge(text: string, top: Step): void {
  const pages = top["Shared Hit Blocks"] + top["Shared Read Blocks"];
  assert.ok(pages <= PAGES, `${pages} pages: ${text}`);
  const look = (step: Step): void => {
    const table = step["Relation Name"];
    if (table === "live" || table === "done") {
      assert.notEqual(step["Node Type"], "Seq Scan", `${table} is scanned: ${text}`);
      const rows = step["Actual Rows"] * step["Actual Loops"];
      assert.ok(
        rows <= (text.startsWith("with b as") ? LOOKED_AT : ANSWERED),
        `${rows} rows of ${table} are read: ${text}`,
      );
    }
    step.Plans?.forEach(look);
  };
  look(top);
}

/** Every operation of a worker, a producer and a person, over at most 100 records each. */
async function work(backend: ReturnType<typeof postgres>): Promise<void> {
  const request = {
    workerId: "w",
    lease: 60_000,
    tasks: ["mail.send", "other"],
    queues: null,
    queueLimits: {},
    executions: ["local"],
  };
  const claim = (n: number, more: object = {}): Promise<readonly TaskRecord[]> =>
    backend.claim({ ...request, token: `${n}`.repeat(32), limit: 100, ...more });
  await backend.insert(Array.from({ length: 100 }, (_, n) => draftOf(idOf(50_000_000 + n), { key: `k${n}` })));
  await backend.insert([draftOf(idOf(50_000_000))]);
  const first = await claim(1);
  assert.equal(first.length, 100);
  assert.equal((await claim(1)).length, 100, "the repeated claim");
  const second = await claim(2, { queueLimits: { default: 10 }, limit: 10 });
  assert.equal(second.length, 10);
  const held = [...first, ...second].map(({ id, claim: token }) => ({ id, claim: token ?? "" }));
  await backend.renew(held, 60_000);
  const step = noted(second[0] as TaskRecord, { begun: true });
  await backend.apply([{ from: second[0] as TaskRecord, to: step }]);
  await backend.apply(first.map((from) => ({ from, to: completed(from, { now: 1, result: "1" }) })));
  await backend.find({ by: "id", ids: first.map(({ id }) => id) });
  await backend.find({ by: "key", key: "k1" });
  await backend.find({ by: "lapsed", after: null, limit: 100 });
  await backend.find({ by: "expired", after: null, limit: 100 });
  await backend.find({ by: "cancelling", after: null, limit: 100 });
  await backend.find({ by: "next", queues: null });
  await backend.page({ order: "newest", after: null, limit: 100 });
  await backend.page({ order: "oldest", after: idOf(20_000_000), limit: 100 });
  await backend.page({ order: "newest", after: null, limit: 100, states: ["failed"] });
  await backend.prune({ states: ["completed"], before: 2_000, limit: 100 });
}

/** Completed, scheduled with a higher priority, of another queue that nobody serves, and ready ones of two tasks. */
async function fill(namespace: string): Promise<void> {
  const live = (from: number, queue: string, task: string, priority: number, readyAt: string): string =>
    `insert into "${namespace}".live (id, task_name, queue, execution, priority, policy, created_at, queued_at, ready_at, seq)
    select '0192d3a4-b5c6-7000-8000-' || lpad(to_hex(${from} + n), 12, '0'), '${task}', '${queue}', 'local', ${priority},
      '[3,"fixed",0,1,0,0,null,1]', 1, 1, ${readyAt}, n from generate_series(1, ${ROWS}) n;`;
  await raw(
    `${live(10_000_000, "default", "mail.send", 0, "1000 + n")}
    ${live(20_000_000, "default", "mail.send", 5, "9000000000000 + n")}
    ${live(30_000_000, "elsewhere", "unserved", 9, "1")}
    insert into "${namespace}".done (id, task_name, queue, execution, priority, policy, created_at, queued_at, ready_at, finished_at, state, seq)
    select '0192d3a4-b5c6-7000-8000-' || lpad(to_hex(40000000 + n), 12, '0'), 'mail.send', 'default', 'local', 0,
      '[3,"fixed",0,1,0,0,null,1]', 1, 1, 1, n, case when n % 100 = 0 then 4 else 3 end, n from generate_series(1, ${ROWS}) n;
    analyze "${namespace}".live; analyze "${namespace}".done`,
  );
}
