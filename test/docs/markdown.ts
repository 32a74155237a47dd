/** Reads the Markdown that users read: which files there are, and the code blocks in them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { filesBelow, root } from "../architecture/source.ts";

export interface Snippet {
  /** The document, relative to the repository. */
  readonly document: string;
  /** The line of the document on which the code starts, from 1. */
  readonly line: number;
  readonly language: "ts" | "js";
  /** The file the snippet says it is, from a first line such as `// app.ts`. */
  readonly name: string | undefined;
  readonly code: string;
  /** How many lines of `code` stand before the document's own. */
  readonly preludeLines: number;
}

/** The README and every document of docs/, relative to the repository. */
export function userDocuments(): string[] {
  return [...filesBelow("docs", (path) => path.endsWith(".md")), "README.md"];
}

export function readDocument(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/**
 * The code blocks tagged ts or js. A comment `<!-- prelude … -->` right above a block declares what the reader knows
 * from the text around it; it is compiled in front of the block.
 */
export function snippetsOf(document: string, text: string): Snippet[] {
  const block =
    /(?:<!-- prelude\n([\s\S]*?)-->\s*\n)?^([ \t]*)```(ts|typescript|js|javascript|mjs)\b.*\n([\s\S]*?)^[ \t]*```/gm;
  return [...text.matchAll(block)].map((match) => {
    const [whole, prelude = "", indent = "", tag = "", body = ""] = match;
    const code = body.replaceAll(new RegExp(`^${indent}`, "gm"), "");
    const offset = match.index + whole.lastIndexOf(body);
    return {
      document,
      line: text.slice(0, offset).split("\n").length,
      language: tag.startsWith("t") ? "ts" : "js",
      name: /^\/\/ ([\w./-]+\.[mc]?[jt]s)\b/.exec(code)?.[1],
      code: prelude + code,
      preludeLines: prelude.split("\n").length - 1,
    };
  });
}
