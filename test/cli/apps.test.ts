/** Applications of every kind, loaded by the built program: what they may export, in which language, and how they fail. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { task } from "../../src/index.ts";
import { root } from "../architecture/source.ts";
import { onStore, project, Running, sidereal, WORK } from "./program.ts";

const CONFIG = `import { defineQueues } from "sidereal"; import { sqlite } from "sidereal/sqlite";`;
/** The built loader: it shares its copy of `sidereal` with the applications. */
const built: typeof import("../../src/cli/load.ts") & typeof import("../../src/cli/faults.ts") = {
  ...(await import(pathToFileURL(join(root, "dist/cli/load.js")).href)),
  ...(await import(pathToFileURL(join(root, "dist/cli/faults.js")).href)),
};
const CREATED = /migrated from schema version 0/;

/** Whether `migrate` reached the store of the application in this folder. */
async function reaches(files: Readonly<Record<string, string>>, ...args: string[]): Promise<void> {
  const cwd = project(files);
  const { code, stdout, stderr } = await sidereal(["migrate", ...args], { cwd });
  assert.equal(code, 0, stderr);
  assert.match(stdout, CREATED);
  assert.ok(existsSync(join(cwd, "queue.db")), stderr);
}

describe("an application", { concurrency: 2 }, () => {
  it("is a default export, in TypeScript that Node cannot strip, over several files", async () => {
    task("same", async () => null);
    const cwd = project({
      "app.ts": `${CONFIG} import "./tasks.js"; import { Kind } from "./kind";
        export default defineQueues({ queueBackend: sqlite(Kind.File), taskModules: ["more/*.ts"] });`,
      "tasks.ts": `import { QueueService, task } from "sidereal";
        task("same", async (_: void, ctx) => ctx.service instanceof QueueService);`,
      "kind.ts": `export enum Kind { File = "queue.db" }`,
      "more/other.ts": `import { task } from "sidereal"; task("other", async (input: { n: number }) => input.n);`,
    });
    const worker = new Running(["run"], { cwd });
    await worker.said(/^sidereal worker started id=\S+ store=sqlite queues=\* concurrency=10 tasks=2$/m);
    const result = await onStore(cwd, async (service) => (await service.enqueue("same")).result({ timeout: "20s" }));
    assert.equal(result, true, "one copy of sidereal serves the command line and the application");
    worker.kill("SIGTERM");
    assert.equal((await worker.ended).code, 0);
  });

  it("is TypeScript with decorators and with types imported as values", () =>
    reaches({
      "app.ts": `${CONFIG} import { Options, path } from "./options.ts";
        function noted(target: unknown, _?: unknown): void {}
        class Part { @noted run(): void {} }
        const options: Options = { path };
        export default defineQueues({ queueBackend: sqlite(options.path) });`,
      "options.ts": `export interface Options { path: string } export const path = "queue.db";`,
    }));

  it("is a server's main module that exports nothing", () =>
    reaches({
      "server.mjs": `import Fastify from "fastify"; import { queuePlugin } from "sidereal/fastify";
        import { sqlite } from "sidereal/sqlite";
        const app = Fastify();
        await app.register(queuePlugin, { queueBackend: sqlite("queue.db") });
        await app.listen({ port: 0 });`,
    }));

  it("is a CommonJS module", () =>
    reaches({
      "app.cjs": `const { defineQueues } = require("sidereal"); const { sqlite } = require("sidereal/sqlite");
        module.exports = { queues: defineQueues({ queueBackend: sqlite("queue.db") }) };`,
    }));

  it("is the export app, queues or config, or the only one there is", async () => {
    await reaches({
      "app.mjs": `${CONFIG} export default 5; export const other = defineQueues({});
        export const config = defineQueues({ queueBackend: sqlite("queue.db") });`,
    });
    await reaches({ "app.mjs": `${CONFIG} export const some = defineQueues({ queueBackend: sqlite("queue.db") });` });
  });

  it("is an export that is named", () =>
    reaches(
      {
        "work.mjs": `${CONFIG} export default 5; export const b = () => defineQueues({ queueBackend: sqlite("queue.db") });`,
      },
      "--app",
      "work.mjs:b",
    ));

  it("is a function that makes it, and a web application that never listens", async () => {
    const cwd = project({
      "server.js": `import Fastify from "fastify"; import { queuePlugin } from "sidereal/fastify";
        import { sqlite } from "sidereal/sqlite";
        export async function createServer() {
          const app = Fastify();
          app.addHook("onClose", async () => { process.stderr.write("closed\\n"); });
          await app.register(queuePlugin, { queueBackend: sqlite("queue.db") });
          await app.listen({ port: 1, host: "192.0.2.1" });
          return app;
        }`,
    });
    const { code, stdout, stderr } = await sidereal(["migrate"], { cwd });
    assert.equal(code, 0, stderr);
    assert.match(stdout, CREATED);
    assert.match(stderr, /^closed$/m);
  });

  it("may have several services: --service chooses", async () => {
    const cwd = project({
      "app.js": `import Fastify from "fastify"; import { queuePlugin } from "sidereal/fastify";
        import { sqlite } from "sidereal/sqlite";
        const app = Fastify();
        await app.register(queuePlugin, { queueBackend: sqlite("one.db") });
        await app.register(queuePlugin, { queueBackend: sqlite("two.db"), queueServiceKey: "mail", queueWorkerKey: "mailer" });
        export default app;`,
    });
    const unclear = await sidereal(["migrate"], { cwd });
    assert.equal(unclear.code, 64);
    assert.match(unclear.stderr, /several queue services[\s\S]*--service: queueService, mail/);
    const unknown = await sidereal(["migrate", "--service", "post"], { cwd });
    assert.equal(unknown.code, 64);
    assert.match(unknown.stderr, /no service post[\s\S]*queueService, mail/);
    assert.equal((await sidereal(["migrate", "--service", "mail"], { cwd })).code, 0);
    assert.deepEqual([existsSync(join(cwd, "one.db")), existsSync(join(cwd, "two.db"))], [false, true]);
  });

  it("lends its tasks the worker's service", async () => {
    task("first", async () => null);
    const cwd = project({
      "app.js": `import Fastify from "fastify"; import { task } from "sidereal";
        import { queuePlugin } from "sidereal/fastify"; import { sqlite } from "sidereal/sqlite";
        const second = task("second", async () => "done");
        task("first", async () => (await app.queueService.enqueue(second)).id);
        export const app = Fastify();
        await app.register(queuePlugin, { queueBackend: sqlite("queue.db"), worker: { pollInterval: 10 } });`,
    });
    const worker = new Running(["run"], { cwd });
    await worker.said(/^sidereal worker started/m);
    const outcome = await onStore(cwd, async (service) => {
      const id = (await (await service.enqueue("first")).result({ timeout: "20s" })) as string;
      return (await service.handle(id))?.result({ timeout: "20s" });
    });
    assert.equal(outcome, "done");
    worker.kill("SIGTERM");
    assert.equal((await worker.ended).code, 0);
  });
});

