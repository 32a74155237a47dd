/** The supervisor of a worker process, with pretended processes and a clock that the test moves. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ChildProcess, Exit, ProcessListener, Spawner } from "../../src/contracts/spawn.ts";
import { hasCode, type Logger, SiderealError } from "../../src/index.ts";
import { ManualClock } from "../../src/testing/backend-contract/manual-clock.ts";
import { ChildWorker } from "../../src/web/child-worker.ts";

class PretendedProcess implements ChildProcess {
  readonly pid: number;
  readonly listener: ProcessListener;
  /** What was sent to it, and the signals it got. */
  readonly got: unknown[] = [];

  constructor(pid: number, listener: ProcessListener) {
    this.pid = pid;
    this.listener = listener;
  }

  send(message: Readonly<Record<string, unknown>>): void {
    this.got.push(message);
  }

  kill(signal: string): void {
    this.got.push(signal);
  }

  ready(): Promise<void> {
    this.listener.message({ type: "ready", pid: this.pid });
    return turns();
  }

  exit(exit: Partial<Exit>): Promise<void> {
    this.listener.exit({ code: null, signal: null, ...exit });
    return turns();
  }
}

/** Lets everything that is due without the clock happen. */
async function turns(): Promise<void> {
  for (let at = 0; at < 20; at += 1) await Promise.resolve();
}

function stage() {
  const clock = new ManualClock();
  const processes: PretendedProcess[] = [];
  const lines: string[] = [];
  const spawner: Spawner = {
    spawn: (_command, listener) => {
      const process = new PretendedProcess(100 + processes.length, listener);
      processes.push(process);
      return process;
    },
  };
  const note =
    (level: string) =>
    (message: string): void =>
      void lines.push(`${level}: ${message}`);
  const logger: Logger = { debug: note("debug"), info: note("info"), warn: note("warn"), error: note("error") };
  const worker = new ChildWorker({
    command: { file: "node", args: ["bin.js", "run", "--app", "app.ts"], env: {} },
    spawner,
    clock,
    logger,
    startDeadline: 30_000,
    patience: { drain: 36_000, forced: 6_000 },
  });
  const last = (): PretendedProcess => processes.at(-1) as PretendedProcess;
  const pass = (ms: number): Promise<void> => {
    clock.advance(ms);
    return turns();
  };
  const running = async (): Promise<void> => {
    const started = worker.start();
    await last().ready();
    await started;
  };
  return { worker, processes, lines, last, pass, running };
}

