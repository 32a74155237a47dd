/** now: the store's clock, which decides everything. */
import assert from "node:assert/strict";
import { type ContractCase, Group } from "../case.ts";
import type { Stage, Store } from "../stage.ts";

const group = new Group("now");
export const time: readonly ContractCase[] = group.cases;
const HOUR = 3_600_000;

group.holds("", "answers whole milliseconds that never run backwards", async ({ store }) => {
  let last = 0;
  for (let reading = 0; reading < 200; reading += 1) {
    const now = await store.now();
    assert.ok(Number.isSafeInteger(now) && now >= last, `${now} after ${last}`);
    last = now;
  }
});

group.holds(
  "",
  "follows the injected clock to the millisecond",
  async (stage) => {
    for (const step of [0, 1, 7, 1_000, HOUR]) {
      stage.clock.advance(step);
      assert.equal(await stage.store.now(), stage.clock.wall());
    }
  },
  { needs: ["clock"] },
);

group.holds(
  "",
  "the host's clock set back: no step back, no standstill, and it heals",
  async (stage) => {
    const { store, clock } = stage;
    const start = await store.now();
    clock.setBack(HOUR);
    let last = start;
    for (let ms = 0; ms < 1_000; ms += 1) {
      clock.advance(1);
      const now = await store.now();
      assert.ok(now >= last, `${now} after ${last}`);
      last = now;
    }
    assert.ok(last - start >= 400, `1,000 ms passed, the store's clock went ${last - start} ms`);
    clock.advance(3 * HOUR);
    assert.equal(await store.now(), clock.wall(), "and it is right again");
  },
  { needs: ["clock"] },
);

group.holds(
  "I8",
  "the host's clock set back: leases end and records become ready all the same",
  async (stage) => {
    const taken = await stage.running({}, { lease: 10_000 });
    const waiting = await stage.one({ readyIn: 10_000, task: "report.build" });
    stage.clock.setBack(HOUR);
    stage.clock.advance(25_000);
    assert.deepEqual(await stage.store.find({ by: "lapsed", after: null, limit: 10 }), [taken]);
    const claims = await stage.claim({ tasks: ["report.build"] });
    assert.deepEqual(
      claims.map(({ id }) => id),
      [waiting.id],
    );
  },
  { needs: ["clock"] },
);

group.holds(
  "I3",
  "a connection opened after the host's clock was set back goes on from what was written",
  async (stage) => {
    const taken = await stage.running({}, { lease: 5_000 });
    const written = await stage.store.now();
    stage.clock.setBack(HOUR);
    const later = await stage.second();
    assert.ok((await later.now()) >= written, "the new connection's clock is not behind what the store holds");
    await advanceBoth(stage, [stage.store, later], 20_000);
    assert.deepEqual(await later.find({ by: "lapsed", after: null, limit: 10 }), [taken]);
  },
  { needs: ["clock", "shared"] },
);

/** Reads along, as working processes do. */
async function advanceBoth({ clock }: Stage, stores: readonly Store[], ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 1_000) {
    clock.advance(1_000);
    for (const store of stores) await store.now();
  }
}
