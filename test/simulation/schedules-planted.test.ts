/** The simulation of schedules can fail: each planted bug of a scheduler turns it red. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { firstRed } from "./planted/plant.ts";
import { scheduleBugs } from "./planted/schedule-bugs.ts";

/** Below the build folder, where the copies find the installed packages. */
const below = fileURLToPath(new URL("../../planted/", import.meta.url));
const SEEDS = 8;
const GREEN = 2;

describe("planted bugs of schedulers", { concurrency: 2 }, () => {
  let folder = "";
  before(async () => {
    await mkdir(below, { recursive: true });
    folder = await mkdtemp(join(below, "schedule-"));
  });
  after(async () => rm(folder, { recursive: true, force: true }));

  for (const [index, bug] of scheduleBugs.entries()) {
    const green = bug.by.length === 0;
    it(green ? bug.what : `caught: ${bug.what}`, async (t) => {
      const red = await firstRed(join(folder, String(index)), bug, green ? GREEN : SEEDS, ["--schedules"]);
      if (green) {
        assert.equal(red, null);
        return;
      }
      assert.ok(red, `one of ${SEEDS} seeds turns red`);
      t.diagnostic(`seed ${red.seed}, ${red.invariant}`);
      assert.ok(bug.by.includes(red.invariant), `seed ${red.seed} is red by ${red.invariant}, not by ${bug.by}`);
    });
  }
});
