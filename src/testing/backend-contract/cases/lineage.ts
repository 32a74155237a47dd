/** Where a record came from and how often it was brought back: kept through everything that happens to it. */
import assert from "node:assert/strict";
import { cancelled, claimed, completed, failed, noted, released, revived } from "../../../model/lifecycle.ts";
import type { Origin, TaskRecord } from "../../../model/record.ts";
import { type ContractCase, Group } from "../case.ts";
import { forged, ids, LONG, present } from "../stage.ts";

const group = new Group("lineage");
export const lineage: readonly ContractCase[] = group.cases;

const error = { name: "Error", message: "no", stack: null, code: null, attempt: 1, at: 1 };

/** Both kinds, under names that have broken one store or another. */
const ORIGINS: readonly Origin[] = [
  { kind: "schedule", schedule: "daily", scheduledFor: 1_700_000_000_000 },
  { kind: "schedule", schedule: "x".repeat(200), scheduledFor: 0, manual: true },
  { kind: "schedule", schedule: `'; drop table tasks; -- " \\ %_ {"kind":"retry"}`, scheduledFor: 253_402_300_799_000 },
  { kind: "schedule", schedule: "עברית 日本語 👩‍👩‍👧‍👦 e\u0301 \u00e9 \u202e", scheduledFor: 1 },
  { kind: "schedule", schedule: "constructor", scheduledFor: 1 },
  { kind: "retry", of: "0192d3a4-b5c6-7000-8000-000000000001" },
  { kind: "retry", of: "\u0001 ' \" \\ 💾" },
];

group.holds("I18", "either kind of origin comes back as it went in, alone and among others", async (stage) => {
  const alone: TaskRecord[] = [];
  for (const origin of ORIGINS) alone.push(await stage.one({ origin }));
  assert.deepEqual(
    alone.map(({ origin }) => origin),
    ORIGINS,
  );
  const wishes = ORIGINS.flatMap((origin) => [{}, { origin }, {}, {}]);
  const among = await stage.put(...wishes);
  assert.deepEqual(
    among.map(({ origin }) => origin),
    wishes.map((wish) => wish.origin ?? null),
  );
  assert.deepEqual(await stage.dump(), [...alone, ...among]);
  assert.deepEqual(
    await stage.claim({ limit: 100 }).then((claims) => claims.map(({ origin }) => origin)),
    [...alone, ...among].map(({ origin }) => origin),
  );
});

group.holds("I6", "the origin stays from attempt to attempt, and to the end", async (stage) => {
  for (const origin of [ORIGINS[0], ORIGINS[1], ORIGINS[5]] as Origin[]) {
    const first = await stage.running({ origin });
    assert.deepEqual(first.origin, origin);
    const step = await stage.become(first, noted(first, { begun: true }));
    const back = await stage.become(step, failed(step, { now: 1, error, retryable: true, retryIn: 0 }));
    const [second] = await stage.claim();
    assert.deepEqual(second, claimed(back, factsOf(present(second))));
    const snoozed = released(present(second), { now: 1, because: "snooze" });
    await stage.become(present(second), snoozed);
    const [third] = await stage.claim();
    const over = await stage.become(present(third), completed(present(third), { now: 1, result: '"x"' }));
    assert.deepEqual(over.origin, origin);
    assert.deepEqual(await stage.read(first.id), over);
    await stage.become(over, null);
  }
});

group.holds("I2", "each return is counted, and what the record has been through stays", async (stage) => {
  let record = await stage.one({ origin: present(ORIGINS[0]) });
  for (let revivals = 0; revivals < 4; revivals += 1) {
    assert.equal(record.revivals, revivals);
    const taken = present((await stage.claim())[0]);
    assert.deepEqual(taken, claimed(record, factsOf(taken)));
    const over =
      revivals % 2
        ? cancelled(taken, { now: 1, reason: "enough", by: "acknowledge" })
        : failed(taken, { now: 1, error, retryable: false, retryIn: 0 });
    await stage.become(taken, over);
    record = await stage.become(over, revived(over, { now: 2 }));
    assert.deepEqual(await stage.dump(), [record]);
  }
  const taken = present((await stage.claim())[0]);
  await stage.become(taken, completed(taken, { now: 1, result: "1" }));
  const [over] = await stage.dump();
  assert.deepEqual([over?.revivals, over?.attempt, over?.origin], [4, 5, ORIGINS[0]]);
});

group.holds("I2 I13", "brought back once: the second who tries is refused", async (stage) => {
  const taken = await stage.running();
  const over = await stage.become(taken, cancelled(taken, { now: 1, reason: null, by: "force" }));
  const changes = [1, 2].map((now) => ({ from: over, to: revived(over, { now }) }));
  assert.deepEqual(await stage.store.apply(changes), [true, false]);
  assert.deepEqual(await stage.dump(), [present(changes[0]).to]);
  assert.deepEqual(ids(await stage.claim()), [over.id]);
});

group.holds("I6", "a change may write any origin and any count, also together with an end", async (stage) => {
  const origins = [null, ORIGINS[2], ORIGINS[5]] as (Origin | null)[];
  for (const lies of [{ revivals: 7 }, ...origins.map((origin) => ({ origin, revivals: 7 }))]) {
    const running = await stage.running({ origin: present(ORIGINS[3]) });
    const over = forged(completed(running, { now: 1, result: "1" }), lies);
    await stage.become(running, over);
    assert.deepEqual(await stage.read(running.id), over);
    const again = await stage.running({ origin: present(ORIGINS[3]) });
    const step = forged(noted(again, { begun: true }), lies);
    await stage.become(again, step);
    assert.deepEqual(await stage.read(again.id), step);
    const waiting = await stage.one();
    const later = forged(forged(waiting, lies), { version: 2, readyAt: waiting.readyAt + LONG });
    await stage.become(waiting, later);
    assert.deepEqual(await stage.read(waiting.id), later);
  }
});

group.holds("", "a record may arrive with a past: its count and its origin come along", async (stage) => {
  const [fresh, old] = [stage.draft(), stage.draft({ origin: present(ORIGINS[4]) })];
  const draft = { ...old, record: forged(old.record, { version: 40, attempt: 12, revivals: 9 }) };
  const [, stored] = await stage.putDrafts([fresh, draft]);
  assert.deepEqual([stored?.revivals, stored?.version, stored?.origin], [9, 40, ORIGINS[4]]);
  assert.deepEqual(await stage.read(old.record.id), stored);
  const claims = await stage.claim();
  assert.deepEqual(
    claims.map(({ revivals, origin }) => [revivals, origin]),
    [
      [0, null],
      [9, ORIGINS[4]],
    ],
  );
});

function factsOf({ leaseUntil, claim }: TaskRecord): Parameters<typeof claimed>[1] {
  return { now: (leaseUntil ?? 0) - LONG, token: claim ?? "", lease: LONG, workerId: "worker-1" };
}
