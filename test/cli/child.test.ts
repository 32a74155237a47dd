/** `sidereal run` as the supervised child of another process: what it says, what it hears, and that it does not outlive it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { task } from "../../src/index.ts";
import { bin, onStore, project, Running, WORK } from "./program.ts";

for (const name of ["patient", "ending"]) task(name, async () => null);

const env = { SIDEREAL_CHILD: "1" };

async function supervised(name?: string, input?: unknown): Promise<{ cwd: string; worker: Running }> {
  const cwd = project({ "app.mjs": WORK });
  if (name !== undefined) await onStore(cwd, (service) => service.enqueue(name, input));
  const worker = new Running(["run"], { cwd, env, ipc: true });
  assert.deepEqual(await worker.message(), { type: "ready", pid: worker.child.pid });
  if (name !== undefined) await worker.said(/^task began$/m);
  return { cwd, worker };
}

describe("a supervised worker", { concurrency: 2 }, () => {
  it("says that it is ready, and drains when it is asked to stop, however often", async () => {
    const { cwd, worker } = await supervised("ending", 300);
    worker.child.send({ type: "stop" });
    worker.child.send({ type: "stop" });
    worker.child.send("noise");
    const { code, stderr } = await worker.ended;
    assert.equal(code, 0, stderr);
    assert.equal((await onStore(cwd, (service) => service.counts())).completed, 1);
  });

  it("aborts when it is told to", async () => {
    const { cwd, worker } = await supervised("patient");
    worker.child.send({ type: "stop" });
    await worker.said(/claiming no more/);
    worker.child.send({ type: "stop", force: true });
    assert.equal((await worker.ended).code, 2);
    assert.equal((await onStore(cwd, (service) => service.counts())).pending, 1);
  });

  it("drains and ends when its parent dies", async () => {
    const { cwd, worker } = await supervised("ending", 300);
    worker.child.disconnect();
    const { code, stderr } = await worker.ended;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /parent process is gone/);
    assert.equal((await onStore(cwd, (service) => service.counts())).completed, 1);
  });

  it("does not outlive a parent that is killed", async () => {
    const parent = `import { spawn } from "node:child_process";
      spawn(process.execPath, process.argv.slice(2), { stdio: ["ignore", "inherit", "inherit", "ipc"] });`;
    const cwd = project({ "app.mjs": WORK, "parent.mjs": parent });
    await onStore(cwd, (service) => service.enqueue("ending", 300));
    const command = [process.execPath, "parent.mjs", bin];
    const worker = new Running(["run"], { cwd, env, command });
    await worker.said(/^task began$/m);
    worker.kill("SIGKILL");
    // The worker holds the parent's stderr: this ends when both have.
    const { signal, stderr } = await worker.ended;
    assert.equal(signal, "SIGKILL");
    assert.match(stderr, /parent process is gone[\s\S]*outcome=clean/);
    assert.equal((await onStore(cwd, (service) => service.counts())).completed, 1);
  });

  it("says at which stage it failed, and why, without secrets", async () => {
    const failing = async (text: string): Promise<unknown> => {
      const worker = new Running(["run"], { cwd: project({ "app.mjs": text }), env, ipc: true });
      const [message, { code }] = await Promise.all([worker.message(), worker.ended]);
      assert.equal(code, 1);
      return message;
    };
    assert.deepEqual(await failing('throw new Error("no http://me:hunter2@host");'), {
      type: "failed",
      stage: "load_app",
      message: "the application could not be loaded: Error: no http://***@host",
    });
    const config = (text: string): string =>
      `import { defineQueues } from "sidereal"; import { sqlite } from "sidereal/sqlite"; export default defineQueues(${text});`;
    const { stage } = (await failing(config("{}"))) as { stage: string };
    assert.equal(stage, "check_config");
    const store = (await failing(config('{ queueBackend: sqlite("no/such/folder/q.db") }'))) as { stage: string };
    assert.equal(store.stage, "open_service");
  });

  it("keeps its tasks' own processes out of it, and talks to nobody without the variable", async () => {
    const cwd = project({ "app.mjs": `${WORK}\nprocess.stderr.write("child=" + process.env.SIDEREAL_CHILD + "\\n");` });
    const worker = new Running(["run"], { cwd, env, ipc: true });
    await worker.message();
    assert.match(worker.stderr, /^child=undefined$/m);
    worker.child.disconnect();
    assert.equal((await worker.ended).code, 0);
    const free = new Running(["run"], { cwd, ipc: true });
    let talked = false;
    free.child.on("message", () => {
      talked = true;
    });
    await free.said(/worker started/);
    free.kill("SIGTERM");
    await free.ended;
    assert.equal(talked, false);
  });
});
