/** Real processes on one SQLite file, every kind of fault at once, and the checker's verdict; `npm run chaos` does more. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type Exposure, WINDOWS } from "./exposure.ts";
import type { PlantedBug } from "./planted.ts";
import { type RoundResult, runRound } from "./round.ts";
import { roundsOf, type Wishes } from "./rounds.ts";

const wishes: Wishes = {
  ...{ store: "sqlite", seed: 42, smoke: true, minutes: null, faults: null, tasks: 200, kills: null },
  ...{ workers: 4, concurrency: null, lease: null, planted: null },
};

async function run(own: Partial<Wishes>): Promise<RoundResult> {
  const [options] = [...roundsOf({ ...wishes, ...own })];
  assert.ok(options !== undefined);
  const folder = mkdtempSync(join(tmpdir(), "sidereal-chaos-"));
  try {
    return await runRound(options, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function violations({ checks }: RoundResult): string[] {
  return checks.flatMap(({ id, violations }) => violations.map((text) => `${id}: ${text}`));
}

function met({ windows }: Exposure, name: keyof typeof WINDOWS): boolean {
  return (windows[WINDOWS[name]] ?? 0) > 0;
}

describe("chaos on SQLite", () => {
  it("holds every invariant under kills, stops, stalls, poison and impatient stops at once", async () => {
    const result = await run({});
    assert.deepEqual(violations(result), []);
    for (const window of ["handler", "effect", "finish", "enqueue"] as const)
      assert.ok(met(result.exposure, window), `no fault met the window "${WINDOWS[window]}"`);
  });
});

describe("chaos with a planted bug", () => {
  const planted: readonly (readonly [PlantedBug, string, readonly string[], string])[] = [
    ["finish-unguarded", "a finish without a token guard", ["stop"], "V"],
    ["reap-unguarded", "a recovery without a lease guard", ["kill"], "R"],
    ["ack-before-commit", "an enqueue acknowledged before it is stored", ["producer"], "L"],
  ];
  for (const [bug, title, faults, id] of planted) {
    it(`turns red for ${title}`, async () => {
      const result = await run({ planted: bug, faults, tasks: 100 });
      const check = result.checks.find((other) => other.id === id);
      assert.ok(check !== undefined && check.violations.length > 0, `check ${id} saw nothing`);
    });
  }
});
