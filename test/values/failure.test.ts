/** P3: whatever is thrown can be described, within 32 KiB, in text that every store keeps. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { clean, cleanBytes, describeFailure, isKind, shown } from "../../src/core/failure.ts";
import { NonRetryableError, RetryAfterError, SiderealError } from "../../src/model/errors.ts";

const CAP = 32 * 1_024;

function fits(thrown: unknown): ReturnType<typeof describeFailure> {
  const failure = describeFailure(thrown, 1, 5);
  const text = JSON.stringify(failure);
  assert.ok(Buffer.byteLength(text) <= CAP, `${Buffer.byteLength(text)} bytes`);
  assert.doesNotMatch(`${failure.name}${failure.message}${failure.stack}${failure.code}`, /[\0\p{Surrogate}]/u);
  assert.ok(failure.name.length > 0);
  return failure;
}

const throwing = (error: Error, name: string): Error =>
  Object.defineProperty(error, name, {
    get: () => {
      throw new Error("no");
    },
  });

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable(new Error("x"), {});
  revoke();
  return proxy;
}

function circular(): Error {
  const error = new Error("outer");
  const inner = new Error("inner", { cause: error });
  error.cause = inner;
  return error;
}

function shared(): unknown {
  let value: unknown = { leaf: 1 };
  for (let level = 0; level < 60; level += 1) value = { a: value, b: value };
  return value;
}

const HOSTILE: Readonly<Record<string, () => unknown>> = {
  null: () => null,
  undefined: () => undefined,
  "an empty string": () => "",
  "a number": () => 5,
  "a bigint": () => 5n,
  "a symbol": () => Symbol("x"),
  "a function": () => () => 1,
  "an object": () => ({ reason: "because" }),
  "an object that shares its parts": shared,
  "an object without a prototype": () => Object.create(null),
  "NUL in the message": () => new Error("a\0b"),
  "a lone surrogate": () => new Error("a\ud800b"),
  "a 50 MB message": () => new Error("x".repeat(50_000_000)),
  "a 50 MB stack": () => Object.assign(new Error("x"), { stack: "y".repeat(50_000_000) }),
  "a 50 MB string": () => "x".repeat(50_000_000),
  "a 50 MB name": () => Object.assign(new Error("x"), { name: "n".repeat(50_000_000), code: "c".repeat(1_000_000) }),
  "three-byte characters everywhere": () =>
    Object.assign(new Error("€".repeat(100_000)), {
      stack: "€".repeat(100_000),
      name: "€".repeat(500),
      code: "€".repeat(500),
    }),
  "control characters everywhere": () =>
    Object.assign(new Error("\u0001".repeat(100_000)), { stack: "\u0001".repeat(100_000), name: "\u0001".repeat(500) }),
  "a message getter that throws": () => throwing(new Error("x"), "message"),
  "a stack getter that throws": () => throwing(new Error("x"), "stack"),
  "a name getter that throws": () => throwing(new Error("x"), "name"),
  "a cause getter that throws": () => throwing(new Error("x"), "cause"),
  "a toString that throws": () => ({ toString: () => assert.fail("no"), toJSON: () => assert.fail("no") }),
  "a circular cause": circular,
  "a chain of causes": () =>
    Array.from({ length: 50 }).reduce<unknown>((cause, _, at) => new Error(`e${at}`, { cause }), null),
  "a frozen error": () => Object.freeze(new Error("x")),
  "a revoked proxy": revoked,
  "a proxy of which every trap throws": () =>
    new Proxy(new Error("x"), {
      get: () => assert.fail("no"),
      getPrototypeOf: () => assert.fail("no"),
      has: () => assert.fail("no"),
      ownKeys: () => assert.fail("no"),
    }),
  "members that are no texts": () =>
    Object.assign(new Error("x"), { name: {}, message: [], stack: 5n, code: Symbol("c") }),
  "a bigint inside": () => ({ big: 5n }),
};

describe("describing what was thrown", () => {
  for (const [name, make] of Object.entries(HOSTILE)) {
    it(`takes ${name}`, () => {
      fits(make());
      for (const kind of [NonRetryableError, RetryAfterError, SiderealError, Error]) isKind(make(), kind);
    });
  }

  it("takes anything at all", () => {
    fc.assert(
      fc.property(
        fc.anything({ withBigInt: true, withMap: true, withDate: true, withNullPrototype: true }),
        (value) => void fits(value),
      ),
      { numRuns: 2_000 },
    );
  });

  it("takes errors with any text anywhere", () => {
    const text = fc.string({ unit: "binary", maxLength: 3_000, size: "max" });
    fc.assert(
      fc.property(text, text, text, text, (message, stack, name, code) => {
        fits(Object.assign(new Error(message), { stack, name, code }));
      }),
      { numRuns: 500 },
    );
  });

  it("keeps what is worth knowing", () => {
    const cause = Object.assign(new TypeError("root"), { stack: "TypeError: root\n    at root" });
    const failure = fits(Object.assign(new RangeError("too far", { cause }), { code: "E_FAR" }));
    assert.deepEqual(
      [failure.name, failure.message, failure.code, failure.attempt, failure.at],
      ["RangeError", "too far", "E_FAR", 1, 5],
    );
    assert.match(failure.stack ?? "", /^RangeError: too far\n[\s\S]*Caused by: TypeError: root/);
    assert.equal(fits("just text").message, "just text");
    assert.match(fits({ reason: "because" }).message, /not an error was thrown: \{"reason":"because"\}/);
    assert.equal(fits({ name: "Odd", message: "m", code: 42 }).code, "42");
  });

  it("knows a kind of error by its class, a subclass, or the name of another copy", () => {
    class Fatal extends NonRetryableError {
      override readonly name = "Fatal" as never;
    }
    assert.ok(isKind(new Fatal("x"), NonRetryableError));
    assert.ok(isKind(Object.assign(new Error("x"), { name: "NonRetryableError" }), NonRetryableError));
    assert.ok(!isKind(new Error("x"), NonRetryableError));
    assert.ok(!isKind(null, NonRetryableError));
  });
});

describe("cutting text", () => {
  it("cuts to a length, and never through a character", () => {
    assert.equal(clean("abcdef", 4), "abc…");
    assert.doesNotMatch(clean("😀😀😀", 4), /\p{Surrogate}/u);
    assert.equal(clean("a\0b", 10), "a\ufffdb");
  });

  it("cuts to bytes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 500 }), fc.integer({ min: 20, max: 400 }), (text, most) => {
        assert.ok(Buffer.byteLength(JSON.stringify(cleanBytes(text, most))) <= most);
      }),
      { numRuns: 1_000 },
    );
  });

  it("shows any value in one go", () => {
    assert.equal(shown({ a: [1, "x"] }), '{"a":[1,"x"]}');
    assert.equal(shown(undefined), "undefined");
    assert.equal(shown(1n), "1");
    assert.equal(shown("x".repeat(1_000_000), 100).length, 100);
    assert.ok(shown(Array.from({ length: 1_000_000 }, () => "x")).length <= 500);
  });
});
