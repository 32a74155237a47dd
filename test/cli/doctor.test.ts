/** `sidereal doctor`, by the real program: a healthy queue, a dangerous one, a broken one; what it prints and changes. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Finding } from "../../src/index.ts";
import { onStore, project, Running, sidereal, WORK } from "./program.ts";

interface Report {
  readonly problems: number;
  readonly warnings: number;
  readonly findings: readonly Finding[];
}

async function examined(cwd: string, env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await sidereal(["doctor", "--json"], { cwd, env });
  assert.equal(stderr, "");
  const report = JSON.parse(stdout) as Report;
  const bad = report.findings.filter(
    ({ level, check }) => level !== "ok" && check !== "runtime" && check !== "disk space",
  );
  return { code, report, bad: bad.map(({ check, level }) => `${check} ${level}`) };
}

describe("doctor", { concurrency: 2 }, () => {
  it("finds a queue with a worker well, and says so on one line each", async () => {
    const cwd = project({ "app.mjs": WORK.replace(/worker: \{.*\}/u, "worker: {}") });
    const worker = new Running(["run"], { cwd });
    await worker.said(/worker started/);
    const { code, bad, report } = await examined(cwd);
    assert.deepEqual([bad, code], [[], 0]);
    const checks = new Set(report.findings.map(({ check }) => check));
    for (const check of ["runtime", "application", "tasks", "settings", "schema", "round trip", "clock", "workers"]) {
      assert.ok(checks.has(check), check);
    }
    const { stdout } = await sidereal(["doctor"], { cwd });
    assert.match(stdout, /^ok {7}application +it loads/m);
    assert.match(stdout, /^ok {7}tasks +5 registered$/m);
    assert.match(stdout, /^ok {7}workers +1 alive$/m);
    assert.match(stdout, /\n\n0 problems, \d warnings?\n$/);
    worker.kill("SIGTERM");
    await worker.ended;
  });

  it("names what waits for nobody, what is paused, and what is dangerous", async () => {
    const danger = WORK.replace("worker: {", "worker: { leaseDuration: '2s', ");
    const cwd = project({ "app.mjs": danger });
    await onStore(cwd, async (service) => {
      await service.queues.pause("mail", { reason: "the provider is down" });
    });
    const calm = await examined(cwd, { NODE_ENV: "production" });
    assert.deepEqual(calm.bad.sort(), ["queue warning", "settings warning", "settings warning", "workers warning"]);
    assert.equal(calm.code, 0);
    const { stdout } = await sidereal(["doctor"], { cwd });
    assert.match(
      stdout,
      /^warning {2}queue +mail is paused \(the provider is down\), with 0 tasks ready\n +fix: When that is over/m,
    );
  });

  it("changes nothing: a store that is not there is a problem, and stays away", async () => {
    const cwd = project({ "app.mjs": WORK });
    const { code, bad } = await examined(cwd);
    assert.deepEqual([bad.filter((finding) => finding.endsWith("problem")), code], [["schema problem"], 1]);
    assert.ok(!existsSync(join(cwd, "queue.db")));
  });

  it("tells of an application that cannot be loaded, of missing task modules, of a memory store", async () => {
    const broken = await examined(project({ "app.mjs": 'throw new Error("no settings");' }));
    assert.deepEqual([broken.bad, broken.code], [["application problem"], 1]);
    const message = broken.report.findings.find(({ check }) => check === "application")?.message;
    assert.match(message ?? "", /could not be loaded: .*no settings/);
    const bare = 'import { defineQueues } from "sidereal"; export default defineQueues({ MORE });';
    const missing = await examined(project({ "app.mjs": bare.replace("MORE", 'taskModules: ["gone.mjs"]') }));
    assert.deepEqual([missing.bad, missing.code], [["tasks problem"], 1]);
    const memory = await examined(project({ "app.mjs": bare.replace("MORE", "") }), { NODE_ENV: "production" });
    assert.deepEqual([memory.bad, memory.code], [["tasks warning", "settings warning"], 0]);
    const none = await sidereal(["doctor"], { cwd: project({}) });
    assert.deepEqual([none.code, none.stdout], [64, ""]);
  });
});
