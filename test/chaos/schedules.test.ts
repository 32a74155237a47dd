/** Schedules under `kill -9`, on a real file and real time; `npm run chaos -- --schedules` runs 300 seconds of it. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { scheduleChaos } from "./schedules.ts";

it("every instant has one record, although the processes that make them are killed", async () => {
  const { ticks, kills, violations } = await scheduleChaos({ ticks: 60, interval: 100, processes: 4, seed: 42 });
  assert.deepEqual(violations, []);
  assert.ok(ticks >= 60 && kills >= 10, `${ticks} ticks, ${kills} kills`);
});
