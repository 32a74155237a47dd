/** `sidereal records` and `sidereal tasks`: the real binary on a file with records of every kind, hostile ones among them. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type QueueService, task, Worker } from "../../src/index.ts";
import { type Ended, onStore, project, sidereal, WORK } from "./program.ts";

const CSI = "\u009b2J";
const HOSTILE = `\u001b[2J\u001b]0;pwned\u0007 ${CSI} \u202Eevil\nid  forged  line`;

class TerminalError extends Error {
  override readonly name = "TerminalError";
}

const bad = task("bad", { queue: "mail", retries: 0, tags: ["dead", "letter"] }, async (_: object, ctx) => {
  await ctx.log(`log ${HOSTILE}`);
  await ctx.progress(1, 3, `progress ${HOSTILE}`);
  throw new TerminalError(`message ${HOSTILE} postgres://user:hunter2@db/x`);
});
const worse = task("worse", { queue: "mail" }, (_: null) => Promise.reject(new RangeError("out of range")));
const good = task("good", { queue: "mail", description: "for people" }, async (input: unknown) => input);
const idle = task("idle", { queue: "slow" }, async (_: null) => null);

interface Filled {
  readonly cwd: string;
  readonly bad: string;
  readonly worse: string;
  readonly good: string;
  readonly idle: readonly string[];
  readonly stopped: string;
}

/** Two failed, one completed, three pending, one scheduled, one cancelled. */
async function filled(): Promise<Filled> {
  const cwd = project({ "app.mjs": WORK });
  const ids = await onStore(cwd, async (service: QueueService<never>) => {
    const worker = await new Worker(service).start();
    const one = await service.enqueue(bad, { to: "ada", deep: { text: HOSTILE } }, { metadata: { tenant: 7 } });
    const two = await service.enqueue(worse, null);
    const three = await service.enqueue(good, { n: 1 });
    for (const handle of [one, two, three]) await handle.result({ timeout: "30s" }).catch(() => null);
    await worker.stop();
    const idles = await service.enqueueMany(idle, [null, null, null]);
    const later = await service.enqueue(idle, null, { delay: "1h" });
    const stopped = await service.enqueue(idle, null);
    await stopped.cancel({ reason: "not wanted" });
    const ends = { bad: one.id, worse: two.id, good: three.id, stopped: stopped.id };
    return { ...ends, idle: [...idles, later].map(({ id }) => id) };
  });
  return { cwd, ...ids };
}

/** What a terminal would act upon. */
function assertSafe({ stdout, stderr }: Ended): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  const steering = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/u;
  assert.doesNotMatch(stdout, steering);
  assert.doesNotMatch(stderr, steering);
  assert.doesNotMatch(stderr, /\n\s+at /);
}

interface Listed {
  readonly records: readonly Record<string, unknown>[];
  readonly cursor: string | null;
}

async function listed(cwd: string, ...flags: string[]): Promise<Listed> {
  const ended = await sidereal(["records", "list", "--json", ...flags], { cwd });
  assert.equal(ended.code, 0, ended.stderr);
  assertSafe(ended);
  return JSON.parse(ended.stdout) as Listed;
}

const idsOf = ({ records }: Listed): unknown[] => records.map(({ id }) => id);