describe("an application that cannot be used", () => {
  /** Loads it with the built program's own loader, in this process. */
  const refusal = async (text: string, exit: number, ...patterns: RegExp[]): Promise<void> => {
    const cwd = project({ "app.mjs": text });
    const loading = built.loadQueues({ app: undefined, service: undefined, cwd, env: {} });
    const error = await loading.then(
      () => assert.fail("it was loaded"),
      (error: unknown) => error,
    );
    const shown = built.screen(error);
    for (const pattern of patterns) assert.match(shown, pattern);
    assert.equal((error as { parts: { exit: number } }).parts.exit, exit, shown);
  };

  it("throws something that is no error", () => refusal("throw null;", 1, /why {4}thrown: null/));

  it("has a configuration that is refused", () =>
    refusal(`${CONFIG} export default defineQueues({ quueBackend: 1 });`, 1, /no setting "quueBackend"/));

  it("imports what is not installed", () =>
    refusal('import "not-installed-here";', 1, /Cannot find package 'not-installed-here'/, /app\.mjs/));

  it("exports nothing of use", () =>
    refusal("export const a = 1; export default { b: 2 };", 1, /exports: .*a/, /defineQueues/, /APP_INVALID/));

  it("returns something else from its function", () =>
    refusal("export default async () => [];", 1, /export is an array/, /APP_INVALID/));

  it("throws in its function", () => refusal(`export default () => { throw new Error("no luck"); };`, 1, /no luck/));

  it("has no plugin", () =>
    refusal(`import Fastify from "fastify"; export default Fastify();`, 1, /no queue plugin/, /queuePlugin/));

  it("has a plugin that throws", () =>
    refusal(
      `import Fastify from "fastify"; const app = Fastify();
       app.register(async () => { throw new Error("plugin trouble"); }); export default app;`,
      1,
      /plugins could not be loaded/,
      /plugin trouble/,
    ));

  it("throws when it gets ready", () =>
    refusal(
      `import Fastify from "fastify"; const app = Fastify();
       app.addHook("onReady", async () => { throw new Error("not ready at all"); }); export default () => ({ app }, app);`,
      1,
      /did not become ready/,
      /not ready at all/,
    ));

  it("has several exports that could be meant", () =>
    refusal(`${CONFIG} export const a = defineQueues({}), b = defineQueues({});`, 64, /of a, b/));

  it("has only a function that does not sound like an application", () =>
    refusal("export const dropEverything = () => { throw new Error('called'); };", 1, /exports: dropEverything/));
});

