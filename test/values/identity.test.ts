/** Ids and tokens: well-formed, strictly growing, unique; names that never become anything else (X6). */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { systemClock } from "../../src/host/clock.ts";
import { systemRandom } from "../../src/host/random.ts";
import { hasCode } from "../../src/model/errors.ts";
import { canonicalIdentity, Ids, isId } from "../../src/model/identity.ts";
import { checkName, checkNamespace } from "../../src/model/names.ts";

const VERSION_7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe("ids", () => {
  it("are valid, strictly growing and unique over a million, and across two makers", () => {
    const one = new Ids(systemRandom, () => systemClock.wall());
    const other = new Ids(systemRandom, () => systemClock.wall());
    const seen = new Set<string>();
    let [before, beforeOther] = ["", ""];
    for (let made = 0; made < 500_000; made += 1) {
      const [id, second] = [one.next(), other.next()];
      if (!(id > before && second > beforeOther)) assert.fail(`${before} is not before ${id}`);
      if (made % 1_000 === 0) assert.ok(VERSION_7.test(id) && isId(id), id);
      before = id;
      beforeOther = second;
      seen.add(id).add(second);
    }
    assert.equal(seen.size, 1_000_000);
  });

  it("are valid at every count and hold the time", () => {
    let now = 0;
    const ids = new Ids(systemRandom, () => now);
    for (const wall of [0, 1, 1_700_000_000_123.9, 281_474_976_710_655]) {
      now = wall;
      const id = ids.next();
      assert.match(id, VERSION_7);
      assert.equal(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16), Math.floor(wall));
    }
  });

  it("go on growing while the clock stands still or runs backwards", () => {
    let now = 1_800_000_000_000;
    const ids = new Ids(systemRandom, () => now);
    let before = ids.next();
    for (let made = 0; made < 100_000; made += 1) {
      if (made % 1_000 === 0) now -= 60_000;
      const id = ids.next();
      if (id <= before || !VERSION_7.test(id)) assert.fail(`${before} is not before ${id}`);
      before = id;
    }
  });

  it("have no equal when two makers count in the same millisecond", () => {
    const makers = [1, 2].map(() => new Ids(systemRandom, () => 1_800_000_000_000));
    const seen = new Set(makers.flatMap((maker) => Array.from({ length: 50_000 }, () => maker.next())));
    assert.equal(seen.size, 100_000);
  });

  it("of a claim have 128 random bits", () => {
    const ids = new Ids(systemRandom, () => 0);
    const tokens = Array.from({ length: 10_000 }, () => ids.token());
    assert.equal(new Set(tokens).size, tokens.length);
    assert.ok(tokens.every((token) => /^[0-9a-f]{32}$/.test(token)));
    const digits = new Set(tokens.flatMap((token) => [...token].map((digit, at) => `${at}${digit}`)));
    assert.equal(digits.size, 512, "every digit occurs at every place");
  });
});

describe("identity by input", () => {
  it("does not depend on the order of members, at any depth", () => {
    const value = fc.jsonValue({ maxDepth: 4 });
    fc.assert(
      fc.property(value, (given) => {
        assert.equal(
          canonicalIdentity("t", JSON.stringify(turned(given))),
          canonicalIdentity("t", JSON.stringify(given)),
        );
      }),
      { numRuns: 1_000 },
    );
  });

  it("tells tasks, values and their places apart", () => {
    const all = [
      ["a", "1"],
      ["b", "1"],
      ["a", '"1"'],
      ["a", "[1]"],
      ["a", '{"x":1,"y":2}'],
      ["a", '{"x":2,"y":1}'],
      ["a", "[1,2]"],
      ["a", "[2,1]"],
    ];
    assert.equal(
      new Set(all.map(([task, text]) => canonicalIdentity(task as string, text as string))).size,
      all.length,
    );
  });
});

function turned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turned);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, inner]) => [name, turned(inner)]),
  );
}

describe("names", () => {
  it("are taken as they are, harmless words included", () => {
    for (const name of ["a", "accounts.sync", "A:b-c_d.e", "constructor", "toString", "1", "x".repeat(200)])
      assert.equal(checkName(name, "queue"), name);
  });

  for (const name of [
    ...[
      "",
      " a",
      "a b",
      "../../x",
      "/etc/passwd",
      "data:text/javascript,1".replace(":", "/"),
      "file:///x",
      "a\0",
      "__proto__",
    ],
    ...["a\n", "é", "{a}", "a'b", 'a"b', "a;b", "x".repeat(201), "x".repeat(1_000_000), ".a", ":a", "-a"],
    ...[null, undefined, 5, {}, ["a"]],
  ]) {
    it(`refuse ${String(name).slice(0, 20)}`, () => {
      assert.throws(
        () => checkName(name, "queue"),
        (error) => hasCode(error, "NAME_INVALID") && error.message.length < 300 && !error.message.includes("\0"),
      );
    });
  }

  it("of a namespace are for identifiers", () => {
    for (const name of ["a", "_a", "sidereal_2", "x".repeat(48)]) assert.equal(checkNamespace(name), name);
    for (const name of ["", "A", "1a", "a-b", "a.b", "a b", "a;drop", "x".repeat(49), null, 5])
      assert.throws(
        () => checkNamespace(name),
        (error) => hasCode(error, "CONFIG_INVALID"),
      );
  });
});
