/** A worker's end: clean, too slow, impatient, very impatient, before it began, by its own fault, and as PID 1. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, it } from "node:test";
import { task } from "../../src/index.ts";
import { bin, type Ended, onStore, project, Running, sidereal, WORK } from "./program.ts";

for (const name of ["brief", "patient", "ending", "deaf", "stray"]) task(name, async () => null);

const WINDOWS = process.platform === "win32" && "signals end a process at once there";

interface Started {
  readonly cwd: string;
  readonly id: string;
  readonly worker: Running;
}

/** A worker that has begun this task. */
async function working(
  name: string,
  input: unknown,
  args: readonly string[] = [],
  command?: string[],
): Promise<Started> {
  const cwd = project({ "app.mjs": WORK });
  const id = await onStore(cwd, async (service) => (await service.enqueue(name, input)).id);
  const worker = new Running(["run", ...args], { cwd, ...(command && { command }) });
  await worker.said(/^task began$/m);
  return { cwd, id, worker };
}

const record = ({ cwd, id }: Started) => onStore(cwd, (service) => service.get(id));

describe("a worker's end", { concurrency: 2, skip: WINDOWS }, () => {
  it("0: the first signal stops claiming and lets the running task finish", async () => {
    const started = await working("ending", 400);
    const late = await onStore(started.cwd, async (service) => {
      started.worker.kill("SIGTERM");
      await started.worker.said(/SIGTERM: claiming no more; 1 running, waiting up to 60 s/);
      return (await service.enqueue("brief", 1)).id;
    });
    const { code, stdout, stderr } = await started.worker.ended;
    assert.equal(code, 0, stderr);
    assert.equal(stdout, "", "stdout is for data");
    assert.match(stderr, /^sidereal worker stopped id=\S+ outcome=clean$/m);
    assert.equal((await record(started))?.state, "completed");
    assert.equal((await record({ ...started, id: late }))?.state, "pending", "nothing is claimed after the signal");
  });

  it("2: the drain passed its limit, and the task goes back uncharged", async () => {
    const started = await working("patient", null, ["--drain-timeout", "0.1"]);
    started.worker.kill("SIGINT");
    const { code, stderr } = await started.worker.ended;
    assert.equal(code, 2, stderr);
    assert.match(stderr, /waiting up to 0\.1 s/);
    assert.match(stderr, /outcome=escalated/);
    const { state, failures } = (await record(started)) ?? {};
    assert.deepEqual({ state, failures }, { state: "pending", failures: 0 });
  });

  it("2: the second signal aborts at once", async () => {
    const started = await working("patient", null);
    started.worker.kill("SIGTERM");
    await started.worker.said(/claiming no more/);
    started.worker.kill("SIGTERM");
    const { code, stderr } = await started.worker.ended;
    assert.equal(code, 2, stderr);
    assert.match(stderr, /aborting the tasks that still run/);
    assert.equal((await record(started))?.state, "pending");
  });

  for (const [signal, code] of [
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const) {
    it(`${code}: the third signal, ${signal}, leaves immediately although a task is deaf`, async () => {
      const { worker } = await working("deaf", null);
      worker.kill("SIGTERM");
      await worker.said(/claiming no more/);
      worker.kill("SIGINT");
      await worker.said(/aborting/);
      worker.kill(signal);
      const ended = await worker.ended;
      assert.equal(ended.code, code);
      assert.match(ended.stderr, new RegExp(`${signal}: leaving at once`));
    });
  }

  it("0: a signal while the application still loads, even if it never would", async () => {
    const slow = `process.stderr.write("loading\\n"); setInterval(() => {}, 1000); await new Promise(() => {});`;
    const worker = new Running(["run"], { cwd: project({ "app.mjs": slow }) });
    await worker.said(/^loading$/m);
    worker.kill("SIGTERM");
    const { code, stderr } = await worker.ended;
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, /worker started/);
  });

  it("1: something outside any task threw", async () => {
    const cwd = project({ "app.mjs": WORK });
    await onStore(cwd, (service) => service.enqueue("stray"));
    const { code, stderr } = await sidereal(["run"], { cwd });
    assert.equal(code, 1);
    assert.match(stderr, /uncaught in this process[\s\S]*stray throw[\s\S]*at .*app\.mjs/);
    const counts = await onStore(cwd, (service) => service.counts());
    assert.deepEqual([counts.pending, counts.failed], [1, 0], "what ran is handed back");
  });

  it("1: the application cannot be closed is no reason to fail", async () => {
    const cwd = project({
      "app.mjs": `import Fastify from "fastify"; import { queuePlugin } from "sidereal/fastify";
        import { sqlite } from "sidereal/sqlite"; import "./work.mjs";
        export const app = Fastify();
        app.addHook("onClose", async () => { throw new Error("will not close"); });
        await app.register(queuePlugin, { queueBackend: sqlite("queue.db") });`,
      "work.mjs": WORK,
    });
    const worker = new Running(["run", "--max-concurrency", "3", "--queue", "a", "--queue", "b"], { cwd });
    await worker.said(/^sidereal worker started id=\S+ store=sqlite queues=a,b concurrency=3 tasks=5$/m);
    worker.kill("SIGTERM");
    const { code, stderr } = await worker.ended;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /could not be closed: .*will not close/);
  });

  const unshare = ["unshare", "--fork", "--pid", "--mount-proc", process.execPath, bin];
  const mayUnshare =
    process.platform === "linux" && spawnSync("unshare", ["--fork", "--pid", "--mount-proc", "true"]).status === 0;

  it("holds as PID 1 in a container", { skip: !mayUnshare && "unshare is not permitted here" }, async () => {
    const outcome = async (kills: number): Promise<Ended> => {
      const { worker } = await working("patient", null, ["--drain-timeout", "60"], unshare);
      const pid = Number(/^sidereal worker started id=\S*-(\d+)-/m.exec(worker.stderr)?.[1]);
      assert.equal(pid, 1);
      // unshare itself takes no notice of the signal; its child is the worker.
      const inner = Number(spawnSync("pgrep", ["-P", String(worker.child.pid)], { encoding: "utf8" }).stdout);
      const seen = [/claiming no more/, /aborting/];
      for (let sent = 0; sent < kills; sent += 1) {
        process.kill(inner, "SIGTERM");
        if (sent < seen.length) await worker.said(seen[sent] as RegExp);
      }
      return worker.ended;
    };
    assert.equal((await outcome(2)).code, 2);
  });
});
