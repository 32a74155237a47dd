/** Bugs in schedules: in the guard of their steps, in the ticks that belong to a step, and in how they are found. */
import { bug, ORDER, type PlantedBug, STORE } from "./bug.ts";

const GUARD = "this.#schedules.get(name)?.version === from?.version";
const TICKS = "this.#insert(ticks, now);";
const PUT = "this.#schedules.set(name, to);";

const steps: readonly PlantedBug[] = [
  bug("a step is not guarded by the version", STORE, GUARD, "this.#schedules.has(name) === (from !== null)"),
  bug("a step is not guarded at all", STORE, GUARD, "true"),
  bug("a schedule is made over the one that is there", STORE, GUARD, `(from === null || ${GUARD})`),
  bug("who is ahead may step", STORE, GUARD, "(this.#schedules.get(name)?.version ?? 0) <= (from?.version ?? 0)"),
  bug(
    "a step makes a removed schedule again",
    STORE,
    GUARD,
    "(this.#schedules.get(name) ?? from)?.version === from?.version",
  ),
  bug("a step is guarded by what was due", STORE, GUARD, "this.#schedules.get(name)?.dueAt === from?.dueAt"),
  bug(
    "a step is guarded by all that it saw",
    STORE,
    GUARD,
    "JSON.stringify(this.#schedules.get(name)) === JSON.stringify(from ?? undefined)",
    "it does not lie about what it saw",
  ),
  bug("a step from nothing to nothing is taken", STORE, "name !== undefined &&", "", "it takes no such step"),
  bug(
    "the version does not move",
    STORE,
    PUT,
    "this.#schedules.set(name, { ...to, version: from?.version ?? to.version });",
  ),
  bug(
    "of two steps in a batch both are taken",
    STORE,
    GUARD,
    `(changes.seen ??= new Map(this.#schedules)).get(name)?.version === from?.version`,
  ),
  bug(
    "a late step spoils the batch",
    STORE,
    "if (!held)\n                continue;",
    "if (advanced.includes(false))\n                continue;",
  ),
  bug(
    "answers in order of name",
    STORE,
    "of changes) {\n            const name",
    "of changes.toSorted((a, b) => ((a.from ?? a.to).name < (b.from ?? b.to).name ? -1 : 1))) {\n            const name",
  ),
  {
    what: "a step by looking first and writing later",
    file: STORE,
    edits: [
      ["async advance(changes) {", "async advance(changes) { const seen = new Map(this.#schedules); await undefined;"],
      [GUARD, "seen.get(name)?.version === from?.version"],
      [PUT, `{ seen.set(name, to); ${PUT} }`],
      ["this.#schedules.delete(name);", "{ seen.delete(name); this.#schedules.delete(name); }"],
    ],
    walkBlind: "it takes two callers at once",
  },
];

const ticks: readonly PlantedBug[] = [
  bug(
    "ticks are stored although the step was refused",
    STORE,
    "if (!held)\n                continue;",
    `if (!held) { ${TICKS} continue; }`,
  ),
  bug("no ticks with the step that removes", STORE, TICKS, `if (to !== null) ${TICKS}`),
  bug("no ticks with the step that makes", STORE, TICKS, `if (from !== null) ${TICKS}`),
  bug("one tick of each step", STORE, TICKS, "this.#insert(ticks.slice(0, 1), now);"),
  bug("the producer's clock stamps the ticks", STORE, TICKS, "this.#insert(ticks, this.#clock.mono());"),
  bug(
    "a tick that is there stops the step",
    STORE,
    "name !== undefined &&",
    "!ticks.some(({ record }) => this.#slots.has(record.id) || this.#keys.has(record.key)) && name !== undefined &&",
  ),
  bug(
    "a tick that is there is written again",
    STORE,
    TICKS,
    `for (const { record } of ticks) { const old = this.#slots.get(record.id); if (old) this.#drop(old); } ${TICKS}`,
  ),
  bug(
    "no hint about ticks",
    STORE,
    TICKS,
    `const all = [...this.#listeners]; this.#listeners.clear(); ${TICKS} for (const one of all) this.#listeners.add(one);`,
    "hints are no answers",
  ),
];

const finding: readonly PlantedBug[] = [
  bug("due a millisecond late", STORE, "(dueAt ?? 0) <= now", "(dueAt ?? 0) < now"),
  bug(
    "due by the host's clock",
    STORE,
    "(dueAt ?? 0) <= now",
    "(dueAt ?? 0) <= this.#clock.wall()",
    "its clock is not set back",
  ),
  bug("what is never due is due", STORE, ".filter(({ dueAt }) => dueAt !== null)", ""),
  bug(
    "next is in the future only",
    STORE,
    "return byName(due)",
    "return byName(due.filter(({ dueAt }) => dueAt > now))",
  ),
  bug("next is the last", STORE, "(a.dueAt ?? 0) - (b.dueAt ?? 0)", "(b.dueAt ?? 0) - (a.dueAt ?? 0)"),
  bug("next is the first by name", STORE, ".sort((a, b) => (a.dueAt ?? 0) - (b.dueAt ?? 0))", ""),
  bug(
    "names in which case does not matter, when they are looked for",
    STORE,
    "query.names.includes(row.name)",
    "query.names.some((name) => name.toLowerCase() === row.name.toLowerCase())",
  ),
  bug(
    "names in which _ stands for any character",
    STORE,
    "query.names.includes(row.name)",
    `query.names.some((name) => name.length === row.name.length && [...name].every((c, n) => c === "_" || [...row.name][n] === c))`,
  ),
  bug(
    "names that are brought into a normal form",
    STORE,
    "query.names.includes(row.name)",
    "query.names.some((name) => name.normalize() === row.name.normalize())",
    "its names have one form",
  ),
  bug(
    "names in which case does not matter, when they are written",
    STORE,
    "const name = (from ?? to)?.name;",
    "const name = (from ?? to)?.name.toLowerCase();",
  ),
  bug(
    "names are cut short",
    STORE,
    "const name = (from ?? to)?.name;",
    "const name = (from ?? to)?.name.slice(0, 199);",
    "its names are short",
  ),
  bug(
    "by name, in the order of the question, and as often",
    STORE,
    "return byName([...this.#schedules.values()].filter((row) => query.names.includes(row.name)));",
    "return query.names.map((name) => this.#schedules.get(name)).filter((row) => row !== undefined);",
  ),
  bug(
    "a version of 32 bits",
    STORE,
    PUT,
    "this.#schedules.set(name, { ...to, version: to.version | 0 });",
    "it counts from 1",
  ),
  bug("names in JavaScript's own order", ORDER, "unit + 0x1_0000", "unit"),
  bug("schedules in order of arrival", STORE, "return byName(rows.filter", "return (rows.filter"),
  bug(
    "a page of schedules begins with the last again",
    STORE,
    "byCodePoint(name, query.after) > 0",
    "byCodePoint(name, query.after) >= 0",
  ),
  bug(
    "a page of due schedules hides the rest",
    STORE,
    "query.after === null || byCodePoint(name",
    'query.after === null || query.by === "due" || byCodePoint(name',
  ),
  bug("pages of schedules without an end", STORE, "> 0)).slice(0, query.limit)", "> 0))"),
  bug(
    "a body is read and written again",
    STORE,
    PUT,
    "this.#schedules.set(name, { ...to, body: JSON.stringify(JSON.parse(to.body)) });",
  ),
];

export const scheduling: readonly PlantedBug[] = [...steps, ...ticks, ...finding];
