/** Finding and importing task modules, JavaScript and TypeScript; what importing `sidereal` itself loads. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { promisify } from "node:util";
import { registry } from "../../src/core/registry.ts";
import { type ErrorCode, hasCode } from "../../src/model/errors.ts";
import { discoverTasks, QueueService } from "../../src/sidereal.ts";
import { type Imported, loadTaskModules } from "./support/task-modules.ts";

const LIBRARY = new URL("../../src/index.js", import.meta.url).href;
const seen = globalThis as { seen?: string[] };

/** A folder with these files; `TASK name` in one stands for a task of that name. */
async function folder(t: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const root = await realpath(await mkdtemp(join(tmpdir(), "sidereal-modules-")));
  const before = new Set(registry.names());
  seen.seen = [];
  t.after(async () => {
    for (const name of registry.names()) if (!before.has(name)) registry.remove(name);
    await rm(root, { recursive: true });
  });
  await writeFile(join(root, "package.json"), '{"type":"module"}');
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    const tasks = text.replace(/TASK ([\w.-]+)/gu, (_, name: string) => `task(${JSON.stringify(name)}, () => 1);`);
    const head = `import { task } from ${JSON.stringify(LIBRARY)};\n(globalThis.seen ??= []).push(${JSON.stringify(path)});\n`;
    await writeFile(join(root, path), text.includes("RAW") ? text.replace("RAW", "") : head + tasks);
  }
  return root;
}

const own = (): string[] => registry.names().filter((name) => name.startsWith("found."));

const refused =
  (code: ErrorCode, ...parts: readonly string[]) =>
  (error: unknown): boolean => {
    assert.ok(hasCode(error, code), `${String(error)} instead of ${code}`);
    for (const part of parts) assert.ok(error.message.includes(part), `${error.message} has no ${part}`);
    return true;
  };

