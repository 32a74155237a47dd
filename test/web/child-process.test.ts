/** A worker in a real process beside the server, from the built package: ready, killed, drained, never orphaned. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import type { FastifyInstance } from "fastify";
import { hasCode, QueueService, SiderealError, type TaskHandle } from "sidereal";
import type { ChildWorker, ChildWorkerHealth } from "sidereal/fastify";
import { sqlite } from "sidereal/sqlite";
import { root } from "../architecture/source.ts";
import { until } from "./stage.ts";

mkdirSync(join(root, "build"), { recursive: true });
/** Inside the package, so that what is written here imports it by its name. */
const folder = mkdtempSync(join(root, "build", "child-"));
after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));

interface Written {
  readonly file: string;
  readonly database: string;
  /** A held task ends once this file is there. */
  readonly release: string;
}

/** Writes an application with two tasks, `<name>.pid` and `<name>.hold`. */
function writeApp(name: string, { worker = "", more = "", fastify = "", plugin = "" } = {}): Written {
  const [database, release] = [join(folder, `${name}.db`), join(folder, `${name}.go`)];
  const file = join(folder, `${name}.mjs`);
  writeFileSync(
    file,
    `import { existsSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import Fastify from "fastify";
import { task } from "sidereal";
import { queuePlugin } from "sidereal/fastify";
import { sqlite } from "sidereal/sqlite";

task("${name}.pid", async () => process.pid);
task("${name}.hold", async (input, ctx) => {
  await ctx.progress(1);
  while (!existsSync(${JSON.stringify(release)})) await pause(10, undefined, { signal: ctx.signal });
  return process.pid;
});
export const app = Fastify({ ${fastify} });
await app.register(queuePlugin, {
  queueBackend: sqlite(${JSON.stringify(database)}),
  inAppWorker: "child-process",
  ${plugin}
  worker: { pollInterval: 20, leaseDuration: 1_000, ${worker} },
});
${more}`,
  );
  return { file, database, release };
}

async function served({ file }: Written): Promise<FastifyInstance & { readonly child: ChildWorker }> {
  process.env["SIDEREAL_APP"] = file;
  const { app } = (await import(pathToFileURL(file).href)) as { app: FastifyInstance };
  after(() => app.close());
  return Object.assign(app, { child: app.queueWorker as ChildWorker });
}

/** Waits until a held task has begun. */
async function progressed(handle: TaskHandle): Promise<void> {
  await until("the task runs", async () => {
    await handle.refresh();
    return handle.record?.progress;
  });
}

/** Whether a process runs; one that is dead and not yet collected does not. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return process.platform !== "linux";
  }
}

describe("a worker process beside the server", () => {
  it("runs the tasks, and drains when the application closes", async () => {
    const written = writeApp("drain", { plugin: `healthRoute: "/healthz",` });
    const app = await served(written);
    assert.equal(app.child.status().state, "new");
    await app.ready();
    const { pid, ready } = app.child.status();
    assert.ok(ready && pid !== null && pid !== process.pid);
    const first = await app.queueService.enqueue("drain.pid");
    assert.equal(await first.result({ timeout: "5s" }), pid);

    const health = await app.inject("/healthz");
    assert.equal(health.statusCode, 200, health.body);
    const { healthy, worker } = health.json<ChildWorkerHealth>();
    assert.deepEqual([healthy, worker?.ready, worker?.state], [true, true, "running"]);

    const held = await app.queueService.enqueue("drain.hold");
    await progressed(held);
    const closing = app.close();
    assert.equal(app.child.status().state, "running");
    await until("the worker stops", () => app.child.status().state === "stopping");
    writeFileSync(written.release, "");
    await closing;
    assert.equal(app.child.status().state, "stopped");
    assert.equal(isAlive(pid), false);
    await using service = await new QueueService({ queueBackend: sqlite(written.database) }).open();
    assert.equal((await service.get(held.id))?.state, "completed");
  });

  it("is started again when it is killed, and the work goes on", async () => {
    const written = writeApp("killed");
    const app = await served(written);
    await app.ready();
    const { pid } = app.child.status();
    const held = await app.queueService.enqueue("killed.hold");
    await progressed(held);
    process.kill(pid as number, "SIGKILL");
    await until("the death is noticed", () => app.child.status().state === "restarting");
    writeFileSync(written.release, "");
    const other = await held.result({ timeout: "10s" });
    assert.notEqual(other, pid);
    assert.equal(other, app.child.status().pid);
    assert.equal(app.child.status().restarts, 1);
    assert.equal(held.record?.losses, 1);
  });

  it("does not outlive a server that is killed", async () => {
    const { file } = writeApp("orphan", {
      worker: 'gracefulShutdownTimeout: "100ms"',
      more: `await app.ready();
if (app.queueWorker !== null) {
  await app.queueService.enqueue("orphan.hold");
  console.log(app.queueWorker.status().pid);
}
`,
    });
    const { SIDEREAL_APP: _, ...env } = process.env;
    const server = spawn(process.execPath, [file], { cwd: folder, env, stdio: ["ignore", "pipe", "inherit"] });
    after(() => server.kill("SIGKILL"));
    const [line] = (await once(server.stdout.setEncoding("utf8"), "data")) as [string];
    const pid = Number(line);
    assert.ok(isAlive(pid));
    server.kill("SIGKILL");
    await until("the worker process is gone", () => !isAlive(pid));
  });

  it("rejects the start when the application throws in it, and closes the store", async () => {
    const written = writeApp("thrower", {
      more: 'if (globalThis[Symbol.for("sidereal.command-line")]) throw new Error("only in the worker");\n',
    });
    const app = await served(written);
    await assert.rejects(
      async () => app.ready(),
      (error) => {
        assert.ok(error instanceof SiderealError && hasCode(error, "WORKER_FAILED"));
        assert.match(error.message, /failed at the stage load_app: .*only in the worker/s);
        return true;
      },
    );
    assert.equal(app.queueService.isOpen, false);
    assert.equal(app.child.status().state, "stopped");
  });

  it("rejects the start in its own words before Fastify's deadline", async () => {
    const more = `if (globalThis[Symbol.for("sidereal.command-line")]) await new Promise((never) => setInterval(() => {}, 1_000, never));
`;
    const app = await served(writeApp("hanging", { fastify: "pluginTimeout: 2_000", more }));
    await assert.rejects(async () => app.ready(), /was not ready within 1800 ms and was ended/);
    assert.equal(app.child.status().pid, null);
  });
});
