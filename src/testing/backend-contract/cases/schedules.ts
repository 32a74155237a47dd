/** schedules: every query, its order and its pages; names and bodies come back as they went in. */
import assert from "node:assert/strict";
import type { ScheduleQuery, ScheduleRow } from "../../../contracts/queue-backend.ts";
import { type ContractCase, Group } from "../case.ts";
import { LONG, nextRow, present, rowOf, type Stage, schedulesOf } from "../stage.ts";

const group = new Group("schedules");
export const schedules: readonly ContractCase[] = group.cases;

type Paged = Extract<ScheduleQuery, { after: string | null }>;

/** In the order in which a store lists them: by code point, so that 💾 comes after ｚ although its UTF-16 units do not. */
const NAMES: readonly string[] = [
  " leading",
  "%",
  "'; drop table schedules; --",
  "A",
  "Daily",
  "\\",
  "_",
  "a",
  "a ",
  "a%",
  "a_",
  "ab",
  "constructor",
  "d_ily",
  "daily",
  "daily.report",
  "e\u0301",
  "toString",
  "x".repeat(199),
  "x".repeat(200),
  "\u00df",
  "\u00e9",
  "\u05e2\u05d1\u05e8\u05d9\u05ea",
  "日本語",
  "\uff5a",
  "💾",
  "💾".repeat(100),
];

group.holds("", "by name: those that are there, each once, in order", async (stage) => {
  const [a, b, c] = ["a", "b", "c"].map((name) => rowOf(name)) as [ScheduleRow, ScheduleRow, ScheduleRow];
  await stage.plan(c, a, b);
  const named = async (...names: string[]): Promise<readonly ScheduleRow[]> =>
    stage.store.schedules({ by: "name", names });
  assert.deepEqual(await named("c", "nothing", "a", "c"), [a, c]);
  assert.deepEqual(await named("nothing"), []);
  assert.deepEqual(await named(), []);
});

group.holds("", "by name: 1,000 at once", async (stage) => {
  const rows = many(1_000);
  await stage.plan(...stage.chance.some(rows, rows.length));
  const names = stage.chance.some(rows, rows.length).map(({ name }) => name);
  assert.deepEqual(await stage.store.schedules({ by: "name", names }), rows);
});

group.holds(
  "I18",
  "names that only look alike are different, and lie in the order of their code points",
  async (stage) => {
    const rows = NAMES.map((name, n) => rowOf(name, { version: n + 1, dueAt: n % 2 ? 1_000 + n : null }));
    await stage.plan(...rows.toReversed());
    for (const row of rows) {
      assert.deepEqual(await stage.store.schedules({ by: "name", names: [row.name] }), [row], JSON.stringify(row.name));
    }
    await pages(stage, rows, (after, limit) => ({ by: "all", after, limit }));
    const due = rows.filter(({ dueAt }) => dueAt !== null);
    await pages(stage, due, (after, limit) => ({ by: "due", after, limit }));
    for (const [place, from] of rows.entries()) {
      assert.deepEqual(await stage.store.advance([{ from, to: null, ticks: [] }]), [true]);
      assert.equal((await schedulesOf(stage.store)).length, rows.length - place - 1, "the others stay");
    }
  },
);

group.holds("I15 I18", "a body is text that the store does not read", async (stage) => {
  const bodies = [
    '{"b":1,"a":2,"b":3}',
    "{ }",
    "1e400",
    "12345678901234567890",
    '"\\u0000\\ud83d\\ude00\\/"',
    '"\' ; drop table schedules; -- %_ $1 ? :name"',
    JSON.stringify("line\nfeed\r\u2028\u202e עברית 日本語 👩‍👩‍👧‍👦 é e\u0301"),
    JSON.stringify("💾".repeat(100_000)),
  ];
  const rows = bodies.map((body, n) => rowOf(`body ${n}`, { body }));
  await stage.plan(...rows);
  assert.deepEqual(await schedulesOf(stage.store), rows);
  const changed = rows.map((row, n) => nextRow(row, { version: 2, body: bodies[(n + 1) % bodies.length] ?? "" }));
  const changes = changed.map((to, n) => ({ from: present(rows[n]), to, ticks: [] }));
  assert.deepEqual(
    await stage.store.advance(changes),
    changes.map(() => true),
  );
  assert.deepEqual(await schedulesOf(stage.store), changed);
});

group.holds("", "versions and instants of any size", async (stage) => {
  const rows = [
    rowOf("a", { version: 1, dueAt: 0 }),
    rowOf("b", { version: 2 ** 53 - 1, dueAt: 253_402_300_799_000 }),
    rowOf("c", { version: 2 ** 40, dueAt: null }),
  ];
  await stage.plan(...rows);
  assert.deepEqual(await schedulesOf(stage.store), rows);
});

group.holds("", "all: every one, by name, page by page, also behind one that is gone", async (stage) => {
  const rows = many(25);
  await stage.plan(...stage.chance.some(rows, rows.length));
  await pages(stage, rows, (after, limit) => ({ by: "all", after, limit }));
  const [first, second] = rows as [ScheduleRow, ScheduleRow];
  await stage.store.advance([{ from: second, to: null, ticks: [] }]);
  const rest = rows.filter((row) => row !== second);
  assert.deepEqual(await stage.store.schedules({ by: "all", after: first.name, limit: 2 }), rest.slice(1, 3));
  assert.deepEqual(await stage.store.schedules({ by: "all", after: second.name, limit: 2 }), rest.slice(1, 3));
  assert.deepEqual(await stage.store.schedules({ by: "all", after: present(rest.at(-1)).name, limit: 2 }), []);
});

