/** Eight schedulers, killed at random: over 10,000 ticks none doubles and none is lost; and a seed repeats itself. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { simulateSchedules } from "./schedules.ts";

const SEEDS = 4;
const TICKS = 10_000;

it(`seeds 1 to ${SEEDS} are green, and were really hit`, async () => {
  const sums = new Map<string, number>();
  let ticks = 0;
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { violations, history, checks, faults, records } = await simulateSchedules(seed);
    const found = violations.map(({ invariant, message }) => `${invariant}: ${message}`);
    const replay = `replay: npm run simulate -- --schedules --seed ${seed} --trace`;
    assert.equal(violations.length, 0, [`seed ${seed}`, ...found, ...history, replay].join("\n"));
    ticks += records;
    for (const [name, count] of [...checks, ...faults]) sums.set(name, (sums.get(name) ?? 0) + count);
  }
  assert.ok(ticks >= TICKS, `${ticks} ticks`);
  const often = ["I11", "tick-id", "guard", "cursor", "count", "early", "timetable", "jitter", "overlap"];
  for (const name of often) assert.ok((sums.get(name) ?? 0) >= 1_000, `${name} was checked ${sums.get(name)} times`);
  for (const name of ["lost", "limit", "liveness", "stored"]) assert.ok((sums.get(name) ?? 0) >= SEEDS, name);
  for (const [fault, least] of [
    ["kill", 100],
    ["pause", 50],
    ["blackout", 4],
    ["request lost", 500],
    ["reply lost", 500],
    ["hang", 50],
    ["duplicate", 500],
    ["a step came too late", 500],
  ] as const) {
    assert.ok((sums.get(fault) ?? 0) >= least, `${fault} happened ${sums.get(fault)} times`);
  }
});

it("a seed leaves the same trace each time", async () => {
  const [one, two, other] = [
    await simulateSchedules(7, { span: 30_000 }),
    await simulateSchedules(7, { span: 30_000 }),
    await simulateSchedules(8, { span: 30_000 }),
  ];
  assert.equal(one.hash, two.hash);
  assert.notEqual(one.hash, other.hash);
});
