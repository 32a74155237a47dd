/** `sanitizeError`: what it returns is kept, whatever it does; what it removed is nowhere. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import type { FailureFacts, SanitizeError } from "../../src/core/sanitize.ts";
import { hasCode, RetryAfterError } from "../../src/model/errors.ts";
import type { TaskFailure } from "../../src/model/record.ts";
import { QueueService } from "../../src/sidereal.ts";
import { Stage } from "./support/stage.ts";

const SECRET = "hunter2";
/** A member that makes an object look like a promise. */
const THEN: string = "then";

class LoginError extends Error {
  override readonly name = "LoginError";
  readonly code = SECRET;
}

const secretive = (): never => {
  throw new LoginError(`password ${SECRET} refused`, { cause: new Error(SECRET) });
};

/** Runs a task that throws the secret; gives what was stored, after everything written and logged was searched for it. */
async function kept(stage: Stage, hook: unknown, run: () => unknown = secretive): Promise<TaskFailure | null> {
  await stage.worker({}, {}, { sanitizeError: hook as SanitizeError });
  const { id } = await (await stage.service()).enqueue(stage.task(run));
  const record = await stage.ended(id);
  assert.equal(record.state, "failed");
  assert.doesNotMatch(inspect([record, stage.logs], { depth: null, maxArrayLength: null }), /hunter2/);
  assert.ok(stage.logs.some(({ message }) => message === "a task failed"));
  return record.error;
}

describe("sanitizeError", () => {
  it("gets everything that would be kept, and whose it is; what it returns is kept and logged", async (t) => {
    const stage = new Stage(t);
    const seen: [TaskFailure, FailureFacts][] = [];
    const hook: SanitizeError = (failure, facts) => {
      seen.push([failure, facts]);
      return { ...failure, message: failure.message.replaceAll(SECRET, "***"), stack: null, code: null };
    };
    const error = await kept(stage, hook);
    assert.deepEqual(
      [error?.name, error?.message, error?.stack, error?.code],
      ["LoginError", "password *** refused", null, null],
    );
    const [failure, facts] = seen[0] ?? [];
    assert.deepEqual([failure?.message, failure?.code, facts?.attempt], [`password ${SECRET} refused`, SECRET, 1]);
    assert.match(failure?.stack ?? "", /Caused by: Error: hunter2/);
    assert.match(facts?.task ?? "", /^stage\./);
    assert.equal(
      stage.logs.find(({ message }) => message === "a task failed")?.fields["error"],
      "password *** refused",
    );
    assert.equal(seen.length, 1);
  });

  it("keeps of a part nothing that it left out, but the name", async (t) => {
    const { name, message, stack, code, attempt } =
      (await kept(new Stage(t), () => ({ message: "login failed" }))) ?? {};
    assert.deepEqual([name, message, stack, code, attempt], ["LoginError", "login failed", null, null, 1]);
    const nothing = await kept(new Stage(t), () => ({}));
    assert.deepEqual([nothing?.name, nothing?.message, nothing?.stack], ["LoginError", "", null]);
  });

  const hostile: Readonly<Record<string, unknown>> = {
    throws: () => {
      throw new Error(SECRET);
    },
    "throws no error": () => {
      throw SECRET;
    },
    "returns nothing": () => undefined,
    "returns null": () => null,
    "returns a text": () => SECRET,
    "returns an array": () => [SECRET],
    "is async": async (failure: TaskFailure) => failure,
    "is async and throws": async () => {
      throw new Error(SECRET);
    },
    "returns something like a promise": () => ({ message: SECRET, [THEN]: () => {} }),
    "returns a message that is no text": (failure: TaskFailure) => ({ ...failure, message: 5 }),
    "returns a stack that is no text": (failure: TaskFailure) => ({ ...failure, stack: [SECRET] }),
    "returns a code that is no text": (failure: TaskFailure) => ({ ...failure, code: 5 }),
    "returns a name that is no text": (failure: TaskFailure) => ({ ...failure, name: null }),
    "returns a getter that throws": (failure: TaskFailure) => ({
      ...failure,
      get message(): string {
        throw new Error(SECRET);
      },
    }),
    "changes what it was given and returns nothing": (failure: { message: string }) => {
      failure.message = SECRET;
    },
  };
  for (const [what, hook] of Object.entries(hostile)) {
    it(`that ${what} leaves the name alone`, async (t) => {
      const stage = new Stage(t);
      const error = await kept(stage, hook);
      assert.deepEqual([error?.name, error?.stack, error?.code, error?.attempt], ["LoginError", null, null, 1]);
      assert.match(error?.message ?? "", /^\(withheld/);
      assert.ok(stage.logs.some(({ level, message }) => level === "error" && message.startsWith("sanitizeError")));
    });
  }

  it("has its answer bounded and cleaned again, and cannot move the attempt or the time", async (t) => {
    const stage = new Stage(t);
    const long = `${"é".repeat(100_000)}\0`;
    const words = { name: long, message: `\uD800${long}`, stack: long, code: long, attempt: 99, at: -1 };
    const hook = (failure: TaskFailure): object => Object.assign(failure, words);
    const error = await kept(stage, hook);
    assert.ok(Buffer.byteLength(JSON.stringify(error)) < 32_768);
    assert.doesNotMatch(JSON.stringify(error), /\\u0000|\\ud800/i);
    assert.deepEqual([error?.attempt, (error?.at ?? 0) > 0], [1, true]);
  });

  it("is asked for every error that is logged: of a back-off, of a release", async (t) => {
    const stage = new Stage(t);
    const hook = (): object => ({ message: "***" });
    const dependencies = { provider: { acquire: () => ({ values: [], release: secretive }) } };
    await stage.worker({}, {}, { sanitizeError: hook, dependencies });
    const service = await stage.service();
    const late = stage.task(() => {
      throw new RetryAfterError(SECRET as "1s");
    });
    const odd = stage.task(() => Promise.reject(new Error(SECRET)), { retries: 1, backoff: secretive as never });
    for (const one of [late, odd]) await stage.ended((await service.enqueue(one)).id);
    assert.doesNotMatch(inspect([stage.logs, await service.find()], { depth: null, maxArrayLength: null }), /hunter2/);
    assert.ok(stage.logs.some(({ message }) => message.includes("retry delay")));
    assert.ok(stage.logs.some(({ message }) => message.includes("could not be released")));
  });

  it("must be a function", () => {
    const wrong = { sanitizeError: "yes" } as object;
    assert.throws(
      () => new QueueService(wrong),
      (error) => hasCode(error, "CONFIG_INVALID") && /sanitizeError/.test(error.message),
    );
    for (const dependencies of [
      { resolver: 5 },
      { provider: {} },
      { provider: { acquire: () => {}, open: 5 } },
      { pool: 1 },
      5,
    ])
      assert.throws(
        () => new QueueService({ dependencies } as object),
        (error) => hasCode(error, "CONFIG_INVALID"),
      );
  });
});
