/**
 * R1–R6 of ARCHITECTURE.md as functions over the import graph. Each answers the violations it finds, as sentences, so
 * that the same function can be turned loose on the real tree and on a planted violation.
 */
import { type Import, lineAt, type Source, type Tree } from "./source.ts";

export interface Rule {
  readonly id: string;
  readonly statement: string;
  check(tree: Tree): string[];
}

/** `backends/sqlite`, `core`, …; a file at the top of `src` is a folder of its own. */
export function folderOf(path: string): string {
  const parts = path.split("/");
  return parts[0] === "backends" && parts.length > 2 ? `backends/${parts[1]}` : (parts[0] ?? path);
}

/** The npm package of a specifier; undefined for relative and `node:` ones. */
export function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith(".") || specifier.startsWith("node:")) return undefined;
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : parts[0];
}

function imports(
  tree: Tree,
  of: (path: string) => boolean,
  bad: (entry: Import, source: Source) => boolean,
  why: string,
): string[] {
  return tree
    .filter(({ path }) => of(path))
    .flatMap((source) =>
      source.imports
        .filter((entry) => bad(entry, source))
        .map(({ specifier }) => `src/${source.path} imports "${specifier}": ${why}`),
    );
}

/** Sentences for every match of a pattern in the sources of some folders. */
export function occurrences(
  tree: Tree,
  of: (path: string) => boolean,
  text: "code" | "bare",
  pattern: RegExp,
  why: string,
): string[] {
  return tree
    .filter(({ path }) => of(path))
    .flatMap((source) =>
      [...source[text].matchAll(pattern)].map(
        (match) => `src/${source.path}:${lineAt(source.text, match.index)} has "${match[0].trim()}": ${why}`,
      ),
    );
}

const inside =
  (...folders: string[]) =>
  (path: string) =>
    folders.includes(folderOf(path));
const isDriver = (path: string): boolean => path.startsWith("backends/");
const targetIn = ({ target }: Import, ...folders: string[]): boolean =>
  target !== undefined && folders.includes(folderOf(target));

const bannedWords =
  /sqlite|postgres|mysql|mariadb|redis|valkey|fastify|nestjs|rabbitmq|\bhono\b|\bexpress\b|\bkafka\b|\bamqp\w*|\bnats\b|cloud ?run/gi;

/** Packages that a user may leave out: the peers. */
export const optionalPackages: readonly string[] = ["fastify", "@photostructure/sqlite", "pg", "mysql2"];

/** The packages that core loads, by the one file that does. */
const coreLoaders: ReadonlyMap<string, readonly string[]> = new Map([
  ["core/modules.ts", ["tinyglobby"]],
  ["core/cron.ts", ["croner"]],
]);

/** Imported as types nearly everywhere, loaded nowhere. */
const publicFace = ["index.ts", "sidereal.ts"];

export const layerRules: readonly Rule[] = [
  {
    id: "R1",
    statement: "model imports only model, and reads no clock, randomness, environment or logger",
    check: (tree) => [
      ...imports(tree, inside("model"), (entry) => !targetIn(entry, "model"), "model imports only model"),
      ...occurrences(
        tree,
        inside("model"),
        "bare",
        /\b(?:Date\.now|new Date\(\s*\)|Math\.random|process|console|crypto|performance|setTimeout|setInterval|setImmediate|fetch)\b/g,
        "model is pure; the value comes in as an argument",
      ),
    ],
  },
  {
    id: "R2",
    statement: "contracts has types and prose only",
    check: (tree) => [
      ...imports(tree, inside("contracts"), (entry) => !entry.typeOnly, "contracts imports types only"),
      ...imports(
        tree,
        inside("contracts"),
        (entry) => !targetIn(entry, "contracts", "model"),
        "contracts knows model and contracts",
      ),
      ...occurrences(
        tree,
        inside("contracts"),
        "bare",
        /^export\s+(?:default|const|let|var|function|async|class|abstract|\{)/gm,
        "contracts exports types only",
      ),
    ],
  },
  {
    id: "R3",
    statement: "core knows contracts and model, and names no store, runner, transport or framework",
    check: (tree) => [
      ...imports(
        tree,
        inside("core"),
        (entry) => entry.target !== undefined && !targetIn(entry, "core", "contracts", "model"),
        "core imports only core, contracts and model",
      ),
      ...occurrences(tree, inside("core"), "code", bannedWords, "core asks only whether an optional member is present"),
    ],
  },
  {
    id: "R4",
    statement: "a backend imports contracts, model, host, itself and backends/sql; never core, never a sibling",
    check: (tree) =>
      imports(
        tree,
        isDriver,
        (entry, { path }) =>
          entry.target !== undefined && !targetIn(entry, "contracts", "model", "host", "backends/sql", folderOf(path)),
        "a backend imports contracts, model, host, itself and backends/sql",
      ),
  },
  {
    id: "R5",
    statement: "each npm package is loaded in exactly one folder; model, contracts and core load no optional one",
    check: (tree) => [
      ...loadedTwice(tree),
      ...imports(
        tree,
        inside("model", "contracts", "core"),
        (entry) => !entry.typeOnly && optionalPackages.includes(packageOf(entry.specifier) ?? ""),
        "an optional package",
      ),
      ...imports(
        tree,
        inside("model", "contracts", "core"),
        ({ specifier, typeOnly }, { path }) => {
          const name = packageOf(specifier);
          return !typeOnly && name !== undefined && !coreLoaders.get(path)?.includes(name);
        },
        `of the packages, only ${[...coreLoaders].map(([path, names]) => `${names} by ${path}`).join(", ")}`,
      ),
    ],
  },
  {
    id: "R6",
    statement: "web and cli import http, host, the public face and themselves; nothing else imports them",
    check: (tree) => [
      ...imports(
        tree,
        inside("web", "cli"),
        (entry, { path }) =>
          entry.target !== undefined && !targetIn(entry, "http", "host", ...publicFace, folderOf(path)),
        "web and cli have no private door: import src/index.ts or src/sidereal.ts",
      ),
      ...imports(
        tree,
        (path) => !inside("web", "cli")(path),
        (entry) => targetIn(entry, "web", "cli"),
        "nothing imports web or cli",
      ),
      ...imports(
        tree,
        inside("host"),
        (entry) => entry.target !== undefined && !targetIn(entry, "host", "contracts", "model"),
        "host imports contracts, model and node: only",
      ),
    ],
  },
];

function loadedTwice(tree: Tree): string[] {
  const folders = new Map<string, Set<string>>();
  for (const { path, imports } of tree) {
    for (const { specifier, typeOnly } of imports) {
      const name = packageOf(specifier);
      if (name === undefined || typeOnly) continue;
      folders.set(name, (folders.get(name) ?? new Set()).add(folderOf(path)));
    }
  }
  return [...folders]
    .filter(([, loaders]) => loaders.size > 1)
    .map(([name, loaders]) => `"${name}" is loaded in ${[...loaders].sort().join(" and ")}: one folder per package`);
}