describe("discoverTasks", () => {
  it("imports what lies in a folder of that name, at any depth below the root, and nothing else", async (t) => {
    const root = await folder(t, {
      "jobs/b.js": "TASK found.b",
      "jobs/deep/er/a.mjs": "TASK found.a",
      "billing/jobs/c.js": "TASK found.c\nTASK found.c2",
      "other/x.js": "TASK found.not-here",
      "jobs.js": "TASK found.nor-here",
      "jobs/types.d.ts": "RAW export declare const x: number;",
      "jobs/b.test.js": "TASK found.test",
      "jobs/b.spec.ts": "TASK found.spec",
      "jobs/readme.md": "RAW # not a module",
      "jobs/data.json": "RAW {}",
      "node_modules/dep/jobs/d.js": "TASK found.dependency",
      "billing/jobs/node_modules/dep/d.js": "TASK found.dependency",
    });
    const names = await discoverTasks(root);
    assert.deepEqual(own(), ["found.a", "found.b", "found.c", "found.c2"]);
    assert.deepEqual(names, [...new Set(names)].sort());
    assert.deepEqual(seen.seen, ["billing/jobs/c.js", "jobs/b.js", "jobs/deep/er/a.mjs"], "in sorted order");
    assert.deepEqual(await discoverTasks(root), names);
    assert.equal(seen.seen?.length, 3, "a second time imports nothing again");
  });

  it("does not count the root's own name, and takes another folder name", async (t) => {
    const root = await folder(t, { "jobs/inner/a.js": "TASK found.a", "jobs/tasks/b.js": "TASK found.b" });
    await discoverTasks(join(root, "jobs"));
    assert.deepEqual(own(), []);
    await discoverTasks(join(root, "jobs"), { subfolder: "tasks" });
    assert.deepEqual(own(), ["found.b"]);
  });

  it("reads TypeScript: types, enums, and imports that name the later .js", async (t) => {
    const root = await folder(t, {
      "jobs/typed.ts":
        'import { suffix } from "./lib/suffix.js";\nenum Mode { A = "a" }\nconst name: string = `found.ts-${suffix}-${Mode.A}`;\ntask(name, (input: { n: number }) => input.n);',
      "jobs/lib/suffix.ts": 'RAW export const suffix: string = "x";',
      "jobs/esm.mts": "const n: number = 1;\nTASK found.mts",
      "jobs/old.cjs": `RAW const { task } = require(${JSON.stringify(new URL(LIBRARY).pathname)});\ntask("found.cjs", () => 1);`,
    });
    // A CommonJS module can require the library only where Node lets it.
    if (process.features.require_module !== true) await rm(join(root, "jobs/old.cjs"));
    await discoverTasks(root);
    assert.deepEqual(
      own().filter((name) => name !== "found.cjs"),
      ["found.mts", "found.ts-x-a"],
    );
  });

  it("with forceReload reads a changed module again", async (t) => {
    const root = await folder(t, {
      "jobs/a.js": "TASK found.one",
      "jobs/t.ts": "const n: number = 1;\nTASK found.typed",
    });
    await discoverTasks(root);
    const [first, typed] = [registry.get("found.one"), registry.get("found.typed")];
    await writeFile(
      join(root, "jobs/a.js"),
      `import { task } from ${JSON.stringify(LIBRARY)};\n\n\ntask("found.one", () => 2);\ntask("found.two", () => 2);`,
    );
    await discoverTasks(root);
    assert.equal(registry.get("found.one"), first);
    await discoverTasks(root, { forceReload: true });
    assert.deepEqual(own(), ["found.one", "found.two", "found.typed"]);
    assert.equal(registry.get("found.one")?.run(undefined as never, {} as never), 2);
    assert.notEqual(registry.get("found.typed"), typed);
  });

  it("refuses a root that does not exist, is a file, or is no path, and a folder name that is none", async (t) => {
    const root = await folder(t, { "jobs/a.js": "TASK found.a" });
    await assert.rejects(
      discoverTasks(join(root, "nowhere")),
      refused("TASK_MODULE_MISSING", "nowhere does not exist"),
    );
    await assert.rejects(
      discoverTasks(join(root, "jobs/a.js")),
      refused("TASK_MODULE_MISSING", "is a file, not a folder"),
    );
    for (const odd of [undefined, null, 5, "", {}])
      await assert.rejects(discoverTasks(odd as string), refused("OPTION_INVALID", "root is"));
    for (const subfolder of ["", "a/b", "a\\b", 5, null])
      await assert.rejects(
        discoverTasks(root, { subfolder: subfolder as string }),
        refused("OPTION_INVALID", "subfolder is"),
      );
    assert.deepEqual(own(), []);
  });

  it("names the module that throws, with the cause; and both files of a duplicate", async (t) => {
    const root = await folder(t, { "jobs/bad.js": 'throw new RangeError("not today\\nsecond line");' });
    await assert.rejects(
      discoverTasks(root),
      (error) =>
        refused("TASK_MODULE_FAILED", join(root, "jobs/bad.js"), "RangeError: not today.")(error) &&
        (error as Error).cause instanceof RangeError,
    );
    const odd = await folder(t, { "jobs/odd.js": "throw null;" });
    await assert.rejects(discoverTasks(odd), refused("TASK_MODULE_FAILED", "odd.js"));
    const wrong = await folder(t, { "jobs/wrong.js": "RAW const = ;" });
    await assert.rejects(discoverTasks(wrong), refused("TASK_MODULE_FAILED", "wrong.js", "SyntaxError"));
    const missing = await folder(t, { "jobs/missing.js": 'import "no-such-package-anywhere";' });
    await assert.rejects(
      discoverTasks(missing),
      refused("TASK_MODULE_FAILED", "missing.js", "no-such-package-anywhere"),
    );
    for (const [one, two] of [
      ["a.js", "b.js"],
      ["a.js", "b.ts"],
    ] as const) {
      const twice = await folder(t, {
        [`jobs/${one}`]: "TASK found.twice",
        [`jobs/${two}`]: "const n = 1;\nTASK found.twice",
      });
      await assert.rejects(
        discoverTasks(twice),
        refused("TASK_DUPLICATE", join(twice, "jobs", one), join(twice, "jobs", two)),
      );
      registry.remove("found.twice");
    }
  });

  it("follows links without running round in a circle", async (t) => {
    const root = await folder(t, { "jobs/a.js": "TASK found.a" });
    await symlink(root, join(root, "jobs/loop"));
    await discoverTasks(root);
    assert.ok(own().includes("found.a"));
  });
});

