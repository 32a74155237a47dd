/** A rule that cannot fail proves nothing: each rule is shown a small tree that breaks it, and one that does not. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { layerRules } from "./layers.ts";
import { shapeRules } from "./shape.ts";
import { parseSource } from "./source.ts";

const rules = new Map([...layerRules, ...shapeRules(["index.ts"])].map((rule) => [rule.id, rule]));

type Files = Readonly<Record<string, string>>;

function violations(id: string, files: Files): string[] {
  const rule = rules.get(id);
  assert.ok(rule, `no rule ${id}`);
  return rule.check(Object.entries(files).map(([path, text]) => parseSource(path, text)));
}

const broken: readonly (readonly [id: string, what: string, files: Files])[] = [
  ["R1", "a node: import", { "model/a.ts": 'import { hash } from "node:crypto";' }],
  ["R1", "a type import of a contract", { "model/a.ts": 'import type { Clock } from "../contracts/clock.ts";' }],
  ["R1", "the clock", { "model/a.ts": "export const a = () => Date.now();" }],
  ["R1", "the environment", { "model/a.ts": "export const a = process.env.HOME;" }],
  ["R2", "a value import", { "contracts/a.ts": 'import { a } from "../model/a.ts";' }],
  ["R2", "a constant", { "contracts/a.ts": "export const a = 1;" }],
  ["R3", "an import of a backend", { "core/a.ts": 'import { memory } from "../backends/memory/index.ts";' }],
  ["R3", "a dynamic import", { "core/a.ts": 'export const a = () => import("../web/fastify.ts");' }],
  ["R3", "the name of a store", { "core/a.ts": 'export const a = (name: string) => name === "postgres";' }],
  ["R4", "an import of core", { "backends/sqlite/a.ts": 'import { a } from "../../core/a.ts";' }],
  ["R4", "an import of a sibling", { "backends/sqlite/a.ts": 'import type { A } from "../memory/a.ts";' }],
  ["R5", "a package in two folders", { "cli/a.ts": 'import "jiti";', "core/modules.ts": 'import { a } from "jiti";' }],
  ["R5", "an optional package in core", { "core/modules.ts": 'const a = await import("fastify");' }],
  ["R5", "a package in core", { "core/a.ts": 'import { glob } from "tinyglobby";' }],
  ["R5", "another file's package in core", { "core/modules.ts": 'import { Cron } from "croner";' }],
  ["R6", "a private door", { "cli/a.ts": 'import type { Worker } from "../core/worker.ts";' }],
  ["R6", "a neighbour", { "web/a.ts": 'import { load } from "../cli/load.ts";' }],
  ["R6", "an import of the command line", { "index.ts": 'export { main } from "./cli/index.ts";' }],
  [
    "R7",
    "a spread record",
    { "core/a.ts": 'export const a = (r: R) => ({ ...r, tags: [{ a: 1 }], state: "failed" });' },
  ],
  ["R7", "a bumped version", { "core/a.ts": "export const a = (r: R) => ({ ...r, version: r.version + 1 });" }],
  ["R7", "an assignment", { "core/a.ts": 'record.state = "failed";' }],
  ["R8", "a barrel", { "core/index.ts": 'export * from "./a.ts";' }],
  ["R8", "a cycle", { "core/a.ts": 'import type { B } from "./b.ts";', "core/b.ts": 'import { a } from "./a.ts";' }],
  ["globals", "a timer", { "core/a.ts": "setTimeout(() => {}, 1);" }],
  ["globals", "the clock in a template", { "core/a.ts": "export const a = `${Date.now()}`;" }],
  ["globals", "a hidden timer", { "web/a.ts": "const signal = AbortSignal.timeout(5);" }],
  ["size", "a long file", { "core/a.ts": "\n".repeat(401) }],
  ["opening", "no opening comment", { "core/a.ts": "export const a = 1;" }],
  ["words", "unfinished work", { "core/a.ts": `// ${"TO"}${"DO"}: later` }],
  ["words", "a catch-all name", { "core/utils.ts": "" }],
];

const sound: readonly (readonly [id: string, what: string, files: Files])[] = [
  [
    "R1",
    "a date from a number",
    { "model/a.ts": "// Date.now() is not read here\nexport const a = (t: number) => new Date(t);" },
  ],
  [
    "R2",
    "interfaces and type re-exports",
    { "contracts/a.ts": 'import type { A } from "../model/a.ts";\nexport interface B extends A {}' },
  ],
  ["R3", "the name in a comment", { "core/a.ts": "/* unlike postgres */ export const expressed = /a'b/;" }],
  ["R5", "types elsewhere", { "cli/a.ts": 'import "jiti";', "core/a.ts": 'import type { Jiti } from "jiti";' }],
  ["R5", "a type-level import", { "cli/a.ts": 'import "jiti";', "core/a.ts": 'type A = import("jiti").Jiti;' }],
  ["R7", "an unrelated spread", { "core/a.ts": "const a = { ...b, name: 1 }; const c = { state: 1, d: { ...e } };" }],
  ["R8", "the public face", { "index.ts": 'export { a } from "./core/a.ts";', "core/a.ts": "export const a = 1;" }],
  [
    "globals",
    "names that only look alike",
    { "core/a.ts": 'clock.setTimeout(5); const a = "setTimeout"; this.#setInterval(1);' },
  ],
];

describe("architecture rules find what is planted", () => {
  for (const [id, what, files] of broken) {
    it(`${id}: ${what}`, () => assert.notEqual(violations(id, files).length, 0));
  }
  for (const [id, what, files] of sound) {
    it(`${id} lets pass: ${what}`, () => assert.deepEqual(violations(id, files), []));
  }
  it("every rule is shown a violation", () => {
    assert.deepEqual([...new Set(broken.map(([id]) => id))].sort(), [...rules.keys()].sort());
  });
});
