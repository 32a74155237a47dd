/** P2: what goes in comes out the same, or is refused with its path; nothing else may happen. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import vm from "node:vm";
import fc from "fast-check";
import { SiderealError } from "../../src/model/errors.ts";
import { decodeJson, type EncodeOptions, encodeJson, JSON_LIMITS } from "../../src/model/json.ts";

const OPTIONS: EncodeOptions = { what: "input", notJson: "INPUT_NOT_JSON", tooLarge: "INPUT_TOO_LARGE" };

const refusal = (value: unknown, options = OPTIONS): SiderealError => {
  try {
    encodeJson(value, options);
  } catch (error) {
    assert.ok(error instanceof SiderealError, `an untyped error: ${String(error)}`);
    return error;
  }
  throw new assert.AssertionError({ message: "the value was accepted" });
};

function refused(value: unknown, code: string, message: RegExp): void {
  const error = refusal(value);
  assert.equal(error.code, code);
  assert.match(error.message, message);
}

const inside = (value: unknown): unknown => ({ a: { "odd name": [0, value] } });

const BAD: readonly (readonly [string, () => unknown, RegExp])[] = [
  ["undefined", () => undefined, / is undefined\./],
  ["a function", () => () => 1, / is a function\./],
  ["a symbol", () => Symbol("x"), / is a symbol\./],
  ["a bigint", () => 1n, / is a bigint\./],
  ["NaN", () => Number.NaN, / is NaN\./],
  ["1e400", () => Number("1e400"), / is Infinity\./],
  ["minus infinity", () => Number.NEGATIVE_INFINITY, / is -Infinity\./],
  ["minus zero", () => -0, / is -0\./],
  ["NUL", () => "a\0b", / holds a NUL character\./],
  ["a lone high surrogate", () => "a\ud83d", / holds a lone surrogate\./],
  ["a lone low surrogate", () => "\ude00a", / holds a lone surrogate\./],
  ["a Date", () => new Date(0), / is a Date, not a plain object\./],
  ["a Map", () => new Map([[1, 2]]), / is a Map, /],
  ["a Set", () => new Set([1]), / is a Set, /],
  ["a RegExp", () => /x/u, / is a RegExp, /],
  ["an Error", () => new TypeError("x"), / is a TypeError, /],
  ["a Buffer", () => Buffer.from("x"), / is a Buffer, /],
  ["a typed array", () => new Uint8Array(2), / is a Uint8Array, /],
  ["a boxed string", () => Object("x"), / is a String, /],
  ["a class instance", () => new (class Point {})(), / is a Point, /],
  ["an heir of a plain object", () => Object.create({ x: 1 }), / is .*not a plain object/],
  ["an heir of a bare object", () => Object.create(Object.create(null)), / is a class instance/],
  ["a subclass of Array", () => new (class List extends Array {})(), / is a List, not a plain array\./],
  ["a promise", () => Promise.resolve(1), / is a Promise, /],
  ["an object with toJSON", () => ({ toJSON: () => 1 }), / has a toJSON method\./],
  ["an array with toJSON", () => Object.defineProperty([1], "toJSON", { value: () => 1 }), / has a toJSON method\./],
  ["a symbol as key", () => ({ [Symbol("s")]: 1 }), / has a symbol as key\./],
  ["an array with a symbol as key", () => Object.assign([1], { [Symbol("s")]: 1 }), / has a symbol as key\./],
  ["a sparse array", () => Object.assign(new Array(3), { 0: 1, 2: 3 }), / is an array with holes/],
  ["an array with more", () => Object.assign([1], { extra: 1 }), / is an array with holes or extra properties\./],
  [
    "__proto__ as own key",
    () => JSON.parse('{"__proto__":{"polluted":true}}'),
    /\.__proto__ is not allowed as a name\./,
  ],
  ["NUL in a name", () => ({ "a\0": 1 }), /\.a\\\\?u0000 is not allowed as a name\./],
  ["a surrogate in a name", () => ({ "\ud800": 1 }), / is not allowed as a name\./],
  [
    "a getter that throws",
    () => Object.defineProperty({}, "x", { enumerable: true, get: () => assert.fail("no") }),
    /\.x throws when it is read\./,
  ],
  ["a revoked proxy", () => revoked(), / throws when it is read\./],
  ["a proxy that throws", () => new Proxy({}, { ownKeys: () => assert.fail("no") }), / throws when it is read\./],
];

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

describe("strict JSON", () => {
  it("gives back what it took: any JSON value", () => {
    const value = fc.jsonValue({ maxDepth: 6, noUnicodeString: false }) as fc.Arbitrary<unknown>;
    fc.assert(
      fc.property(value, (given) => {
        const text = attempt(given);
        if (text !== null) assert.deepStrictEqual(decodeJson(text), given);
        else assert.ok(holdsRefused(given), `refused without a reason: ${JSON.stringify(given)}`);
      }),
      { numRuns: 3_000 },
    );
  });

  it("takes anything at all, and answers with its equal or a typed refusal", () => {
    const value = fc.anything({
      withBigInt: true,
      withBoxedValues: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withObjectString: true,
      withSet: true,
      withSparseArray: true,
      withTypedArray: true,
      withUnicodeString: true,
    });
    let taken = 0;
    fc.assert(
      fc.property(value, (given) => {
        const text = attempt(given);
        if (text === null) return;
        taken += 1;
        // A clone: an object without a prototype comes back as a plain one.
        assert.deepEqual(decodeJson(text), structuredClone(given));
      }),
      { numRuns: 3_000 },
    );
    assert.ok(taken > 100, `only ${taken} values were accepted: the property proves little`);
  });

  it("takes text of every kind that is well-formed", () => {
    for (const text of [
      "",
      "ß",
      "😀👨‍👩‍👧",
      "\u202eabc",
      "\u2028",
      "\u0001\u001b[31m",
      "\ufeff",
      "'\"\\`",
      "%00",
      "a".repeat(10_000),
    ])
      assert.equal(decodeJson(encodeJson(text, OPTIONS)), text);
  });

  it("takes objects of another realm and without a prototype", () => {
    const other = vm.runInNewContext("({ list: [1, { x: 'y' }] })") as unknown;
    assert.equal(encodeJson(other, OPTIONS), '{"list":[1,{"x":"y"}]}');
    assert.equal(encodeJson(Object.assign(Object.create(null), { a: 1 }), OPTIONS), '{"a":1}');
  });

  for (const [name, make, message] of BAD) {
    it(`refuses ${name}, at the top and at its path`, () => {
      refused(make(), "INPUT_NOT_JSON", message);
      refused(inside(make()), "INPUT_NOT_JSON", message);
      assert.match(refusal(inside(make())).message, /^input\.a\.odd name\[1\]/);
    });
  }

  it("refuses an object that refers to itself, without losing its mind", () => {
    const value: { self?: unknown } = {};
    value.self = value;
    refused(value, "INPUT_NOT_JSON", /refers to itself/);
    const list: unknown[] = [];
    list.push(list);
    refused(list, "INPUT_NOT_JSON", /refers to itself/);
  });

  it("takes 200 levels and refuses 201", () => {
    const nested = (levels: number): unknown => {
      let value: unknown = 1;
      for (let level = 0; level < levels; level += 1) value = level % 2 ? [value] : { x: value };
      return value;
    };
    assert.equal(typeof encodeJson(nested(200), OPTIONS), "string");
    refused(nested(201), "INPUT_NOT_JSON", /nested deeper than 200 levels/);
    refused(nested(200_000), "INPUT_NOT_JSON", /nested deeper than 200 levels/);
  });

  it("takes 1 MiB of UTF-8 and refuses one byte more", () => {
    const most = JSON_LIMITS.bytes;
    for (const [character, bytes] of [
      ["a", 1],
      ["ß", 2],
      ["€", 3],
      ["😀", 4],
    ] as const) {
      const room = most - 2;
      const full = character.repeat(Math.floor(room / bytes)) + "a".repeat(room % bytes);
      const text = encodeJson(full, OPTIONS);
      assert.equal(Buffer.byteLength(text), most);
      refused(`${full}a`, "INPUT_TOO_LARGE", /1048577 bytes of JSON|more than 1048576 bytes/);
    }
    const list = Array.from({ length: (most - 1) / 3 }, () => 10);
    assert.equal(Buffer.byteLength(encodeJson(list, OPTIONS)), most);
    refused([...list, 1], "INPUT_TOO_LARGE", /more than 1048576 bytes/);
  });

  it("leaves a value early that shares its parts until its text would be endless", () => {
    let value: unknown = ["x"];
    for (let level = 0; level < 100; level += 1) value = [value, value];
    refused(value, "INPUT_TOO_LARGE", /more than 1048576 bytes/);
  });

  it("leaves members out that are undefined where that is asked for, and only members", () => {
    const options = { ...OPTIONS, dropUndefined: true };
    assert.equal(encodeJson({ a: undefined, b: { c: undefined, d: 1 } }, options), '{"b":{"d":1}}');
    assert.equal(refusal([undefined], options).code, "INPUT_NOT_JSON");
  });

  it("never pollutes a prototype", () => {
    const text = '{"constructor":{"prototype":{"polluted":1}},"a":[{"__proto__":{"polluted":1}}]}';
    refused(JSON.parse(text), "INPUT_NOT_JSON", /input\.a\[0\]\.__proto__/);
    assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  });

  it("keeps messages short whatever the path is", () => {
    const error = refusal({ ["x".repeat(1_000_000)]: { y: undefined } });
    assert.ok(error.message.length < 600, `${error.message.length} characters`);
  });

  it("survives a value that changes between two looks", () => {
    const fickle = (base: object): object => {
      let looks = 0;
      return Object.defineProperty(base, "x", {
        enumerable: true,
        get: () => {
          looks += 1;
          if (looks > 1) throw new Error("again");
          return 1;
        },
      });
    };
    refused(fickle({}), "INPUT_NOT_JSON", /throws when it is read/);
    refused(fickle(Object.create(null)), "INPUT_NOT_JSON", /throws when it is read again/);
  });
});

function attempt(value: unknown): string | null {
  try {
    return encodeJson(value, OPTIONS);
  } catch (error) {
    assert.ok(error instanceof SiderealError, `an untyped error: ${String(error)}`);
    assert.match(error.message, /^input/);
    return null;
  }
}

/** Of the JSON values: what strict JSON refuses all the same. */
function holdsRefused(value: unknown): boolean {
  if (typeof value === "string") return /[\0\p{Surrogate}]/u.test(value);
  if (typeof value === "number") return Object.is(value, -0);
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(value).some(
    ([name, inner]) => name === "__proto__" || holdsRefused(name) || holdsRefused(inner),
  );
}
