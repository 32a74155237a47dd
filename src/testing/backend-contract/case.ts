/** A test of the suite as data, so that any runner can run it; `index.ts` hands them to `node:test`. */
import assert from "node:assert/strict";
import type { ErrorCode } from "../../model/errors.ts";
import type { Invariant } from "./invariants.ts";
import type { Capabilities, ContractOptions } from "./options.ts";
import { Stage } from "./stage.ts";

/** One test of the suite. */
export interface ContractCase {
  /** What is exercised: an operation, or what several of them promise together. */
  readonly group: string;
  /** What holds; unique in the suite. */
  readonly name: string;
  readonly guards: readonly Invariant[];
  /** What a store must be able to do for this test to make sense. */
  readonly needs: readonly (keyof Capabilities)[];
  readonly run: (stage: Stage) => Promise<void>;
  /** The test opens the store itself. */
  readonly closed?: true;
}

/** Collects the tests of one group in the order they are written. */
export class Group {
  readonly cases: ContractCase[] = [];
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  /** Adds a test that guards these invariants (`"I4 I5"`). */
  holds(guards: string, name: string, run: ContractCase["run"], more: Partial<ContractCase> = {}): void {
    const invariants = guards.split(" ").filter((guard) => guard !== "") as Invariant[];
    this.cases.push({ group: this.#name, name, guards: invariants, needs: [], run, ...more });
  }
}

/** Why a test is left out for this store; undefined: it runs. */
export function skipReason<Tx>(test: ContractCase, options: ContractOptions<Tx>): string | undefined {
  const missing = test.needs.filter((need) => !options.capabilities[need]);
  if (missing.length > 0) return `the store declares: no ${missing.join(", no ")}`;
  return options.skip?.[test.name];
}

/** Runs one test on an empty store of its own. */
export async function runCase<Tx>(test: ContractCase, options: ContractOptions<Tx>): Promise<void> {
  const stage = await Stage.set(options);
  try {
    if (!test.closed) await stage.store.open();
    await test.run(stage);
  } finally {
    await stage.strike();
  }
}

/** Fails unless the call is refused with this code; the class of the error does not matter, packages may be loaded twice. */
export async function refuses(code: ErrorCode, what: string, call: () => Promise<unknown>): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.equal((error as { code?: unknown } | null)?.code, code, `${what} is refused with ${code}, not ${error}`);
    return true;
  });
}
