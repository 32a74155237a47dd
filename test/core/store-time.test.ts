/** The store's time as a process knows it: what a slow answer may change about it, and what not. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Clock } from "../../src/contracts/clock.ts";
import type { Calls } from "../../src/core/calls.ts";
import { StoreTime } from "../../src/core/store-time.ts";

/** A store's clock that is `ahead` of this process' monotonic one, and takes so long to reach and to answer. */
function bench(): { time: StoreTime; wait(ms: number): void; ahead: number; there: number; back: number } {
  let mono = 1_000;
  const clock = { mono: () => mono, wall: () => 0 } as Clock;
  const wait = (ms: number): void => {
    mono += ms;
  };
  const own = { ahead: 500_000, there: 0, back: 0, wait };
  const now = async (): Promise<number> => {
    mono += own.there;
    const answer = Math.floor(mono + own.ahead);
    mono += own.back;
    return answer;
  };
  return Object.assign(own, { time: new StoreTime({ now } as Calls, clock) });
}

describe("the store's time", () => {
  it("is this process' wall clock before the first reading, and then the middle of the round trip", async () => {
    const own = bench();
    assert.equal(own.time.now(), 0);
    Object.assign(own, { there: 10, back: 10 });
    await own.time.sync();
    assert.equal(own.time.now(), 501_020);
  });

  it("is not spoiled by a reading whose answer waited", async () => {
    const own = bench();
    await own.time.sync();
    Object.assign(own, { there: 1, back: 1_700 });
    await own.time.sync();
    assert.equal(own.time.now(), 502_701);
  });

  it("is not spoiled by a reading that was asked late", async () => {
    const own = bench();
    await own.time.sync();
    Object.assign(own, { there: 1_700, back: 1 });
    await own.time.sync();
    assert.equal(own.time.now(), 502_701);
  });

  it("becomes right with the first quick reading after a slow one", async () => {
    const own = bench();
    Object.assign(own, { there: 0, back: 2_000 });
    await own.time.sync();
    Object.assign(own, { there: 0, back: 0 });
    await own.time.sync();
    assert.equal(own.time.now(), 503_000);
  });

  it("follows a store's clock that was set, either way", async () => {
    const own = bench();
    await own.time.sync();
    for (const ahead of [900_000, 100_000]) {
      own.ahead = ahead;
      await own.time.sync();
      own.wait(5);
      assert.ok(Math.abs(own.time.now() - (own.ahead + 1_005)) <= 5, String(own.time.now()));
      own.wait(-5);
    }
  });
});
