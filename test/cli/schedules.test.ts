/** `sidereal schedules`: the real binary on a file with schedules in every state. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ScheduleInfo, task } from "../../src/index.ts";
import { onStore, project, Running, sidereal } from "./program.ts";

const APP = `
import { defineQueues, task } from "sidereal";
import { sqlite } from "sidereal/sqlite";
export const nightly = task("cli.nightly", { schedule: { cron: "0 3 * * MON", timezone: "Europe/Berlin" } }, async () => 1);
export const plain = task("cli.plain", async () => 2);
export default defineQueues({ queueBackend: sqlite("queue.db"), taskModules: ["more.mjs"] });
`;
const MORE = 'import { task } from "sidereal"; export const more = task("cli.more", { tags: ["m"] }, async () => 3);';

const nightly = task("cli.nightly", { schedule: { cron: "0 3 * * MON", timezone: "Europe/Berlin" } }, async () => 1);
const plain = task("cli.plain", async () => 2);
const more = task("cli.more", async () => 3);

async function filled(): Promise<string> {
  const cwd = project({ "app.mjs": APP, "more.mjs": MORE });
  await onStore(cwd, async (service) => {
    await service.initializeSchedules();
    await service.schedules.create("resting", { task: plain, interval: "90s" });
    await service.schedules.pause("resting");
    await service.schedules.create("modular", { task: more, cron: "*/15 * * * *" });
    const to = { name: "zz.damaged", version: 1, dueAt: null, body: '"\\u001b[2J"' };
    await service.parts.backend.advance([{ from: null, to, ticks: [] }]);
  });
  return cwd;
}

describe("sidereal schedules", { concurrency: 2 }, async () => {
  const cwd = await filled();

  it("lists name, words, zone, state, the next three runs and the last outcome", async () => {
    const { code, stdout, stderr } = await sidereal(["schedules"], { cwd });
    assert.equal(code, 0, stderr);
    const lines = stdout.trimEnd().split("\n");
    assert.match(lines[0] ?? "", /^Name +When +Zone +State +Next runs +Last run$/);
    assert.match(
      lines[2] ?? "",
      /^cli\.nightly +at 03:00 on Monday +Europe\/Berlin +active +(?:\S+T0[12]:00:00Z ?){3} +none$/,
    );
    assert.match(lines[3] ?? "", /^modular +every 15 minutes +UTC +active +(?:\S+:(?:00|15|30|45):00Z ?){3} +none$/);
    assert.match(lines[4] ?? "", /^resting +every 1\.5m +UTC +paused +none +none$/);
    assert.match(lines[5] ?? "", /^zz\.damaged .* damaged /);
    assert.match(stderr, /note: schedule zz\.damaged: its row cannot be read/);
  });

  it("prints the same as JSON", async () => {
    const { code, stdout } = await sidereal(["schedules", "--json"], { cwd });
    assert.equal(code, 0);
    const all = JSON.parse(stdout) as ScheduleInfo[];
    assert.deepEqual(
      all.map(({ name, state, origin }) => [name, state, origin]),
      [
        ["cli.nightly", "active", "code"],
        ["modular", "active", "runtime"],
        ["resting", "paused", "runtime"],
        ["zz.damaged", "damaged", "runtime"],
      ],
    );
    assert.equal(all[0]?.nextRuns.length, 3);
  });

  it("pauses, resumes, runs, previews and removes one, in a queue of its own", async () => {
    const own = await filled();
    const called = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await sidereal(["schedules", ...args], { cwd: own });
      assert.equal(code, 0, stderr);
      return stdout;
    };
    assert.match(await called("pause", "modular"), /^modular is paused\n$/);
    assert.match(await called("resume", "modular"), /^modular is active, next at \S+Z\n$/);
    const id = (await called("run", "modular")).trim();
    const record = await onStore(own, (service) => service.get(id));
    assert.equal(record?.origin?.kind, "schedule");
    assert.deepEqual([record?.taskName, record?.tags, record?.state], ["cli.more", ["m"], "pending"]);
    assert.equal((await called("preview", "modular", "--count", "3")).split("\n").length, 4);
    assert.equal((JSON.parse(await called("preview", "cli.nightly", "--json")) as unknown[]).length, 5);
    assert.match(await called("remove", "modular"), /^removed modular\n$/);
    const last = await sidereal(["schedules", "remove", "modular"], { cwd: own });
    assert.deepEqual([last.code, last.stdout], [1, "there was no schedule modular\n"]);
  });

  it("refuses what is not there, and what is wrong", async () => {
    const gone = await sidereal(["schedules", "pause", "gone"], { cwd });
    assert.equal(gone.code, 1);
    assert.match(gone.stderr, /There is no schedule gone/);
    for (const [args, says] of [
      [["preview", "modular", "--count", "0"], /--count is "0"/],
      [["pause", "a b"], /<name>: .*"a b"/],
      [["pasue", "modular"], /pasue|too many arguments/],
      [["pause"], /missing/],
    ] as const) {
      const { code, stderr } = await sidereal(["schedules", ...args], { cwd });
      assert.equal(code, 64, stderr);
      assert.match(stderr, says);
    }
  });

  it("shows what a worker started by `run` has made of the schedules in code", async () => {
    const quick = `
      import { defineQueues, task } from "sidereal";
      import { sqlite } from "sidereal/sqlite";
      task("cli.quick", { schedule: { interval: 100, limit: 3, overlap: "allow" } }, async (_, ctx) => {
        process.stderr.write(\`ticked for \${ctx.schedule}\\n\`);
      });
      export default defineQueues({ queueBackend: sqlite("queue.db") });
    `;
    const own = project({ "app.mjs": quick });
    const running = new Running(["run"], { cwd: own });
    await running.said(/(?:ticked for cli\.quick[\s\S]*){3}/);
    running.kill("SIGTERM");
    assert.equal((await running.ended).code, 0);
    const { stdout } = await sidereal(["schedules"], { cwd: own });
    assert.match(stdout, /cli\.quick +every 100ms +UTC +ended +none +completed \d+s ago\n/);
  });

  it("starts nothing and writes no schedule of the application", async () => {
    const empty = project({ "app.mjs": APP, "more.mjs": MORE });
    await onStore(empty, async () => {});
    const { code, stdout, stderr } = await sidereal(["schedules", "--json"], { cwd: empty });
    assert.deepEqual([code, stdout], [0, "[]\n"], stderr);
  });
});

void nightly;
