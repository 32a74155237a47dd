/** What a worker process is started with, as the server's own process was; and what of its output is not shown. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { withoutSecrets } from "../../src/web/lines.ts";
import { type ServerProcess, workerCommand } from "../../src/web/worker-command.ts";
import { scratchFolder } from "./stage.ts";

const folder = scratchFolder();
const main = join(folder, "server.js");
writeFileSync(main, "");
const server: ServerProcess = {
  execPath: "/usr/bin/node",
  execArgv: [],
  argv: ["/usr/bin/node", main],
  env: { HOME: "/home/joe" },
  cwd: () => folder,
};

/** The arguments after the program's own path. */
function run(process: Partial<ServerProcess>): readonly string[] {
  const { args } = workerCommand("queueService", { ...server, ...process });
  return args.slice(args.indexOf("run"));
}

describe("a worker process' command", () => {
  it("runs the server's main module, for one service", () => {
    const command = workerCommand("mailQueue", server);
    assert.equal(command.file, "/usr/bin/node");
    assert.match(command.args[0] ?? "", /[\\/]cli[\\/]bin\.js$/);
    assert.deepEqual(command.args.slice(1), ["run", "--app", main, "--service", "mailQueue"]);
    assert.deepEqual(command.env, { HOME: "/home/joe", SIDEREAL_CHILD: "1" });
  });

  it("leaves the search to the command line where the application is named, or the main module is a tool's", () => {
    const bare = ["run", "--service", "queueService"];
    assert.deepEqual(run({ env: { SIDEREAL_APP: "other.ts" } }), bare);
    assert.deepEqual(run({ argv: ["node"] }), bare);
    assert.deepEqual(run({ argv: ["node", join(folder, "absent.js")] }), bare);
    const tool = join(folder, "node_modules", "fastify-cli");
    mkdirSync(tool, { recursive: true });
    writeFileSync(join(tool, "cli.js"), "");
    assert.deepEqual(run({ argv: ["node", join(tool, "cli.js")] }), bare);
    const named = join(folder, "named");
    mkdirSync(named);
    writeFileSync(join(named, "package.json"), '{"sidereal":{"app":"src/app.ts"}}');
    assert.deepEqual(run({ cwd: () => named }), bare);
    writeFileSync(join(named, "package.json"), "{");
    assert.deepEqual(run({ cwd: () => named }), ["run", "--app", main, "--service", "queueService"]);
  });

  it("inherits loaders and limits, not debuggers, watchers and code", () => {
    const execArgv = [
      ...["--inspect=0", "--import", "tsx", "--max-old-space-size=64", "-e", "code()", "--watch-path=src", "--test"],
      ...["--eval=code()", "--enable-source-maps", "-r", "./setup.cjs", "-p", "1"],
    ];
    const { args } = workerCommand("queueService", { ...server, execArgv });
    assert.deepEqual(args.slice(0, args.indexOf("run") - 1), [
      ...["--import", "tsx", "--max-old-space-size=64", "--enable-source-maps", "-r", "./setup.cjs"],
    ]);
  });
});

it("secrets are blanked in what a worker process writes", () => {
  const cases = {
    "connect postgres://joe:p4ss@db:5432/app failed": "connect postgres://***@db:5432/app failed",
    "redis://:p4ss@cache and http://plain/": "redis://***@cache and http://plain/",
    'PGPASSWORD=p4ss {"api_key":"p4ss","n":1}': 'PGPASSWORD=*** {"api_key":***,"n":1}',
    "authToken: 'p4 ss', next": "authToken: ***, next",
    "mail to joe@example.org": "mail to joe@example.org",
  };
  for (const [line, shown] of Object.entries(cases)) assert.equal(withoutSecrets(line), shown);
});
