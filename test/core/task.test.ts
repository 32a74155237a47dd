/** Defining tasks: checks, duplicates that name both files, reloads. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { registry } from "../../src/core/registry.ts";
import { task } from "../../src/core/task.ts";
import { type ErrorCode, hasCode } from "../../src/model/errors.ts";

const refused = (define: () => unknown, code: ErrorCode, message: RegExp): void => {
  assert.throws(define, (error) => {
    assert.ok(hasCode(error, code), String(error));
    assert.match(error.message, message);
    return true;
  });
};

describe("task", () => {
  it("registers a name, options and a handler; both may be left out but the handler", (t) => {
    t.after(() => ["define.one", "define.two"].map((name) => registry.remove(name)));
    const one = task("define.one", () => 1);
    const two = task("define.two", { queue: "own", retries: 3, timeout: "2s" }, (input: number) => input);
    assert.equal(registry.get("define.one"), one);
    assert.deepEqual([two.options.queue, two.policy.retries, two.policy.timeout], ["own", 3, 2_000]);
    assert.deepEqual(
      [one.policy.retries, one.policy.timeout, one.policy.requeueOnShutdown, one.policy.backoff.kind],
      [0, null, true, "exponential"],
    );
    assert.match(one.definedAt, /task\.test\.(ts|js):\d+$/);
    assert.equal(one.run(undefined, {} as never), 1);
    const names = registry.names();
    assert.deepEqual(names, [...names].sort());
  });

  for (const name of ["", "a b", "../x", "__proto__", "a\0", "x".repeat(201), 5, null, undefined]) {
    it(`refuses the name ${String(name).slice(0, 10)}`, () =>
      refused(() => task(name as string, () => 1), "NAME_INVALID", /^The task's name is /));
  }

  for (const [name, options, code, message] of [
    ["no handler", undefined, "OPTION_INVALID", /handler is undefined, not a function/],
    ["an unknown option", { retry: 3 }, "OPTION_INVALID", /Task define\.bad: there is no option "retry"/],
    ["options that are none", null, "OPTION_INVALID", /options is null, not an object/],
    ["retries", { retries: 1.5 }, "OPTION_INVALID", /retries is 1\.5/],
    ["priority", { priority: "high" }, "OPTION_INVALID", /priority is "high"/],
    ["queue", { queue: "a b" }, "NAME_INVALID", /queue is "a b"/],
    ["delay", { delay: -1 }, "DURATION_INVALID", /delay is -1/],
    ["expiresIn", { expiresIn: "x" }, "DURATION_INVALID", /expiresIn is "x"/],
    ["timeout", { timeout: "0ms" }, "DURATION_INVALID", /timeout is "0ms"/],
    ["backoff", { backoff: { type: "fixed", jitter: 5 } }, "OPTION_INVALID", /backoff\.jitter is 5/],
    ["key", { key: 5 }, "OPTION_INVALID", /key is 5, not a text of 1 to 500 characters or a function/],
    ["an empty key", { key: "" }, "OPTION_INVALID", /key is ""/],
    ["key and uniqueBy", { key: "k", uniqueBy: "task" }, "OPTION_INVALID", /key and uniqueBy exclude each other/],
    ["uniqueBy", { uniqueBy: "arguments" }, "OPTION_INVALID", /uniqueBy is "arguments"/],
    ["uniqueUntil", { uniqueBy: "task", uniqueUntil: "soon" }, "OPTION_INVALID", /uniqueUntil is "soon"/],
    ["uniqueUntil alone", { uniqueUntil: "forever" }, "OPTION_INVALID", /uniqueUntil needs key or uniqueBy/],
    ["metadata", { metadata: { at: new Date(0) } }, "INPUT_NOT_JSON", /Task define\.bad: metadata\.at is a Date/],
    ["tags", { tags: [5] }, "OPTION_INVALID", /tags is \[5\]/],
    ["description", { description: "" }, "OPTION_INVALID", /description is ""/],
    ["executionBackend", { executionBackend: "cloud" }, "OPTION_INVALID", /executionBackend is "cloud"/],
    ["executionProfile", { executionProfile: 5 }, "NAME_INVALID", /executionProfile is 5/],
    ["requeueOnShutdown", { requeueOnShutdown: "yes" }, "OPTION_INVALID", /requeueOnShutdown is "yes"/],
    ["input", { input: { parse: () => 1 } }, "OPTION_INVALID", /input is .*, not a Standard Schema validator/],
    ["an input of null", { input: null }, "OPTION_INVALID", /input is null/],
  ] as const) {
    it(`refuses ${name}, and registers nothing`, () => {
      const handler = options === undefined ? undefined : () => 1;
      refused(
        () => task("define.bad", (options ?? (options === null ? null : {})) as never, handler as never),
        code,
        message,
      );
      assert.equal(registry.get("define.bad"), undefined);
    });
  }
});

describe("two tasks of one name", () => {
  it("are an error that names both places", (t) => {
    t.after(() => registry.remove("twice"));
    const first = task("twice", () => 1);
    let second = "";
    refused(
      () => {
        second = new Error("here").stack ?? "";
        return task("twice", () => 2);
      },
      "TASK_DUPLICATE",
      /^Task twice is defined at .*task\.test\.(ts|js):\d+ and again at .*task\.test\.(ts|js):\d+\./,
    );
    assert.ok(second.includes("task.test"));
    assert.equal(registry.get("twice"), first, "the first one stays");
  });

  it("in two files name both files; the same file twice is a reload", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "sidereal-tasks-"));
    t.after(async () => {
      registry.remove("in.files");
      await rm(folder, { recursive: true });
    });
    const library = new URL("../../src/index.js", import.meta.url).href;
    const source = `import { task } from ${JSON.stringify(library)};\nexport const one = task("in.files", () => 1);\n`;
    for (const name of ["a.mjs", "b.mjs"]) await writeFile(join(folder, name), source);
    const file = (name: string): string => pathToFileURL(join(folder, name)).href;
    await import(file("a.mjs"));
    const before = registry.get("in.files");
    await import(`${file("a.mjs")}?t=2`);
    assert.notEqual(registry.get("in.files"), before, "the reloaded one counts");
    await assert.rejects(
      import(file("b.mjs")),
      (error) =>
        hasCode(error, "TASK_DUPLICATE") && error.message.includes("a.mjs:2") && error.message.includes("b.mjs:2"),
    );
  });
});
