/** The contract suite can fail: it is green for the memory store, and red for each copy of it with a bug planted. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { memory } from "../../src/backends/memory/index.ts";
import {
  type ContractOptions,
  contractCases,
  INVARIANTS,
  runCase,
  skipReason,
  walkInLockstep,
} from "../../src/testing/backend-contract/index.ts";
import { plantedBugs } from "./planted/bugs.ts";
import { loadMutant } from "./planted/mutate.ts";

const WALKS = 40;

let folder = "";
let copies = 0;

function optionsOf(make: typeof memory): ContractOptions {
  return {
    name: "memory",
    capabilities: { signals: true, shared: false, transactions: false, clock: true },
    patience: 200,
    make: async (clock) => ({ backend: make({ clock }), dispose: async () => {} }),
  };
}

async function copyOf(file: string, edits: readonly (readonly [string, string])[]): Promise<ContractOptions> {
  copies += 1;
  return optionsOf(await loadMutant(join(folder, `${copies}`), file, edits));
}

/** The first test that fails. */
async function redCase(options: ContractOptions): Promise<string | undefined> {
  for (const test of contractCases.filter((one) => skipReason(one, options) === undefined)) {
    const fails = await runCase(test, options).then(
      () => false,
      () => true,
    );
    if (fails) return test.name;
  }
  return undefined;
}

/** The first seed whose walk fails. */
async function redSeed(options: ContractOptions): Promise<number | undefined> {
  for (let seed = 1; seed <= WALKS; seed += 1) {
    const fails = await walkInLockstep(options, seed).then(
      () => false,
      () => true,
    );
    if (fails) return seed;
  }
  return undefined;
}

describe("planted bugs", () => {
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "sidereal-planted-"));
  });
  after(async () => rm(folder, { recursive: true, force: true }));

  it("every test has a name of its own", () => {
    assert.equal(new Set(contractCases.map(({ name }) => name)).size, contractCases.length);
  });

  it("every test guards invariants that there are", () => {
    const guarded = new Set(contractCases.flatMap(({ guards }) => guards));
    assert.deepEqual(
      [...guarded].filter((id) => !(id in INVARIANTS)),
      [],
    );
  });

  it("nothing is red without a bug", async () => {
    const options = await copyOf("backends/memory/index.js", []);
    assert.equal(await redCase(options), undefined);
    assert.equal(await redSeed(options), undefined);
  });

  for (const { what, file, edits, walkBlind } of plantedBugs) {
    it(`caught: ${what}`, async (t) => {
      const options = await copyOf(file, edits);
      const red = await redCase(options);
      assert.ok(red, "a test of the suite turns red");
      t.diagnostic(`by: ${red}`);
      if (walkBlind === undefined) assert.ok(await redSeed(options), `a walk turns red within ${WALKS} seeds`);
    });
  }
});
