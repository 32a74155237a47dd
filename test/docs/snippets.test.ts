/**
 * Every ts and js block of the README and docs/ compiles against the built types, as a reader would paste it: strict
 * TypeScript, package imports through package.json's exports. Blocks of one document that name themselves
 * (`// app.ts` on the first line) see each other.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, it } from "node:test";
import { root } from "../architecture/source.ts";
import { readDocument, type Snippet, snippetsOf, userDocuments } from "./markdown.ts";

const options = {
  noEmit: true,
  noUnusedLocals: false,
  allowJs: true,
  checkJs: true,
  allowImportingTsExtensions: true,
  rewriteRelativeImportExtensions: false,
  paths: {},
};

/** Writes the snippets below a folder and answers which snippet each file is. */
function writeSnippets(folder: string, snippets: readonly Snippet[]): Map<string, Snippet> {
  const written = new Map<string, Snippet>();
  let named = new Map<string, string>();
  let generation = 0;
  for (const [index, snippet] of snippets.entries()) {
    const name = snippet.name ?? `block-${index + 1}.${snippet.language === "ts" ? "ts" : "mjs"}`;
    // A second version of the same file starts a folder of its own, beside copies of the other files.
    if (named.has(name)) {
      generation++;
      named = new Map([...named].filter(([other]) => other !== name));
      for (const [other, code] of named) write(join(folder, String(generation), other), code);
    }
    named.set(name, snippet.code);
    const path = join(folder, String(generation), name);
    write(path, snippet.code);
    written.set(path, snippet);
  }
  return written;
}

function write(path: string, code: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, code);
}

/** What the compiler says, with every place given as the line of the document. */
function compile(folder: string, language: "ts" | "js", written: ReadonlyMap<string, Snippet>): string {
  const config = join(folder, `tsconfig.${language}.json`);
  const strict = language === "ts";
  const include = strict ? ["**/*.ts", "**/*.mts"] : ["**/*.js", "**/*.mjs"];
  const loose = { noImplicitAny: false, exactOptionalPropertyTypes: false };
  const compilerOptions = { ...options, ...(strict ? {} : loose) };
  writeFileSync(config, JSON.stringify({ extends: "../../tsconfig.base.json", compilerOptions, include }));
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const { stdout, stderr } = spawnSync(process.execPath, [compiler, "-p", config, "--pretty", "false"], {
    cwd: root,
    encoding: "utf8",
  });
  return `${stdout}${stderr}`.replaceAll(
    /^(\S+?)\((\d+),(\d+)\)/gm,
    (place, path: string, line: string, column: string) => {
      const snippet = written.get(join(root, path));
      if (snippet === undefined) return place;
      return `${snippet.document}:${snippet.line + Number(line) - 1 - snippet.preludeLines}:${column}`;
    },
  );
}

describe("code in the documents", () => {
  const documents = userDocuments().filter((path) => existsSync(join(root, path)));

  it("is read from a README that is there", () => assert.ok(documents.includes("README.md"), "README.md is missing"));

  it("compiles against the built package", () => {
    assert.ok(existsSync(join(root, "dist/index.d.ts")), "dist/ is missing: npm run build");
    mkdirSync(join(root, "build"), { recursive: true });
    const folder = mkdtempSync(join(root, "build/snippets-"));
    try {
      const written = new Map<string, Snippet>();
      for (const document of documents) {
        const below = join(folder, relative(root, join(root, document)).replaceAll(/[^\w]/g, "-"));
        const snippets = snippetsOf(document, readDocument(document));
        for (const [path, snippet] of writeSnippets(below, snippets)) written.set(path, snippet);
      }
      const languages = (["ts", "js"] as const).filter((language) =>
        [...written.values()].some((snippet) => snippet.language === language),
      );
      const complaints = languages.map((language) => compile(folder, language, written)).join("");
      assert.equal(complaints, "", `\n${complaints}`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe("reading code blocks", () => {
  it("finds tagged blocks, their lines, names and preludes", () => {
    const text = [
      "# a",
      "",
      "<!-- prelude",
      "declare const x: number;",
      "-->",
      "",
      "```ts",
      "// app.ts",
      "x;",
      "```",
      "",
      "```sh",
      "ls",
      "```",
    ];
    const found = snippetsOf("a.md", text.join("\n"));
    assert.equal(found.length, 1);
    assert.equal(found[0]?.line, 8);
    assert.equal(found[0]?.name, "app.ts");
    assert.equal(found[0]?.code, "declare const x: number;\n// app.ts\nx;\n");
  });
});