describe("starting a worker process", () => {
  it("resolves when it says that it is ready", async () => {
    const { worker, last } = stage();
    assert.deepEqual(worker.status(), { id: "child", state: "new", ready: false, pid: null, restarts: 0 });
    const started = worker.start();
    assert.deepEqual(worker.status(), { id: "child-100", state: "starting", ready: false, pid: 100, restarts: 0 });
    last().listener.message({ "watch:import": ["file:///app.ts"] });
    last().listener.message("noise");
    await last().ready();
    await started;
    assert.deepEqual(worker.status(), { id: "child-100", state: "running", ready: true, pid: 100, restarts: 0 });
    await assert.rejects(worker.start(), (error) => hasCode(error, "WORKER_STARTED"));
  });

  it("rejects with the stage, the words and the last lines, without secrets", async () => {
    const { worker, last } = stage();
    const started = worker.start();
    for (let at = 0; at < 20; at += 1) last().listener.line(`line ${at}.`);
    last().listener.line("sidereal error: postgres://joe:hunter2@db/x refused; password=hunter2");
    last().listener.message({ type: "failed", stage: "open_service", message: "redis://:hunter2@cache is down" });
    void last().exit({ code: 1 });
    await assert.rejects(started, (error) => {
      assert.ok(error instanceof SiderealError);
      assert.equal(error.code, "WORKER_FAILED");
      assert.match(
        error.message,
        /sidereal run --app app\.ts\) failed at the stage open_service: redis:\/\/\*\*\*@cache/,
      );
      assert.match(error.message, /line 19\.\n {2}postgres:\/\/\*\*\*@db\/x refused; password=\*\*\*/);
      assert.doesNotMatch(error.message, /hunter2|line 12\./);
      return true;
    });
    assert.equal(worker.status().state, "stopped");
  });

  it("rejects when it ends without a word, and when it cannot be started at all", async () => {
    const silent = stage();
    const started = silent.worker.start();
    void silent.last().exit({ signal: "SIGKILL" });
    await assert.rejects(started, /ended before it was ready \(signal SIGKILL\)/);
    const absent = stage();
    const never = absent.worker.start();
    void absent.last().exit({ error: new Error("spawn ENOENT") });
    await assert.rejects(never, /could not be started: spawn ENOENT/);
  });

  it("ends it when it is not ready in time", async () => {
    const { worker, last, pass } = stage();
    const started = worker.start();
    await pass(29_999);
    assert.deepEqual(last().got, []);
    await pass(1);
    assert.deepEqual(last().got, ["SIGKILL"]);
    void last().exit({ signal: "SIGKILL" });
    await assert.rejects(started, /was not ready within 30000 ms/);
  });

  it("ends it when it says that it failed and stays", async () => {
    const { worker, last, pass } = stage();
    const started = worker.start();
    last().listener.message({ type: "failed", stage: "load_app", message: "boom" });
    await turns();
    await pass(1_000);
    assert.deepEqual(last().got, ["SIGKILL"]);
    void last().exit({ signal: "SIGKILL" });
    await assert.rejects(started, /failed at the stage load_app: boom/);
  });
});

describe("a worker process that dies", () => {
  it("is started again after pauses that double up to 30 s", async () => {
    const { worker, processes, last, pass, running, lines } = stage();
    await running();
    let pause = 1_000;
    for (let deaths = 1; deaths <= 7; deaths += 1) {
      await last().exit({ signal: "SIGKILL" });
      assert.equal(worker.status().state, "restarting");
      assert.equal(worker.status().pid, null);
      await pass(pause - 1);
      assert.equal(processes.length, deaths);
      await pass(1);
      assert.equal(processes.length, deaths + 1);
      await last().ready();
      assert.equal(worker.status().state, "running");
      assert.equal(worker.status().restarts, deaths);
      pause = Math.min(pause * 2, 30_000);
    }
    assert.equal(lines.filter((line) => line.startsWith("error: the worker process died")).length, 7);
  });

  it("is started again soon after a minute of health", async () => {
    const { processes, last, pass, running } = stage();
    await running();
    await last().exit({ code: 1 });
    await pass(1_000);
    await last().ready();
    await pass(60_000);
    await last().exit({ code: 1 });
    await pass(1_000);
    assert.equal(processes.length, 3);
  });

  it("is tried again when the new one cannot start", async () => {
    const { worker, processes, last, pass, running, lines } = stage();
    await running();
    await last().exit({ code: 1 });
    await pass(1_000);
    await last().exit({ code: 1 });
    assert.equal(worker.status().state, "restarting");
    assert.ok(lines.some((line) => line.includes("could not be started again")));
    await pass(2_000);
    assert.equal(processes.length, 3);
    await last().ready();
    assert.equal(worker.status().ready, true);
  });
});

