/** The virtual clock: order, promises between timers, and nothing that moves by itself. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { seededRandom, VirtualClock } from "../../src/testing/index.ts";

describe("VirtualClock", () => {
  it("fires by time, then by the order of making, each at its own time", async () => {
    const clock = new VirtualClock();
    const fired: [string, number][] = [];
    const note = (name: string) => () => fired.push([name, clock.mono()]);
    clock.after(20, note("late"));
    clock.after(10, note("first"));
    clock.after(10, note("second"));
    clock.after(15, note("cancelled"))();
    await clock.advance(30);
    assert.deepEqual(fired, [
      ["first", 10],
      ["second", 10],
      ["late", 20],
    ]);
    assert.equal(clock.mono(), 30);
    assert.equal(clock.pending, 0);
  });

  it("gives promises their turn between two timers, and fires what they start in time", async () => {
    const clock = new VirtualClock({ startAt: new Date("2031-05-01T00:00:00Z") });
    const seen: string[] = [];
    const sleep = (delay: number) => new Promise<void>((resolve) => clock.after(delay, resolve));
    const walk = async (name: string) => {
      for (let step = 0; step < 3; step += 1) {
        await sleep(10);
        seen.push(`${name}${step}@${clock.wall() - Date.UTC(2031, 4, 1)}`);
      }
    };
    const walks = [walk("a"), walk("b")];
    await clock.advance("25ms");
    assert.deepEqual(seen, ["a0@10", "b0@10", "a1@20", "b1@20"]);
    await clock.runUntil(Promise.all(walks));
    assert.equal(seen.length, 6);
  });

  it("stands still while promises and turns run", async () => {
    const clock = new VirtualClock();
    let turns = 0;
    const again = (): void => {
      turns += 1;
      if (turns < 5) clock.soon(again);
    };
    clock.soon(again);
    await clock.settle();
    assert.equal(turns, 5);
    assert.equal(clock.mono(), 0);
  });

  it("runs until idle, and says so when that never comes", async () => {
    const clock = new VirtualClock();
    let left = 100;
    const again = (): void => {
      left -= 1;
      if (left > 0) clock.after(1_000, again);
    };
    clock.after(1_000, again);
    await clock.runUntilIdle();
    assert.equal(clock.mono(), 100_000);
    const for_ever = (): void => {
      clock.after(1, for_ever);
    };
    clock.after(1, for_ever);
    await assert.rejects(clock.runUntilIdle(), { code: "ASSERTION_FAILED" });
  });

  it("hands on what a promise was rejected with", async () => {
    const clock = new VirtualClock();
    const late = new Promise((_, reject) => clock.after(1_000, () => reject(new Error("late"))));
    await assert.rejects(clock.runUntil(late), /late/u);
  });
});

describe("seededRandom", () => {
  it("repeats itself for a seed, and differs for another", () => {
    const draw = (seed: number): string => {
      const random = seededRandom(seed);
      const bytes = new Uint8Array(16);
      random.fill(bytes);
      return `${Buffer.from(bytes).toString("hex")} ${random.next()} ${random.next()}`;
    };
    assert.equal(draw(7), draw(7));
    assert.notEqual(draw(7), draw(8));
    const random = seededRandom(3);
    for (let turn = 0; turn < 1_000; turn += 1) {
      const value = random.next();
      assert.ok(value >= 0 && value < 1);
    }
  });
});