describe("an application that fails", { concurrency: 2 }, () => {
  it("throws while it loads: what, where, why, how to mend it, without secrets or terminal codes", async () => {
    const text = `const secret = "postgres://me:hunter2@db.example/x";\n\nthrow new TypeError("no way to " + secret + "\\nsecond \\u001b[31m line");`;
    const { code, stdout, stderr } = await sidereal(["status"], { cwd: project({ "app.mjs": text }) });
    assert.equal(code, 1);
    assert.equal(stdout, "");
    const lines = [
      /^error: the application could not be loaded$/m,
      /^ {2}where {2}.*app\.mjs \(app\.mjs, found in /m,
      /^ {2}why {4}TypeError: no way to postgres:\/\/\*\*\*@db\.example\/x$/m,
      /second \\u001b\[31m line/,
      /at .*app\.mjs:3:7$/m,
      /^ {2}code {3}APP_FAILED$/m,
    ];
    for (const line of lines) assert.match(stderr, line);
    assert.doesNotMatch(stderr, /hunter2|node:internal/);
    assert.ok(!stderr.includes("\u001b"), "a control character came through");
    assert.ok(stderr.split("\n").length < 25, "more than one screen");
  });

  it("never finishes loading", async () => {
    const { code, stderr } = await sidereal(["status"], {
      cwd: project({ "app.mjs": "await new Promise(() => {});" }),
    });
    assert.equal(code, 1);
    assert.match(stderr, /never finished loading/);
  });

  it("throws where nobody waits for it", async () => {
    const text = `${CONFIG} Promise.reject(new Error("floating")); await new Promise((go) => setTimeout(go, 60_000));`;
    const { code, stderr } = await sidereal(["status"], { cwd: project({ "app.mjs": text }) });
    assert.equal(code, 1);
    assert.match(stderr, /^error: uncaught in this process\n {2}why {4}Error: floating\n {9}at .*app\.mjs:1/m);
    assert.doesNotMatch(stderr, /node:internal/);
  });

  it("is not there", async () => {
    const { code, stderr } = await sidereal(["run"], { cwd: project({}) });
    assert.equal(code, 64);
    assert.match(stderr, /no application was found[\s\S]*looked for --app, SIDEREAL_APP[\s\S]*APP_NOT_FOUND/);
  });

  it("shows its stack under SIDEREAL_DEBUG", async () => {
    const cwd = project({ "app.mjs": 'throw new Error("deep");' });
    const { stderr } = await sidereal(["status"], { cwd, env: { SIDEREAL_DEBUG: "1" } });
    assert.match(stderr, /\n {4}at .*app\.mjs:1/);
  });

  it("keeps its records in memory: a worker would wait for ever", async () => {
    const cwd = project({ "app.mjs": `${CONFIG} export default defineQueues({});` });
    const { code, stderr } = await sidereal(["run"], { cwd });
    assert.equal(code, 1);
    assert.match(stderr, /memory store[\s\S]*empty queue for ever[\s\S]*sqlite/);
  });

  it("is immediate: a worker has nothing to claim", async () => {
    const cwd = project({
      "app.mjs": `${CONFIG} export default defineQueues({ queueBackend: sqlite("q.db"), executionBackend: "immediate" });`,
    });
    const { code, stderr } = await sidereal(["run"], { cwd });
    assert.equal(code, 1);
    assert.match(stderr, /immediate/);
    assert.ok(!existsSync(join(cwd, "q.db")));
  });

  it("registers no task: the worker says so loudly", async () => {
    const cwd = project({ "app.mjs": `${CONFIG} export default defineQueues({ queueBackend: sqlite("queue.db") });` });
    const worker = new Running(["run"], { cwd });
    await worker.said(/NO TASK IS REGISTERED[\s\S]*taskModules/);
    worker.kill("SIGTERM");
    assert.equal((await worker.ended).code, 0);
  });

  it("names a task module that is not there", async () => {
    const cwd = project({
      "app.mjs": `${CONFIG} export default defineQueues({ queueBackend: sqlite("q.db"), taskModules: ["jobs/*.ts"] });`,
    });
    const { code, stderr } = await sidereal(["run"], { cwd });
    assert.equal(code, 1);
    assert.match(stderr, /nothing matches "jobs\/\*\.ts"[\s\S]*TASK_MODULE_MISSING/);
  });

  it("caps a queue that --queue leaves out", async () => {
    const cwd = project({
      "app.mjs": `${CONFIG} export default defineQueues({ queueBackend: sqlite("q.db"), worker: { queueConcurrency: { mail: 1 } } });`,
    });
    const { code, stderr } = await sidereal(["run", "--queue", "other"], { cwd });
    assert.equal(code, 64);
    assert.match(stderr, /queueConcurrency names mail/);
  });

  it("has a file that is no database", async () => {
    const cwd = project({ "app.mjs": WORK, "queue.db": "this is no database, but text\n".repeat(100) });
    const { code, stderr } = await sidereal(["run"], { cwd });
    assert.equal(code, 1);
    assert.match(stderr, /queue\.db[\s\S]*STORE_CORRUPT/);
    assert.doesNotMatch(stderr, /\n\s+at /);
  });
});
