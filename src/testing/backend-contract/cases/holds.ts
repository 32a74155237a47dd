/** hold, release, held: named reservations with one holder. */
import assert from "node:assert/strict";
import type { Hold } from "../../../contracts/queue-backend.ts";
import { alike } from "../alike.ts";
import { type ContractCase, Group } from "../case.ts";

const group = new Group("hold, release, held");
export const holds: readonly ContractCase[] = group.cases;
const MINUTE = 60_000;

group.holds("I11", "the first to ask holds it; others learn who", async ({ store }) => {
  const first = await store.hold("leader", "a", { note: '{"pid":7}' });
  assert.deepEqual(first, { name: "leader", holder: "a", until: null, note: '{"pid":7}' });
  assert.deepEqual(await store.hold("leader", "b", { lease: 5, note: "2" }), first);
  assert.deepEqual(await store.hold("follower", "b"), { name: "follower", holder: "b", until: null, note: null });
  assert.deepEqual(await store.held("leader"), [first]);
});

group.holds("I7", "the holder extends it, and a repeated call changes nothing", async (stage) => {
  const first = await stage.store.hold("leader", "a", { lease: MINUTE });
  const now = await stage.store.now();
  assert.ok((first.until ?? 0) <= now + MINUTE && (first.until ?? 0) > now);
  await stage.pass(20);
  const second = await stage.store.hold("leader", "a", { lease: MINUTE, note: "1" });
  assert.ok((second.until ?? 0) >= (first.until ?? 0) + 20);
  assert.deepEqual(await stage.store.held(""), [second]);
  if (!stage.capabilities.clock) return;
  assert.equal(first.until, now + MINUTE);
  assert.deepEqual(await stage.store.hold("leader", "a", { lease: MINUTE, note: "1" }), second);
});

group.holds("I8", "an over one is free for anybody, and no longer in force", async (stage) => {
  await stage.store.hold("leader", "a", { lease: 10 });
  await stage.store.hold("forever", "a");
  await stage.pass(50);
  assert.deepEqual(
    (await stage.store.held("")).map(({ name }) => name),
    ["forever"],
  );
  assert.equal(await stage.store.release("leader", "a"), false, "it has nothing to give back");
  assert.equal((await stage.store.hold("leader", "b", { lease: MINUTE })).holder, "b");
  assert.equal((await stage.store.hold("leader", "a", { lease: MINUTE })).holder, "b");
  assert.equal((await stage.store.hold("forever", "b")).holder, "a");
});

group.holds(
  "I8",
  "over is: from the very millisecond of its end",
  async (stage) => {
    await stage.store.hold("leader", "a", { lease: 1_000 });
    stage.clock.advance(999);
    assert.equal((await stage.store.hold("leader", "b")).holder, "a");
    assert.equal((await stage.store.held("")).length, 1);
    stage.clock.advance(1);
    assert.equal((await stage.store.held("")).length, 0);
    assert.equal((await stage.store.hold("leader", "b")).holder, "b");
  },
  { needs: ["clock"] },
);

group.holds("I8", "an over one can be taken again by the one who had it", async (stage) => {
  await stage.store.hold("leader", "a", { lease: 10, note: "1" });
  await stage.pass(50);
  assert.deepEqual(await stage.store.hold("leader", "a"), { name: "leader", holder: "a", until: null, note: null });
});

group.holds("I4", "only its holder gives it back, once", async ({ store }) => {
  await store.hold("leader", "a");
  assert.equal(await store.release("leader", "b"), false);
  assert.equal(await store.release("leader", "A"), false);
  assert.equal(await store.release("unknown", "a"), false);
  assert.equal((await store.hold("leader", "b")).holder, "a");
  assert.equal(await store.release("leader", "a"), true);
  assert.equal(await store.release("leader", "a"), false);
  assert.deepEqual(await store.held(""), []);
  assert.equal((await store.hold("leader", "b")).holder, "b");
});

group.holds("I18", "a prefix is plain text, not a pattern", async ({ store }) => {
  const names = ["100%", "100%.a", "1000", "a_b", "a_c", "axb", "a\\b", "a*", "a?", "a[b]", "A_b", "'", "é"].toSorted();
  names.push("\uff5a", "💾");
  for (const name of names.toReversed()) await store.hold(name, "h");
  const held = async (prefix: string): Promise<string[]> => (await store.held(prefix)).map(({ name }) => name);
  assert.deepEqual(await held("100%"), ["100%", "100%.a"]);
  assert.deepEqual(await held("a_"), ["a_b", "a_c"]);
  assert.deepEqual(await held("a\\"), ["a\\b"]);
  assert.deepEqual(await held("a*"), ["a*"]);
  assert.deepEqual(await held("a["), ["a[b]"]);
  assert.deepEqual(await held("A"), ["A_b"]);
  assert.deepEqual(await held("%"), []);
  assert.deepEqual(await held("é"), ["é"]);
  assert.deepEqual(await held("💾"), ["💾"]);
  assert.deepEqual(await held(""), names, "in the order of their code points");
});

group.holds("I4 I11", "of twenty who ask at once one gets it, and all hear the same", async ({ store }) => {
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) => store.hold("leader", `worker-${n}`, { lease: MINUTE })),
  );
  const winners = new Set(answers.map(({ holder }: Hold) => holder));
  assert.equal(winners.size, 1);
  assert.deepEqual((await store.held("leader"))[0]?.holder, [...winners][0]);
});

group.holds("", "thousands of reservations, by name", async ({ store }) => {
  const names = Array.from({ length: 1_200 }, (_, n) => `key:${String(n).padStart(5, "0")}`);
  for (const name of names.toReversed()) await store.hold(name, "h");
  alike(
    (await store.held("key:")).map(({ name }) => name),
    names,
  );
  assert.equal((await store.held("key:0001")).length, 10);
});