describe("records list", { concurrency: 2 }, async () => {
  const { cwd, ...ids } = await filled();

  it("prints a table, newest first, that nothing in it can break", async () => {
    const ended = await sidereal(["records", "list"], { cwd });
    assert.equal(ended.code, 0, ended.stderr);
    assertSafe(ended);
    const lines = ended.stdout.trimEnd().split("\n");
    assert.match(lines[0] ?? "", /^Id {35,}Status {5}Task {3}Queue {2}Attempt {2}Age {2}Why$/);
    assert.match(lines[1] ?? "", /^-{36} {2}-+ /);
    assert.equal(lines.length, 2 + 8);
    assert.match(lines[2] ?? "", new RegExp(`^${ids.stopped} {2}cancelled {2}idle {3}slow {9}0 +\\d+s {2}not wanted$`));
    assert.match(lines[3] ?? "", new RegExp(`^${ids.idle[3]} {2}scheduled `));
    const failed = lines.find((line) => line.startsWith(ids.bad)) ?? "";
    assert.match(failed, /TerminalError: message \\u001b\[2J/);
    assert.equal(ended.stderr, "");
  });

  const cases: readonly (readonly [flags: string, expected: () => readonly (string | undefined)[]])[] = [
    ["--status failed --oldest", () => [ids.bad, ids.worse]],
    ["--status failed --status cancelled", () => [ids.stopped, ids.worse, ids.bad]],
    ["--status scheduled", () => [ids.idle[3]]],
    ["--queue slow --status pending --oldest", () => ids.idle.slice(0, 3)],
    ["--task good", () => [ids.good]],
    ["--tag letter --tag dead", () => [ids.bad]],
    ["--tag dead --tag alive", () => []],
    ["--error RangeError", () => [ids.worse]],
    ["--ended-by", () => [ids.stopped]],
    ["--finished-since 1h --status completed", () => [ids.good]],
    ["--finished-until 1h", () => []],
    ["--since 2000-01-01 --until 2000-01-02T03:04:05Z", () => []],
    ["--schedule nightly", () => []],
    ["--limit 2 --queue mail", () => [ids.good, ids.worse]],
  ];
  for (const [flags, expected] of cases) {
    it(`${flags} means those`, async () => {
      const given = flags.split(" ");
      const found = await listed(cwd, ...(flags === "--ended-by" ? [flags, "not wanted"] : given));
      assert.deepEqual(idsOf(found), expected());
    });
  }

  it("goes on at the cursor that a page ended with", async () => {
    const first = await sidereal(["records", "list", "--limit", "3", "--oldest"], { cwd });
    assert.equal(first.code, 0);
    const cursor = /^more: --cursor (\S+)\n$/.exec(first.stderr)?.[1] ?? "";
    const one = await listed(cwd, "--limit", "3", "--oldest");
    assert.equal(one.cursor, cursor);
    const two = await listed(cwd, "--cursor", cursor, "--oldest");
    assert.deepEqual([...idsOf(one), ...idsOf(two)], [...idsOf(await listed(cwd))].reverse());
    assert.equal(two.cursor, null);
    const other = await sidereal(["records", "list", "--cursor", cursor], { cwd });
    assert.equal(other.code, 64);
    assert.match(other.stderr, /--cursor is not one/);
  });

  it("--json gives times as ISO 8601 and stored JSON as values, and no claim", async () => {
    const { records } = await listed(cwd, "--task", "bad");
    const [record] = records;
    assert.equal(record?.["status"], "failed");
    assert.deepEqual(record?.["metadata"], { tenant: 7 });
    assert.deepEqual(record?.["input"], { to: "ada", deep: { text: HOSTILE } });
    for (const name of ["createdAt", "queuedAt", "startedAt", "finishedAt"]) {
      assert.match(String(record?.[name]), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/, name);
    }
    for (const name of ["claim", "state", "ref"]) assert.ok(!(name in (record ?? {})), name);
    const { records: all } = await listed(cwd);
    assert.ok(all.every((one) => Object.keys(one).length === Object.keys(record ?? {}).length));
  });
});

describe("records show", { concurrency: 2 }, async () => {
  const { cwd, ...ids } = await filled();

  it("tells people everything, and a terminal nothing that it would act upon", async () => {
    const ended = await sidereal(["records", "show", ids.bad], { cwd });
    assert.equal(ended.code, 0, ended.stderr);
    assertSafe(ended);
    for (const says of [
      new RegExp(`^id +${ids.bad}$`, "m"),
      /^status +failed, because: error$/m,
      /^queue +mail, priority 0$/m,
      /^tags +dead, letter$/m,
      /^created +\d{4}-.*Z \(\d+s ago\)$/m,
      /^attempts +1 \(1 failed\)$/m,
      /^policy +0 retries, timeout none$/m,
      /^progress +1 of 3, progress \\u001b/m,
      /^input:\n {2}\{\n {4}"to": "ada",$/m,
      /^metadata:$/m,
      /^error:\n {2}TerminalError: message \\u001b\[2J/m,
      /^log:\n {2}\d{4}-.*Z #1 log \\u001b/m,
    ]) {
      assert.match(ended.stdout, says);
    }
    assert.doesNotMatch(ended.stdout, /hunter2/);
    assert.doesNotMatch(ended.stdout, /^id {2}forged/m);
  });

  it("cuts what is long, with a hint; --json has it all", async () => {
    const long = await onStore(cwd, async (service: QueueService<never>) => {
      const { id } = await service.enqueue(
        idle as never,
        Array.from({ length: 500 }, (_, n) => n),
      );
      return id;
    });
    const { stdout } = await sidereal(["records", "show", long], { cwd });
    assert.match(stdout, /… cut; --json shows all/);
    assert.ok(stdout.split("\n").length < 70);
    const json = await sidereal(["records", "show", long, "--json"], { cwd });
    assert.equal((JSON.parse(json.stdout) as { input: number[] }).input.length, 500);
  });

  it("fails with 1 where there is no such record, whatever was asked for", async () => {
    const ended = await sidereal(["records", "show", HOSTILE], { cwd });
    assert.equal(ended.code, 1);
    assert.equal(ended.stdout, "");
    assertSafe(ended);
    assert.match(ended.stderr, /there is no record[\s\S]*records list[\s\S]*RECORD_GONE/);
  });
});

describe("changing records by id", async () => {
  const { cwd, ...ids } = await filled();
  const run = async (...args: string[]): Promise<Ended & { readonly json: unknown }> => {
    const ended = await sidereal(["records", ...args, "--json"], { cwd });
    return { ...ended, json: ended.stdout === "" ? null : JSON.parse(ended.stdout) };
  };

  it("cancels, and says what became of each", async () => {
    const { code, json } = await run("cancel", ids.idle[0] ?? "", ids.idle[1] ?? "", "--reason", "by hand");
    assert.equal(code, 0);
    assert.deepEqual(json, [
      { id: ids.idle[0], outcome: "cancelled" },
      { id: ids.idle[1], outcome: "cancelled" },
    ]);
    const late = await run("cancel", ids.good, "nowhere");
    assert.equal(late.code, 1);
    assert.deepEqual(late.json, [
      { id: ids.good, outcome: "too-late" },
      { id: "nowhere", outcome: "gone" },
    ]);
    assert.equal((await listed(cwd, "--ended-by", "by hand")).records.length, 2);
  });

  it("revives what ended badly, and nothing else", async () => {
    const { code, json } = await run("revive", ids.worse, ids.good, ids.idle[2] ?? "", "nowhere");
    assert.equal(code, 1);
    assert.deepEqual(
      (json as { outcome: string }[]).map(({ outcome }) => outcome),
      ["revived", "completed", "not-finished", "gone"],
    );
    const table = await sidereal(["records", "revive", ids.bad], { cwd });
    assert.equal(table.code, 0);
    assert.equal(table.stdout, `Id${" ".repeat(36)}Outcome\n${"-".repeat(36)}  -------\n${ids.bad}  revived\n`);
  });

  it("retries as new records", async () => {
    const { code, json } = await run("retry", ids.good, ids.good);
    assert.equal(code, 0);
    const [only, ...more] = json as { id: string; outcome: string; newId: string }[];
    assert.deepEqual([only?.id, only?.outcome, more.length], [ids.good, "enqueued", 0]);
    const { records } = await listed(cwd, "--task", "good", "--status", "pending");
    assert.deepEqual(records[0]?.["origin"], { kind: "retry", of: ids.good });
    assert.equal(records[0]?.["id"], only?.newId);
    const live = await run("retry", ids.idle[2] ?? "", "nowhere");
    assert.equal(live.code, 1);
    assert.deepEqual(
      (live.json as { outcome: string }[]).map(({ outcome }) => outcome),
      ["not-finished", "gone"],
    );
  });
});

describe("changing records by filter", async () => {
  const { cwd, ...ids } = await filled();

  it("counts first, and changes with --yes", async () => {
    const count = await sidereal(["records", "revive", "--status", "failed"], { cwd });
    assert.equal(count.code, 0);
    assert.equal(count.stdout, "Records  Count\n-------  -----\nmatched      2\n");
    assert.match(count.stderr, /nothing was changed[\s\S]*--yes to revive/);
    assert.equal((await listed(cwd, "--status", "failed")).records.length, 2);
    const done = await sidereal(["records", "revive", "--status", "failed", "--error", "RangeError", "--yes"], { cwd });
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stdout, /^matched +1\nchanged +1\nskipped +0\nfailed +0\n$/m);
    assert.deepEqual(idsOf(await listed(cwd, "--status", "failed")), [ids.bad]);
  });

  it("keeps to a limit and a rate, and reports as JSON", async () => {
    const flags = ["--queue", "slow", "--yes", "--limit", "2", "--per-second", "unlimited", "--reason", "made space"];
    const { code, stdout, stderr } = await sidereal(["records", "cancel", ...flags, "--json"], { cwd });
    assert.equal(code, 0, stderr);
    const report = { dryRun: false, matched: 2, changed: 2, skipped: 0, failed: 0, complete: false };
    assert.deepEqual(JSON.parse(stdout), report);
    assert.match(stderr, /call it again to go on/);
    assert.equal((await listed(cwd, "--ended-by", "made space")).records.length, 2);
    const all = await sidereal(["records", "cancel", "--all", "--yes", "--json", "--per-second", "1000"], { cwd });
    assert.equal((JSON.parse(all.stdout) as { matched: number }).matched, 3);
    assert.equal((await listed(cwd, "--status", "pending", "--status", "scheduled")).records.length, 0);
  });
});

describe("wrong calls", { concurrency: 2 }, async () => {
  const { cwd, ...ids } = await filled();
  const cases: readonly (readonly [args: string, says: RegExp])[] = [
    ["records", /Usage: sidereal records/],
    [
      "records lits",
      /unknown command 'lits'[\s\S]*Did you mean list\?[\s\S]*Commands: list, show, cancel, revive, retry/,
    ],
    ["records list extra", /too many arguments/],
    ["records list --status dead", /--status is "dead"[\s\S]*pending, scheduled, running/],
    ["records list --queue a/b", /--queue: .*"a\/b"/],
    ["records list --task -x", /argument missing|--task/],
    ["records list --since yesterday", /--since is "yesterday"[\s\S]*ISO time[\s\S]*age/],
    ["records list --since 2026-13-45", /--since is "2026-13-45"/],
    ["records list --since 1h --until 2h", /--since is not earlier than --until/],
    ["records list --limit 0", /--limit is "0"[\s\S]*1 to 10000/],
    ["records list --cursor x", /--cursor is not one/],
    ["records show", /missing required argument 'id'/],
    ["records retry", /missing required argument 'ids'/],
    ["records cancel", /not said which records to cancel[\s\S]*--all/],
    ["records revive --yes", /not said which records to revive/],
    ["records revive --status completed", /--status is "completed"[\s\S]*failed, cancelled/],
    ["records cancel --status failed", /--status is "failed"[\s\S]*pending, scheduled, running/],
    ["records revive --all --per-second 0", /--per-second is "0"/],
    ["records revive --all --per-second fast", /--per-second is "fast"/],
    ["records revive --all --limit many", /--limit is "many"/],
    [`records cancel ${ids.good} --all`, /both ids and filter flags/],
    [`records revive ${ids.good} --queue mail`, /both ids and filter flags/],
    ["tasks extra", /too many arguments/],
  ];
  for (const [args, says] of cases) {
    it(`sidereal ${args}`, async () => {
      const ended = await sidereal(args.split(" "), { cwd });
      assert.equal(ended.code, 64, ended.stderr);
      assert.equal(ended.stdout, "");
      assert.match(ended.stderr, says);
      assertSafe(ended);
    });
  }

  it("a queue that is not there is an error, and stays so", async () => {
    const empty = project({ "app.mjs": WORK });
    for (const args of [["list"], ["show", "x"], ["cancel", "--all", "--yes"], ["revive", "x"], ["retry", "x"]]) {
      const { code, stdout, stderr } = await sidereal(["records", ...args], { cwd: empty });
      assert.deepEqual([code, stdout], [1, ""], args.join(" "));
      assert.match(stderr, /no queue yet/);
    }
    assert.ok(!existsSync(join(empty, "queue.db")));
  });

  it("the application's flags may stand anywhere", async () => {
    for (const args of [
      ["--app", "app.mjs", "records", "list", "--json"],
      ["records", "list", "--json", "--app", "app.mjs"],
    ]) {
      const { code, stdout } = await sidereal(args, { cwd });
      assert.equal(code, 0);
      assert.equal((JSON.parse(stdout) as Listed).records.length, 8);
    }
  });
});

describe("tasks", () => {
  it("lists what the application and its modules register, and touches no store", async () => {
    const cwd = project({
      "app.mjs": WORK.replace("defineQueues({", 'defineQueues({ taskModules: ["more/*.mjs"],'),
      "more/one.mjs": `import { task } from "sidereal";
        export const one = task("a.first", { queue: "own", retries: 3, timeout: "90s", schedule: { cron: "0 3 * * *", timezone: "Europe/Berlin" } }, () => null);
        export const two = task("b.second", { timeout: 250 }, () => null);`,
    });
    const { code, stdout, stderr } = await sidereal(["tasks"], { cwd });
    assert.equal(code, 0, stderr);
    const lines = stdout.split("\n");
    assert.match(lines[0] ?? "", /^Task +Queue +Retries +Timeout +Schedule +Defined at$/);
    assert.match(lines[2] ?? "", /^a\.first +own +3 +90s +at 03:00 every day, Europe\/Berlin +more\/one\.mjs:2$/);
    assert.match(lines[3] ?? "", /^b\.second +default +0 +250ms +none +more\/one\.mjs:3$/);
    const json = await sidereal(["tasks", "--json"], { cwd });
    const [first] = JSON.parse(json.stdout) as Record<string, unknown>[];
    assert.deepEqual(
      { ...first, definedAt: null },
      {
        ...{ name: "a.first", queue: "own", priority: 0, retries: 3, timeout: 90_000, delay: null },
        schedule: "at 03:00 every day, Europe/Berlin",
        ...{ executionBackend: null, tags: [], description: null, definedAt: null },
      },
    );
    assert.ok(!existsSync(join(cwd, "queue.db")));
  });

  it("says so when there are none", async () => {
    const cwd = project({ "app.mjs": `import { defineQueues } from "sidereal"; export default defineQueues({});` });
    const { code, stdout, stderr } = await sidereal(["tasks", "--json"], { cwd });
    assert.deepEqual([code, stdout], [0, "[]\n"]);
    assert.match(stderr, /no task is registered/);
  });
});
