/** signals: hints that something may have happened; late or lost ones cost time, never a record. */
import assert from "node:assert/strict";
import type { Hint } from "../../../contracts/signals.ts";
import { cancelled, completed, released } from "../../../model/lifecycle.ts";
import { type ContractCase, Group } from "../case.ts";
import { present, rowOf, type Stage, type Store } from "../stage.ts";

const group = new Group("signals");
export const signals: readonly ContractCase[] = group.cases;
const needs = ["signals"] as const;

group.holds(
  "I17",
  "a hint comes when work is stored, and when work returns",
  async (stage) => {
    for (const listener of await listeners(stage)) {
      const heard = listen(listener);
      await stage.one();
      await stage.until("a hint about work", () => heard.some(isAbout("work")));
      const taken = present((await stage.claim())[0]);
      heard.length = 0;
      const now = await stage.store.now();
      const back = await stage.become(taken, released(taken, { now, because: "snooze" }));
      await stage.until("a hint about returned work", () => heard.some(isAbout("work")));
      await stage.become(back, null);
    }
  },
  { needs },
);

group.holds(
  "I17",
  "a hint comes when a schedule's step leaves a tick that is ready",
  async (stage) => {
    for (const [place, listener] of (await listeners(stage)).entries()) {
      const heard = listen(listener);
      await stage.store.advance([{ from: null, to: rowOf(`daily ${place}`), ticks: [stage.draft()] }]);
      await stage.until("a hint about work", () => heard.some(isAbout("work")));
    }
  },
  { needs },
);

group.holds(
  "I17",
  "a hint comes when a record ends, and names it",
  async (stage) => {
    for (const listener of await listeners(stage)) {
      const taken = await stage.running();
      const heard = listen(listener);
      await stage.become(taken, completed(taken, { now: 1, result: null }));
      await stage.until("a hint about the outcome", () =>
        heard.some((hint) => hint.about === "any" || (hint.about === "outcome" && hint.ids.includes(taken.id))),
      );
    }
  },
  { needs },
);

group.holds(
  "I17",
  "a hint comes when a running record is asked to stop",
  async (stage) => {
    for (const listener of await listeners(stage)) {
      const taken = await stage.running();
      const heard = listen(listener);
      await stage.become(taken, cancelled(taken, { now: 1, reason: null, by: "request" }));
      await stage.until("a hint about the cancel", () => heard.some(isAbout("cancel")));
    }
  },
  { needs },
);

group.holds(
  "",
  "after its end a subscription is silent, the others are not",
  async (stage) => {
    const first: Hint[] = [];
    const stop = present(stage.store.signals).subscribe((hint) => first.push(hint));
    const second = listen(stage.store);
    stop();
    stop();
    await stage.one();
    await stage.until("the other listener's hint", () => second.length > 0);
    assert.deepEqual(first, []);
  },
  { needs },
);

group.holds(
  "I14",
  "nothing depends on anybody listening",
  async (stage) => {
    const stop = present(stage.store.signals).subscribe(() => {});
    stop();
    const record = await stage.one();
    assert.equal((await stage.claim())[0]?.id, record.id);
  },
  { needs },
);

group.holds(
  "",
  "a subscription outlives no store: after close it is silent",
  async (stage) => {
    const heard = listen(stage.store);
    await stage.one();
    await stage.until("a hint", () => heard.length > 0);
    await stage.store.close();
    heard.length = 0;
    if (stage.capabilities.shared) await (await stage.second()).insert([stage.draft()]);
    stage.clock.advance(60_000);
    assert.deepEqual(heard, []);
  },
  { needs },
);

/** The store itself, and another connection where there is one. */
async function listeners(stage: Stage): Promise<Store[]> {
  return stage.capabilities.shared ? [stage.store, await stage.second()] : [stage.store];
}

function listen(store: Store): Hint[] {
  const heard: Hint[] = [];
  present(store.signals).subscribe((hint) => heard.push(hint));
  return heard;
}

function isAbout(about: Hint["about"]): (hint: Hint) => boolean {
  return (hint) => hint.about === about || hint.about === "any";
}
