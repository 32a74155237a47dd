/**
 * Reads a tree of TypeScript sources as the architecture rules see it: the text, the text without comments, the text
 * without comments and strings, and the imports. A small scanner of our own, so that the rules need no parser.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

export interface Import {
  readonly specifier: string;
  /** Path of the imported source below `src`, when the import is relative. */
  readonly target: string | undefined;
  readonly typeOnly: boolean;
  readonly kind: "import" | "export" | "dynamic";
}

export interface Source {
  /** Path below `src`, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** The text with every comment blanked; lines keep their numbers. */
  readonly code: string;
  /** `code` with the content of every string, template and regular expression blanked as well. */
  readonly bare: string;
  readonly imports: readonly Import[];
}

export type Tree = readonly Source[];

/** The folder of the repository, wherever this file was compiled to. */
export const root: string = findRoot(dirname(fileURLToPath(import.meta.url)));

function findRoot(folder: string): string {
  try {
    if (JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).name === "sidereal") return folder;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  return findRoot(dirname(folder));
}

/** Every file below a folder of the repository whose path passes the filter, relative to the repository, sorted. */
export function filesBelow(folder: string, wanted: (path: string) => boolean): string[] {
  let entries: string[];
  try {
    entries = readdirSync(join(root, folder), { recursive: true }) as string[];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  return entries
    .map((entry) =>
      relative(root, join(root, folder, entry))
        .split(sep)
        .join("/"),
    )
    .filter((path) => !path.includes("node_modules/") && wanted(path))
    .sort();
}

/** The sources below `src`. */
export function readTree(): Tree {
  const paths = filesBelow("src", (path) => path.endsWith(".ts") && !path.endsWith(".d.ts"));
  return paths.map((path) => parseSource(path.slice("src/".length), readFileSync(join(root, path), "utf8")));
}

export function parseSource(path: string, text: string): Source {
  const { code, bare } = blank(text);
  return { path, text, code, bare, imports: readImports(path, code) };
}

/** The line of an offset, counted from 1. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

const clause = String.raw`(type\s+)?(?:[\w$*{}\s,]+?)\s*from\s*`;
const patterns: readonly { readonly kind: Import["kind"]; readonly pattern: RegExp }[] = [
  { kind: "import", pattern: new RegExp(String.raw`^[ \t]*import\s+(?:${clause})?["']([^"']+)["']`, "gm") },
  { kind: "export", pattern: /^[ \t]*export\s+(type\s+)?(?:\*(?:\s+as\s+\w+)?|\{[^}]*\})\s*from\s*["']([^"']+)["']/gm },
  { kind: "dynamic", pattern: /((?:typeof|[:<|&=]|\bextends)\s*)?\bimport\(\s*["']([^"']+)["']\s*\)/g },
];

function readImports(path: string, code: string): Import[] {
  const found: Import[] = [];
  for (const { kind, pattern } of patterns) {
    for (const match of code.matchAll(pattern)) {
      const specifier = match[2] ?? "";
      const after = code.slice(match.index + match[0].length);
      // `= import("x")` is a load, `type T = import("x").Name` is a type.
      const typeOnly =
        kind === "dynamic" ? match[1] !== undefined && /^(?!\.then)\.[A-Za-z]|^>|^;/.test(after) : !!match[1];
      found.push({ specifier, target: resolve(path, specifier), typeOnly, kind });
    }
  }
  return found;
}

function resolve(from: string, specifier: string): string | undefined {
  return specifier.startsWith(".") ? posix.join(posix.dirname(from), specifier) : undefined;
}

/** Blanks comments (`code`) and also the content of literals (`bare`). */
function blank(text: string): { code: string; bare: string } {
  let code = "";
  let bare = "";
  const braces: boolean[] = []; // open braces; true for the `${` of a template
  let index = 0;
  const skip = (part: string): string => part.replaceAll(/[^\n]/g, " ");
  const take = (length: number, keep: "all" | "code" | "none"): void => {
    const part = text.slice(index, index + length);
    code += keep === "none" ? skip(part) : part;
    bare += keep === "all" ? part : skip(part);
    index += length;
  };
  const takeMatch = (pattern: RegExp, keep: "code" | "none"): void => {
    pattern.lastIndex = index;
    take(pattern.exec(text)?.[0].length ?? 1, keep);
  };
  const template = (): void => {
    takeMatch(/(?:[^`\\$]|\\[\s\S]|\$(?!\{))*/y, "code");
    if (text.startsWith("${", index)) {
      braces.push(true);
      take(2, "all");
    } else take(1, "all");
  };
  while (index < text.length) {
    const char = text[index];
    if (text.startsWith("//", index) || (index === 0 && text.startsWith("#!"))) takeMatch(/.*/y, "none");
    else if (text.startsWith("/*", index)) takeMatch(/\/\*[\s\S]*?\*\//y, "none");
    else if (char === '"' || char === "'") {
      take(1, "all");
      takeMatch(char === '"' ? /(?:[^"\\\n]|\\[\s\S])*/y : /(?:[^'\\\n]|\\[\s\S])*/y, "code");
      take(1, "all");
    } else if (char === "`") {
      take(1, "all");
      template();
    } else if (char === "/" && /(?:^|[(,=:[!&|?{};+]|=>|\breturn|\btypeof|\bcase)\s*$/.test(bare.slice(-40))) {
      takeMatch(/\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y, "code");
    } else if (char === "{") {
      braces.push(false);
      take(1, "all");
    } else if (char === "}" && braces.pop()) {
      take(1, "all");
      template();
    } else take(1, "all");
  }
  return { code, bare };
}
