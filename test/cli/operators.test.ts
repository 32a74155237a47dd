/** `queues`, `workers` and `explain`: what they print, and that a worker in another process obeys them. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type QueueService, task } from "../../src/index.ts";
import { root } from "../architecture/source.ts";
import { onStore, project, Running, sidereal, WORK } from "./program.ts";

// The tasks of WORK, as a producer beside the worker knows them.
const brief = task("brief", async (input: number) => input);
const patient = task("patient", async () => null);

const made = (): string => project({ "app.mjs": WORK });
const lines = (text: string): string[] => text.trimEnd().split("\n");
const HOSTILE = "down\u001b[2J\u0007 for good";

describe("queues", { concurrency: 2 }, () => {
  it("lists, pauses and resumes; each says what it found", async () => {
    const cwd = made();
    await onStore(cwd, async (service) => {
      await service.enqueueMany(brief, [1, 2], { queue: "mail" });
      await service.enqueue(brief, 3, { queue: "mail", delay: "1h" });
    });
    const pause = ["queues", "pause", "reports", "--reason", HOSTILE];
    const first = await sidereal(pause, { cwd });
    assert.deepEqual([first.code, first.stdout, first.stderr], [0, "paused reports\n", ""]);
    const again = await sidereal(pause, { cwd });
    assert.deepEqual([again.code, again.stdout], [0, "reports was paused already\n"]);
    const { code, stdout, stderr } = await sidereal(["queues"], { cwd });
    assert.deepEqual([code, stderr], [0, ""]);
    const [head, rule, mail, reports, ...more] = lines(stdout);
    assert.deepEqual(more, []);
    const title = "Queue    Pending  Scheduled  Running  Completed  Failed  Cancelled  Oldest  Workers  Paused";
    assert.equal(head, title);
    assert.match(rule ?? "", /^-{7} {2}-{7} {2}-{9} {2}/);
    assert.match(mail ?? "", /^mail {11}2 {10}1 {8}0 {10}0 {7}0 {10}0 {2,6}\d+s {8}0 {2}-$/);
    assert.match(reports ?? "", /^reports {8}0 .* - {8}0 {2}\d+s ago: down\\u001b\[2J\\u0007 for good$/);
    const listed = await sidereal(["queues", "list", "--json"], { cwd });
    const json = JSON.parse(listed.stdout);
    assert.equal(lines(listed.stdout).length, 1);
    assert.deepEqual(
      json.map(({ name, counts }: { name: string; counts: object }) => [name, counts]),
      [
        ["mail", { pending: 2, scheduled: 1, running: 0, completed: 0, failed: 0, cancelled: 0, total: 3 }],
        ["reports", { pending: 0, scheduled: 0, running: 0, completed: 0, failed: 0, cancelled: 0, total: 0 }],
      ],
    );
    assert.match(json[0].oldestReadyAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.ok(json[0].oldestAge >= 0);
    assert.deepEqual([json[0].paused, json[1].paused.reason, json[1].oldestAge], [null, HOSTILE, null]);
    const resumed = await sidereal(["queues", "resume", "reports", "--json"], { cwd });
    assert.deepEqual([resumed.code, resumed.stdout], [0, '{"queue":"reports","paused":false,"changed":true}\n']);
    const twice = await sidereal(["queues", "resume", "reports"], { cwd });
    assert.deepEqual([twice.code, twice.stdout], [0, "reports was not paused\n"]);
    const json2 = await sidereal(["queues", "pause", "reports", "--json"], { cwd });
    assert.equal(json2.stdout, '{"queue":"reports","paused":true,"changed":true}\n');
  });

  it("creates nothing where there is no store", async () => {
    for (const args of [["queues"], ["queues", "pause", "a"], ["workers"], ["explain", "x"]]) {
      const { code, stdout, stderr } = await sidereal(args, { cwd: made() });
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, /no queue yet/);
    }
  });
});

describe("a wrong call", { concurrency: 2 }, () => {
  const cwd = project({});
  for (const [args, says] of [
    ["queues pause", /missing required argument 'name'/],
    ["queues pause a/b", /the queue: .*"a\/b"/],
    ["queues resume a/b", /the queue: .*"a\/b"/],
    ["queues puase a", /Commands: list, pause, resume|too many arguments/],
    ["queues list extra", /too many arguments/],
    ["queues pause a --reson x", /Did you mean --reason\?/],
    ["workers --jsn", /Did you mean --json\?/],
    ["explain", /missing required argument 'id'/],
  ] as const) {
    it(`sidereal ${args}`, async () => {
      const { code, stdout, stderr } = await sidereal(args.split(" "), { cwd });
      assert.deepEqual([code, stdout], [64, ""], stderr);
      assert.match(stderr, says);
    });
  }
});

/** Waits for something in the store; between two looks everything else gets its turn. */
async function until<T>(look: () => Promise<T | undefined | false>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("a worker in another process", () => {
  it("obeys a pause, and the end of it; workers and explain tell of it", { timeout: 120_000 }, async () => {
    const cwd = made();
    await onStore(cwd, async () => {});
    const worker = new Running(["run", "--max-concurrency", "2"], { cwd });
    await worker.said(/sidereal worker started/);
    await onStore(cwd, async (service) => {
      await obeys(service, cwd);
      await told(service, cwd, worker);
    });
    worker.kill("SIGINT");
    await worker.said(/claiming no more/);
    worker.kill("SIGINT");
    assert.equal((await worker.ended).code, 2);
    const { stdout } = await sidereal(["workers", "--json"], { cwd });
    assert.equal(stdout, "[]\n", "a worker that stopped is not listed");
  });
});

async function obeys(service: QueueService<never>, cwd: string): Promise<void> {
  const ids: string[] = [];
  const put = async (): Promise<string> => {
    const { id } = await service.enqueue(brief, 1, { queue: "mail" });
    ids.push(id);
    return id;
  };
  const record = async (id: string) => (await service.get(id)) ?? assert.fail(`${id} is gone`);
  /** How long a record of another queue lay until it was begun: what the machine's other load does to this worker. */
  let slowest = 0;
  const beat = async (): Promise<void> => {
    const handle = await service.enqueue(brief, 0, { queue: "other" });
    await handle.result({ timeout: "1m" });
    const { startedAt, readyAt } = await record(handle.id);
    slowest = Math.max(slowest, (startedAt as number) - readyAt);
  };
  for (let n = 0; n < 20; n += 1) await put();
  await beat();
  assert.equal((await sidereal(["queues", "pause", "mail"], { cwd })).code, 0);
  const [mail] = (await service.queues.list()).filter(({ name }) => name === "mail");
  const pausedAt = mail?.paused?.at as number;
  // Two seconds of the store's clock, in which the worker is seen to serve another queue.
  for (let at = pausedAt; at < pausedAt + 2_000; ) {
    at = (await record(await put())).createdAt;
    await beat();
  }
  const records = await Promise.all(ids.map(record));
  const last = Math.max(...records.map(({ startedAt }) => startedAt ?? 0));
  assert.ok(last <= pausedAt + 1_000 + slowest, `begun ${last - pausedAt} ms after the pause; slowest ${slowest} ms`);
  const waiting = records.filter(({ state }) => state === "pending");
  assert.ok(waiting.length > 0);
  const { stdout } = await sidereal(["explain", waiting[0]?.id ?? "", "--json"], { cwd });
  assert.equal(JSON.parse(stdout).causes[0].code, "queue-paused");
  assert.equal((await sidereal(["queues", "resume", "mail"], { cwd })).code, 0);
  for (const { id } of waiting) await (await service.handle(id))?.result({ timeout: "1m" });
}

async function told(service: QueueService<never>, cwd: string, worker: Running): Promise<void> {
  const { id } = await service.enqueue(patient);
  const own = await until(async () => (await service.workers()).find(({ runningCount }) => runningCount > 0));
  assert.deepEqual([own.pid, own.running[0]?.id], [worker.child.pid, id]);
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const { code, stdout, stderr } = await sidereal(["workers"], { cwd });
  assert.deepEqual([code, stderr], [0, ""]);
  const [head, , row, ...more] = lines(stdout);
  assert.match(head ?? "", /^Worker +State +Heartbeat +Up +Slots +Tasks +Queues +Running$/);
  assert.match(row ?? "", new RegExp(`^${own.id} +ready +\\d+s +\\d+s +1/2 +5 +\\* +patient \\d+s$`));
  assert.deepEqual(more, []);
  const [json] = JSON.parse((await sidereal(["workers", "--json"], { cwd })).stdout);
  assert.deepEqual([json.version, json.node, json.pid], [version, process.versions.node, worker.child.pid]);
  assert.match(json.heartbeatAt, /^\d{4}-.*Z$/);
  assert.match(json.running[0].startedAt, /^\d{4}-.*Z$/);
  const explained = await sidereal(["explain", id], { cwd });
  assert.equal(explained.code, 0);
  const [title, blank, sentence, advice] = explained.stdout.split("\n");
  assert.equal(title, `${id}  patient  running, in queue default`);
  assert.equal(blank, "");
  assert.match(sentence ?? "", new RegExp(`^- Attempt 1 runs on worker ${own.id} \\(host `));
  assert.match(advice ?? "", /^ {2}Wait for it/);
}

describe("explain", { concurrency: 2 }, () => {
  it("says why a task waits, as text and as JSON", async () => {
    const cwd = made();
    const id = await onStore(cwd, async (service) => (await service.enqueue(brief, 1, { expiresIn: "1h" })).id);
    const { code, stdout, stderr } = await sidereal(["explain", id], { cwd });
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(
      stdout,
      /^\S+ {2}brief {2}pending, in queue default\n\n- No worker is running: .*\n {2}Start a worker: .*\n\n- If it has not started by .*\n {2}Mend .*\n$/,
    );
    const { stdout: text } = await sidereal(["explain", id, "--json"], { cwd });
    const json = JSON.parse(text);
    assert.deepEqual([json.id, json.taskName, json.queue, json.status], [id, "brief", "default", "pending"]);
    assert.match(json.at, /^\d{4}-.*Z$/);
    assert.deepEqual(
      json.causes.map(({ code: cause }: { code: string }) => cause),
      ["no-worker", "expires"],
    );
  });

  it("cannot be made to write to the terminal by a reason", async () => {
    const cwd = made();
    const id = await onStore(cwd, async (service) => {
      const handle = await service.enqueue(brief, 1);
      await handle.cancel({ reason: HOSTILE });
      return handle.id;
    });
    const { stdout } = await sidereal(["explain", id], { cwd });
    assert.match(stdout, /It was cancelled at .*: down\\u001b\[2J\\u0007 for good\./);
  });

  it("fails for an id that no record has", async () => {
    const cwd = made();
    await onStore(cwd, async () => {});
    for (const id of ["00000000-0000-7000-8000-000000000000", "nonsense\u001b"]) {
      const { code, stdout, stderr } = await sidereal(["explain", id], { cwd });
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, /no record has the id[\s\S]*RECORD_GONE/);
      assert.ok(!stderr.includes("\u001b"));
    }
  });
});