describe("stopping a worker process", () => {
  it("asks it to drain and waits", async () => {
    const { worker, processes, last, pass, running } = stage();
    await running();
    const stopped = worker.stop();
    assert.equal(worker.status().state, "stopping");
    assert.deepEqual(last().got, [{ type: "stop" }]);
    await pass(35_999);
    await last().exit({ code: 0 });
    assert.equal(await stopped, "clean");
    assert.equal(worker.status().state, "stopped");
    await pass(60_000);
    assert.equal(processes.length, 1);
    assert.equal(await worker.stop(), "clean");
  });

  it("signals it, then kills it, when it does not drain", async () => {
    const { worker, last, pass, running } = stage();
    await running();
    const stopped = worker.stop();
    await pass(36_000);
    await pass(5_000);
    assert.deepEqual(last().got, [{ type: "stop" }, "SIGTERM", "SIGKILL"]);
    await last().exit({ signal: "SIGKILL" });
    assert.equal(await stopped, "escalated");
  });

  it("says escalated when the worker had to abort its tasks", async () => {
    const { worker, last, running } = stage();
    await running();
    const stopped = worker.stop();
    await last().exit({ code: 2 });
    assert.equal(await stopped, "escalated");
  });

  it("is hurried by a second stop with force", async () => {
    const { worker, last, pass, running } = stage();
    await running();
    const stopped = worker.stop();
    const forced = worker.stop({ force: true });
    await pass(6_000);
    assert.deepEqual(last().got, [{ type: "stop" }, { type: "stop", force: true }, "SIGTERM"]);
    await last().exit({ code: 2 });
    assert.deepEqual(await Promise.all([stopped, forced]), ["escalated", "escalated"]);
  });

  it("signals one that is not ready yet", async () => {
    const { worker, last } = stage();
    const started = worker.start();
    const stopped = worker.stop();
    assert.deepEqual(last().got, ["SIGTERM"]);
    void last().exit({ signal: "SIGTERM" });
    await assert.rejects(started, /ended before it was ready/);
    assert.equal(await stopped, "clean");
    assert.equal(worker.status().state, "stopped");
  });

  it("does not start another that was waiting for its turn", async () => {
    const { worker, processes, last, pass, running } = stage();
    await running();
    await last().exit({ code: 1 });
    assert.equal(await worker.stop(), "clean");
    await pass(60_000);
    assert.equal(processes.length, 1);
  });
});

it("a worker process' lines go to the log, at their level", async () => {
  const { last, running, lines } = stage();
  await running();
  last().listener.line("sidereal warn: the lease of a task was lost");
  last().listener.line("Warning: the application did not close");
  last().listener.line("(node:7) ExperimentalWarning: something");
  assert.deepEqual(lines.slice(-3), [
    "warn: the lease of a task was lost",
    "warn: the application did not close",
    "info: (node:7) ExperimentalWarning: something",
  ]);
});

describe("the health of a worker process", () => {
  const healthy = { healthy: true, reasons: [], worker: "w" };

  it("is what the process says, asked once however many ask", async () => {
    const { worker, last, running } = stage();
    assert.deepEqual((await worker.health()).reasons, ["the worker process is new"]);
    await running();
    const answers = Promise.all([worker.health(), worker.health()]);
    assert.deepEqual(last().got, [{ type: "health" }]);
    for (const noise of [null, "x", { healthy: "yes" }, { healthy: true, reasons: [5] }])
      last().listener.message({ type: "health", health: noise });
    last().listener.message({ type: "health", health: healthy });
    for (const answer of await answers)
      assert.deepEqual([answer.healthy, answer.pid, answer.state, answer.worker], [true, 100, "running", healthy]);
    const bad = { ...healthy, healthy: false, reasons: ["no claim was answered"] };
    const again = worker.health();
    last().listener.message({ type: "health", health: bad });
    assert.deepEqual([(await again).healthy, (await again).reasons], [false, ["no claim was answered"]]);
    assert.equal(last().got.length, 2);
  });

  it("is bad when the process does not answer, or dies meanwhile, and until it is back", async () => {
    const { worker, last, pass, running } = stage();
    await running();
    const silent = worker.health();
    await pass(2_000);
    assert.deepEqual((await silent).reasons, ["the worker process did not say within 2000 ms how it is"]);
    const dying = worker.health();
    await last().exit({ signal: "SIGKILL" });
    assert.deepEqual([(await dying).healthy, (await dying).reasons], [false, ["the worker process is restarting"]]);
    await pass(1_000);
    assert.deepEqual((await worker.health()).reasons, ["the worker process is restarting"]);
    await last().ready();
    const back = worker.health();
    last().listener.message({ type: "health", health: healthy });
    assert.deepEqual([(await back).healthy, (await back).restarts], [true, 1]);
  });
});