describe("taskModules", () => {
  const load = (root: string, ...patterns: string[]): Promise<Imported> => loadTaskModules(patterns, root);

  it("are paths or globs from the root, each imported once, in sorted order", async (t) => {
    const root = await folder(t, {
      "src/b.tasks.js": "TASK found.b",
      "src/a.tasks.js": "TASK found.a",
      "src/deep/c.tasks.mjs": "TASK found.c",
      "src/other.js": "TASK found.other",
      "src/notes.md": "RAW text",
      "outside.js": "TASK found.outside",
    });
    const files = await load(root, "src/**/*.tasks.*", "./src/a.tasks.js", join(root, "src/b.tasks.js"));
    assert.deepEqual(
      files,
      ["src/a.tasks.js", "src/b.tasks.js", "src/deep/c.tasks.mjs"].map((file) => join(root, file)),
    );
    assert.deepEqual(own(), ["found.a", "found.b", "found.c"]);
    await load(join(root, "src"), "../outside.js");
    assert.ok(own().includes("found.outside"));
    await load(root, "src/deep");
    await load(root, "src/*");
    assert.deepEqual(seen.seen?.length, 5);
  });

  it("may be paths with the characters of globs, and test files where they are named", async (t) => {
    const root = await folder(t, {
      "src/[id]/(group)/{x}.js": "TASK found.odd",
      "src/real.test.js": "TASK found.test",
    });
    await load(root, "src/[id]/(group)/{x}.js", "src/real.test.js");
    assert.deepEqual(own(), ["found.odd", "found.test"]);
  });

  it("that match nothing are an error, which names them", async (t) => {
    const root = await folder(t, {
      "src/a.js": "TASK found.a",
      "src/a.md": "RAW text",
      "src/types.d.ts": "RAW export {};",
    });
    for (const pattern of ["src/*.ts", "nowhere.js", "src/*.md", "src/*.d.ts"])
      await assert.rejects(
        load(root, "src/a.js", pattern),
        refused("TASK_MODULE_MISSING", JSON.stringify(pattern), root),
      );
    assert.deepEqual(own(), [], "nothing is imported before everything is found");
  });

  it("are imported when the service opens, which else does not open", async (t) => {
    const root = await folder(t, { "a.js": "TASK found.service", "bad.js": 'throw new Error("bad");' });
    const service = new QueueService({ taskModules: [join(root, "a.js")] });
    await service.open();
    assert.equal((await service.enqueue("found.service")).status, "pending");
    await service.close();
    const bad = new QueueService({ taskModules: [join(root, "bad.js")] });
    await assert.rejects(bad.open(), refused("TASK_MODULE_FAILED", "bad.js"));
    assert.equal(bad.isOpen, false);
    await assert.rejects(
      new QueueService({ taskModules: ["no/such/*.js"] }).open(),
      refused("TASK_MODULE_MISSING", "no/such"),
    );
  });
});

describe("importing sidereal", () => {
  it("loads croner alone: no peer, no command line, no module finder", async () => {
    const trace = new URL("./support/trace-loads.js", import.meta.url).href;
    const args = ["--import", trace, "--input-type=module", "--eval", `await import(${JSON.stringify(LIBRARY)})`];
    // That it ends shows that nothing was left running.
    const { stderr } = await promisify(execFile)(process.execPath, args, { timeout: 20_000 });
    const packages = new Set([...stderr.matchAll(/node_modules\/((?:@[^/]+\/)?[^/]+)\//gu)].map((match) => match[1]));
    assert.deepEqual([...packages], ["croner"]);
    assert.match(stderr, /core\/service\.js/, "the trace works");
    for (const part of ["/cli/", "/web/", "/backends/sqlite/", "/testing/"]) assert.ok(!stderr.includes(part), part);
    const own = new Set(stderr.split("\n").filter((line) => line.includes("/src/")));
    assert.ok(own.size <= 110, `${own.size} modules of its own`);
  });
});
