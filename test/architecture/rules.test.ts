/** The architecture rules over the real sources. A violation names the file, the rule and what to do instead. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { exportSources } from "./exports.ts";
import { layerRules, packageOf } from "./layers.ts";
import { shapeRules } from "./shape.ts";
import { filesBelow, readTree, root } from "./source.ts";

const tree = readTree();
const entries = [...exportSources().values()];

describe("architecture", () => {
  it("has sources to look at", () => assert.ok(tree.length > 5));

  for (const { id, statement, check } of [...layerRules, ...shapeRules(entries)]) {
    it(`${id}: ${statement}`, () => {
      const violations = check(tree);
      assert.equal(violations.length, 0, `\n${violations.join("\n")}`);
    });
  }

  it("every relative import names a source that is there", () => {
    const paths = new Set(tree.map(({ path }) => path));
    const missing = tree.flatMap(({ path, imports }) =>
      imports
        .filter(({ target }) => target !== undefined && !paths.has(target))
        .map(({ specifier }) => `src/${path}: ${specifier}`),
    );
    assert.deepEqual(missing, []);
  });

  it("every package that is imported is declared, and every dependency is imported", () => {
    const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    const declared = new Set(Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }));
    const used = new Set(tree.flatMap(({ imports }) => imports.flatMap(({ specifier }) => packageOf(specifier) ?? [])));
    used.delete(manifest.name);
    assert.deepEqual(
      [...used].filter((name) => !declared.has(name)),
      [],
      "imported but not declared",
    );
    assert.deepEqual(
      [...declared].filter((name) => !used.has(name)),
      [],
      "declared but not imported",
    );
  });

  it("R2: contracts compile to nothing", () => {
    const emitted = filesBelow("build/src/contracts", (path) => path.endsWith(".js")).filter((path) =>
      existsSync(join(root, path.replace(/^build\//, "").replace(/\.js$/, ".ts"))),
    );
    assert.ok(emitted.length > 0, "nothing compiled in build/src/contracts");
    for (const path of emitted) {
      const code = readFileSync(join(root, path), "utf8").replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
      assert.equal(code.replaceAll("export {};", "").trim(), "", `${path} has runtime code`);
    }
  });
});