group.holds("", "all: 1,000 at once out of more", async (stage) => {
  const rows = many(1_100);
  for (let from = 0; from < rows.length; from += 500) await stage.plan(...rows.slice(from, from + 500));
  assert.deepEqual(await stage.store.schedules({ by: "all", after: null, limit: 1_000 }), rows.slice(0, 1_000));
  assert.deepEqual(await schedulesOf(stage.store), rows);
});

group.holds("", "due: those whose time has come, and no others", async (stage) => {
  const now = await stage.store.now();
  const rows = [
    rowOf("a", { dueAt: now - LONG }),
    rowOf("b", { dueAt: null }),
    rowOf("c", { dueAt: now + LONG }),
    rowOf("d", { dueAt: now }),
    rowOf("e", { dueAt: 0 }),
  ] as const;
  await stage.plan(...rows);
  const due = (): Promise<readonly ScheduleRow[]> => stage.store.schedules({ by: "due", after: null, limit: 10 });
  assert.deepEqual(await due(), [rows[0], rows[3], rows[4]]);
  const later = nextRow(rows[0], { version: 2, dueAt: now + LONG });
  const never = nextRow(rows[3], { version: 2, dueAt: null });
  const sooner = nextRow(rows[2], { version: 2, dueAt: now });
  await stage.store.advance([
    { from: rows[0], to: later, ticks: [] },
    { from: rows[3], to: never, ticks: [] },
    { from: rows[2], to: sooner, ticks: [] },
    { from: rows[4], to: null, ticks: [] },
  ]);
  assert.deepEqual(await due(), [sooner]);
});

group.holds(
  "",
  "due: by the store's clock, from the very millisecond",
  async (stage) => {
    const now = await stage.store.now();
    const row = rowOf("a", { dueAt: now + 1_000 });
    await stage.plan(row);
    stage.clock.advance(999);
    assert.deepEqual(await stage.store.schedules({ by: "due", after: null, limit: 10 }), []);
    stage.clock.advance(1);
    assert.deepEqual(await stage.store.schedules({ by: "due", after: null, limit: 10 }), [row]);
  },
  { needs: ["clock"] },
);

group.holds(
  "",
  "due: what has been due stays due when the host's clock is set back",
  async (stage) => {
    const row = rowOf("a", { dueAt: await stage.store.now() });
    await stage.plan(row);
    stage.clock.setBack(LONG);
    stage.clock.advance(1);
    assert.deepEqual(await stage.store.schedules({ by: "due", after: null, limit: 10 }), [row]);
  },
  { needs: ["clock"] },
);

group.holds("I17", "due: a page of schedules that nobody advances does not hide the rest", async (stage) => {
  const rows = many(25).map((row, n) => ({ ...row, dueAt: 1_000 - n }));
  await stage.plan(...rows, rowOf("n0000 never"), rowOf("n0001 later", { dueAt: (await stage.store.now()) + LONG }));
  await pages(stage, rows, (after, limit) => ({ by: "due", after, limit }));
});

group.holds("", "next: the one with the earliest time, past or future", async (stage) => {
  const next = async (): Promise<readonly ScheduleRow[]> => stage.store.schedules({ by: "next" });
  assert.deepEqual(await next(), []);
  const now = await stage.store.now();
  await stage.plan(rowOf("never"));
  assert.deepEqual(await next(), []);
  const [late, soon] = [rowOf("a", { dueAt: now + 2 * LONG }), rowOf("b", { dueAt: now + LONG })] as const;
  await stage.plan(late, soon);
  assert.deepEqual(await next(), [soon]);
  const past = rowOf("c", { dueAt: now - LONG });
  await stage.plan(past, rowOf("d", { dueAt: now - 1 }));
  assert.deepEqual(await next(), [past]);
  await stage.store.advance([{ from: past, to: nextRow(past, { version: 2, dueAt: null }), ticks: [] }]);
  assert.deepEqual(
    (await next()).map(({ name }) => name),
    ["d"],
  );
});

group.holds(
  "",
  "a schedule stored here is found there, and outlives the connection that made it",
  async (stage) => {
    const other = await stage.second();
    const row = rowOf("daily", { dueAt: 1, body: '{"cron":"@daily"}' });
    await stage.plan(row);
    assert.deepEqual(await other.schedules({ by: "due", after: null, limit: 1 }), [row]);
    await stage.store.close();
    assert.deepEqual(await other.schedules({ by: "name", names: ["daily"] }), [row]);
    assert.deepEqual(await (await stage.second()).schedules({ by: "next" }), [row]);
  },
  { needs: ["shared"] },
);

/** So many schedules, in order of their names. */
function many(count: number): ScheduleRow[] {
  return Array.from({ length: count }, (_, n) => rowOf(`n${String(n).padStart(4, "0")}`, { version: n + 1 }));
}

/** Walks the pages at several sizes; all of them together must be the schedules wanted, in order. */
async function pages(
  stage: Stage,
  wanted: readonly ScheduleRow[],
  query: (after: string | null, limit: number) => Paged,
): Promise<void> {
  for (const limit of [1, 4, wanted.length, wanted.length + 1]) {
    const found: ScheduleRow[] = [];
    for (let after: string | null = null; ; after = present(found.at(-1)).name) {
      const page = await stage.store.schedules(query(after, limit));
      assert.ok(page.length <= limit, "no page is longer than its limit");
      found.push(...page);
      if (page.length < limit) break;
      assert.ok(found.length <= wanted.length, "the pages come to an end");
    }
    assert.deepEqual(found, wanted);
  }
}
