/** R7, R8 and the house rules that a program can check: sizes, openings, banned words, globals of the host. */
import { folderOf, occurrences, type Rule } from "./layers.ts";
import { lineAt, type Source, type Tree } from "./source.ts";

const hostGlobals =
  /\bDate\.now\b|\bnew Date\(\s*\)|\bMath\.random\b|\bcrypto\.(?:randomUUID|getRandomValues)\b|\bprocess\.hrtime\b|\bperformance\.\w+|(?<![.\w#])(?:setTimeout|setInterval|setImmediate)\b|\bAbortSignal\.timeout\b|\brandomUUID\b|\brandomBytes\b/g;

const longestFile = 400;

/** The rules; `entries` are the sources behind package.json's exports, which alone may re-export. */
export function shapeRules(entries: readonly string[]): readonly Rule[] {
  return [
    {
      id: "R7",
      statement: "records change only through model/lifecycle.ts",
      check: (tree) => tree.filter(({ path }) => path !== "model/lifecycle.ts").flatMap(changedRecords),
    },
    {
      id: "R8",
      statement: "one barrel per export, no others, and no import cycles",
      check: (tree) => [...barrels(tree, entries), ...cycles(tree)],
    },
    {
      id: "globals",
      statement: "clock, timers and randomness are read in host only",
      check: (tree) =>
        occurrences(
          tree,
          (path) => folderOf(path) !== "host",
          "bare",
          hostGlobals,
          "take the injected Clock or Random",
        ),
    },
    {
      id: "size",
      statement: `no file is longer than ${longestFile} lines`,
      check: (tree) =>
        tree.flatMap(({ path, text }) => {
          const lines = text.split("\n").length - 1;
          return lines > longestFile ? [`src/${path} has ${lines} lines: split it by what its parts are for`] : [];
        }),
    },
    {
      id: "opening",
      statement: "a file opens with a comment that says what it is for",
      check: (tree) =>
        tree
          .filter(({ text }) => !/^(?:#!.*\n)?\s*(?:\/\/|\/\*)/.test(text))
          .map(({ path }) => `src/${path} does not open with a comment that says what it is for`),
    },
    {
      id: "words",
      statement: "no marks of unfinished work, no exactly-once promise, no catch-all file names",
      check: (tree) =>
        tree.flatMap(({ path, text }) => [
          ...[...text.matchAll(/\b(?:TODO|FIXME|XXX|HACK)\b|exactly[- ]once/gi)].map(
            (match) => `src/${path}:${lineAt(text, match.index)} says "${match[0]}"`,
          ),
          ...(/(?:^|[/-])(?:utils?|helpers?|manager|engine|misc|common)\b/.test(path)
            ? [`src/${path}: name it by what it is for`]
            : []),
        ]),
    },
  ];
}

/** Object literals that spread something and set `state` or `version`, and assignments to a record's own fields. */
function changedRecords({ path, text, bare }: Source): string[] {
  const offsets = [...bare.matchAll(/\brecord\.(?:state|version|claim|attempt)\s*(?:[-+*]?=(?![=>])|\+\+)/g)].map(
    ({ index }) => index,
  );
  for (const { index } of bare.matchAll(/\{/g)) {
    const own = ownText(bare, index);
    if (/(?:^|,)\s*\.\.\./.test(own) && /(?:^|,)\s*(?:state|version)\s*(?:[:,]|$)/.test(own)) offsets.push(index);
  }
  return offsets.map(
    (offset) => `src/${path}:${lineAt(text, offset)} makes a next record: only model/lifecycle.ts does`,
  );
}

/** The text between a brace and its partner, with everything nested in brackets left out. */
function ownText(bare: string, open: number): string {
  let depth = 0;
  let own = "";
  for (let index = open; index < bare.length; index++) {
    const char = bare[index] ?? "";
    if ("([{".includes(char)) depth++;
    else if (")]}".includes(char)) {
      depth--;
      if (depth === 0) break;
    } else if (depth === 1) own += char;
  }
  return own.trim();
}

function barrels(tree: Tree, entries: readonly string[]): string[] {
  return tree
    .filter(({ path, imports }) => imports.some(({ kind }) => kind === "export") && !entries.includes(path))
    .map(({ path }) => `src/${path} re-exports: only the files behind package.json's exports may`);
}

/** Import cycles, type imports included, each once. */
function cycles(tree: Tree): string[] {
  const next = new Map(
    tree.map(({ path, imports }) => [path, imports.flatMap(({ target }) => (target === undefined ? [] : [target]))]),
  );
  const finished = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const seen = trail.indexOf(path);
    if (seen >= 0) {
      found.push(`import cycle: ${[...trail.slice(seen), path].map((name) => `src/${name}`).join(" → ")}`);
      return;
    }
    if (finished.has(path)) return;
    for (const target of next.get(path) ?? []) visit(target, [...trail, path]);
    finished.add(path);
  };
  for (const { path } of tree) visit(path, []);
  return found;
}
