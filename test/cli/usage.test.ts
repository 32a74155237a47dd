/** Calls that are wrong, and help: 64 and what is allowed, 0 and nothing loaded; and the commands in another program. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readTree } from "../architecture/source.ts";
import { onStore, project, sidereal, WORK } from "./program.ts";

const nowhere = project({});

describe("a wrong call", { concurrency: 2 }, () => {
  const cases: readonly (readonly [args: string, ...says: RegExp[]])[] = [
    ["", /Usage: sidereal/],
    ["statsu", /unknown command 'statsu'[\s\S]*Did you mean status\?[\s\S]*Commands: run, status, migrate/],
    ["status --jsn", /unknown option '--jsn'[\s\S]*Did you mean --json\?[\s\S]*Options: --queue <name>, --json/],
    ["queues puase", /unknown command 'puase'[\s\S]*Did you mean pause\?[\s\S]*Commands: list, pause, resume/],
    ["queues puase mail --json", /unknown command 'puase'[\s\S]*Did you mean pause\?/],
    ["schedules rmeove nightly", /unknown command 'rmeove'[\s\S]*Did you mean remove\?/],
    ["queues mail", /unknown command 'mail'\nCommands: list, pause, resume/],
    ["queues list mail", /too many arguments for 'list'/],
    ["status extra", /too many arguments/],
    ["status --queue", /argument missing/],
    ["status --queue a/b", /--queue: .*"a\/b"/],
    ["run --max-concurrency 0", /--max-concurrency is "0"[\s\S]*from 1 to 10000/],
    ["run --max-concurrency 1.5", /whole number/],
    ["run --max-concurrency ten", /whole number/],
    ["run --drain-timeout -1", /--drain-timeout/],
    ["run --drain-timeout=-1", /--drain-timeout is "-1"[\s\S]*seconds/],
    ["run --drain-timeout 5w", /--drain-timeout is "5w"/],
    ["run --queue a --queue -b", /argument missing|is "-b"/],
    ["migrate --dryrun", /Did you mean --dry-run\?/],
    ["status --app gone.ts", /--app names was not found: gone\.ts/],
  ];
  for (const [args, ...says] of cases) {
    it(`sidereal ${args}`, async () => {
      const { code, stdout, stderr } = await sidereal(args.split(" ").filter(Boolean), { cwd: nowhere });
      assert.equal(code, 64, stderr);
      assert.equal(stdout, "");
      for (const pattern of says) assert.match(stderr, pattern);
      assert.doesNotMatch(stderr, /\n\s+at /);
    });
  }
});

describe("help", { concurrency: 2 }, () => {
  for (const args of ["--help", "run --help", "help status", "migrate -h"]) {
    it(`sidereal ${args} needs no application`, async () => {
      const { code, stdout, stderr } = await sidereal(args.split(" "), { cwd: nowhere });
      assert.equal(code, 0);
      assert.match(stdout, /Usage: sidereal/);
      assert.equal(stderr, "");
    });
  }

  it("tells the version of the package", async () => {
    const { code, stdout } = await sidereal(["--version"], { cwd: nowhere });
    assert.equal(code, 0);
    assert.match(stdout, /^\d+\.\d+\.\d+\S*\n$/);
  });

  it("loads neither core nor stores nor the TypeScript loader", () => {
    const tree = new Map(readTree().map((source) => [source.path, source]));
    const loaded = new Set<string>();
    const load = (path: string): void => {
      if (loaded.has(path)) return;
      loaded.add(path);
      for (const { target, specifier, typeOnly, kind } of tree.get(path)?.imports ?? []) {
        if (typeOnly || kind === "dynamic") continue;
        if (target !== undefined) load(target);
        else if (!specifier.startsWith("node:")) loaded.add(specifier);
      }
    };
    load("cli/bin.ts");
    const expected = ["bin", "console", "declare", "exits", "main"].map((name) => `cli/${name}.ts`);
    const others = [...loaded].filter((path) => !path.startsWith("cli/declarations/"));
    assert.deepEqual(others.sort(), [...expected, "commander", "host/logger.ts"].sort());
  });
});

describe("the commands in a program of one's own", { concurrency: 2 }, async () => {
  const PROGRAM = `
    import { Command } from "commander";
    import { addQueuesCommand } from "sidereal/cli";
    import config from "./work.mjs";
    const program = new Command("shop");
    program.command("sell").action(() => console.log("sold"));
    const group = addQueuesCommand(program, process.env.GIVEN ? { app: () => config } : {});
    if (addQueuesCommand(program) !== group) throw new Error("added twice");
    await program.parseAsync();
    console.log("after, with", process.exitCode);
  `;
  const cwd = project({ "shop.mjs": PROGRAM, "work.mjs": WORK });
  await onStore(cwd, async () => {});
  const shop = (args: string, env: Record<string, string> = { GIVEN: "1" }) =>
    sidereal(args.split(" "), { cwd, env, command: [process.execPath, "shop.mjs"] });

  it("stand in a group and leave the rest alone", async () => {
    assert.match((await shop("sell")).stdout, /^sold$/m);
    assert.match((await shop("queues --help")).stdout, /Usage: shop queues[\s\S]*status/);
    const { code, stdout, stderr } = await shop("queues status");
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^total +0\nafter, with 0$/m);
  });

  it("find an application where none is given", async () => {
    assert.equal((await shop("queues status --app work.mjs", {})).code, 0);
    assert.equal((await shop("queues status", {})).code, 64);
  });

  it("keep their exit codes", async () => {
    const { code, stderr } = await shop("queues status --nonsense");
    assert.equal(code, 64);
    assert.match(stderr, /unknown option '--nonsense'/);
    assert.equal((await shop("queues run --max-concurrency no")).code, 64);
    const group = await shop("queues schedules puase");
    assert.equal(group.code, 64);
    assert.match(group.stderr, /Did you mean pause\?/);
  });

  it("are not loaded by importing sidereal", async () => {
    const probe = `import "sidereal"; import "sidereal/sqlite"; import { createRequire } from "node:module";
      process.exitCode = Object.keys(createRequire(import.meta.url).cache).some((file) => file.includes("commander")) ? 1 : 0;`;
    const folder = project({ "probe.mjs": probe });
    assert.equal((await sidereal([], { cwd: folder, command: [process.execPath, "probe.mjs"] })).code, 0);
  });
});
