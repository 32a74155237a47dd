/** The documents against the code: error codes, changelog head, links, words that must not be promised. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { ERROR_CODES } from "../../src/model/errors.ts";
import { root } from "../architecture/source.ts";
import { readDocument, userDocuments } from "./markdown.ts";

const every = ["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", ...userDocuments()];

describe("documents", () => {
  for (const path of every) {
    it(`${path} is there`, () => assert.ok(existsSync(join(root, path)), `${path} is missing`));
  }

  const present = every.filter((path) => existsSync(join(root, path)));

  it("the changelog's first heading is Unreleased", () => {
    const first = /^## .*$/m.exec(readDocument("CHANGELOG.md"))?.[0];
    assert.equal(first, "## Unreleased");
  });

  it("docs/errors.md lists exactly the codes of the table", () => {
    const listed = [
      ...readDocument("docs/errors.md").matchAll(/^(?:\|\s*|#{2,4}\s+)`?([A-Z][A-Z0-9_]+)`?(?=\s*(?:\||$))/gm),
    ];
    const codes = listed.map((match) => match[1] ?? "");
    assert.deepEqual(
      codes.filter((code, index) => codes.indexOf(code) !== index),
      [],
      "listed twice",
    );
    assert.deepEqual([...codes].sort(), Object.keys(ERROR_CODES).sort());
  });

  it("local links lead somewhere", () => {
    const broken = present.flatMap((path) =>
      [...readDocument(path).matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)\s]*)?\)/g)]
        .filter((match) => !existsSync(join(root, dirname(path), match[1] ?? "")))
        .map((match) => `${path}: ${match[1]}`),
    );
    assert.deepEqual(broken, []);
  });

  it("nothing promises exactly-once, and nothing is left to do", () => {
    const words = /exactly[- ]once|\bTODO\b|\bFIXME\b/gi;
    const found = present.flatMap((path) =>
      [...readDocument(path).matchAll(words)].map((match) => `${path}: ${match[0]}`),
    );
    assert.deepEqual(found, []);
  });

  it("the lock files name no registry", () => {
    for (const path of ["package-lock.json", "test/runtimes/package-lock.json"]) {
      assert.doesNotMatch(readDocument(path), /"resolved"/, path);
    }
  });
});
