/** What the Fastify example, the command line and the demonstration say about a DATABASE_URL that leads nowhere. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { root } from "../architecture/source.ts";
import { type Ended, project, sidereal } from "../cli/program.ts";

const example = join(root, "build/examples/fastify");
const demo = join(root, "scripts/demo.mjs");
const cwd = project({});
const bare = `--import=${pathToFileURL(join(import.meta.dirname, "without-drivers.js")).href}`;

interface Wrong {
  readonly address: string;
  readonly says: RegExp;
  readonly options?: string;
}

const wrongs: Readonly<Record<string, Wrong>> = {
  "with a wrong scheme": {
    address: "http://app:hunter2@127.0.0.1/app",
    says: /DATABASE_URL must begin with postgres:\/\/, mysql:\/\/ or mariadb:\/\//,
  },
  "that mysql2 cannot read": { address: "mysql://app:hunter2#@127.0.0.1:1/app", says: /the address cannot be read/ },
  "that pg cannot read": { address: "postgres://app:hunter2#@127.0.0.1:1/app", says: /the address cannot be read/ },
  "of no PostgreSQL server": { address: "postgres://app:hunter2@127.0.0.1:1/app", says: /\(ECONNREFUSED\)/ },
  "of no MariaDB server": { address: "mysql://app:hunter2@127.0.0.1:1/app", says: /\(ECONNREFUSED\)/ },
  "without pg": {
    address: "postgres://app:hunter2@127.0.0.1:1/app",
    says: /The PostgreSQL store needs pg\. Run: npm install pg/,
    options: bare,
  },
  "without mysql2": {
    address: "mysql://app:hunter2@127.0.0.1:1/app",
    says: /The MySQL store needs mysql2\. Run: npm install mysql2/,
    options: bare,
  },
};

function saysSo({ code, stdout, stderr }: Ended, says: RegExp): void {
  assert.equal(code, 1, stderr);
  assert.match(stdout + stderr, says);
  assert.doesNotMatch(stdout + stderr, /hunter2/);
}

describe("a DATABASE_URL", { concurrency: 2 }, () => {
  for (const [name, { address, says, options = "" }] of Object.entries(wrongs)) {
    const env = { DATABASE_URL: address, NODE_OPTIONS: options, PORT: "0" };

    it(`${name} ends a worker with a reason and no stack`, async () => {
      const worker = await sidereal(["run", "--app", join(example, "app.js")], { cwd, env });
      saysSo(worker, says);
      assert.doesNotMatch(worker.stderr, /node_modules|errors\.js/);
    });
  }

  for (const name of ["that mysql2 cannot read", "that pg cannot read", "of no PostgreSQL server"]) {
    it(`${name} ends the server of the example, too`, async () => {
      const { address = "", says = /never/ } = wrongs[name] ?? {};
      const env = { DATABASE_URL: address, PORT: "0" };
      saysSo(await sidereal([], { cwd, env, command: [process.execPath, join(example, "server.js")] }), says);
    });
  }
});

describe("the demonstration", { concurrency: 2 }, () => {
  const cases: readonly (readonly [args: string, address: string, says: RegExp])[] = [
    ["", "http://app:hunter2@h/app", /✗ DATABASE_URL must begin with postgres:\/\//],
    ["", "postgres://app:hunter2#@h/app", /✗ DATABASE_URL is not the address of a PostgreSQL server, like postgres:/],
    [
      "",
      "postgres://app:hunter2@127.0.0.1:1/app",
      /PostgreSQL at 127\.0\.0\.1:1 .*ECONNREFUSED[\s\S]*Start a server there/,
    ],
    ["", "mariadb://app:hunter2@127.0.0.1:1/app", /MariaDB or MySQL at 127\.0\.0\.1:1 .*ECONNREFUSED/],
    ["--store mysql", "postgres://app:hunter2@h/app", /not the address of a MariaDB or MySQL server/],
    ["--store redis", "", /--store is "redis"[\s\S]*Usage: npm run demo/],
  ];
  for (const [args, address, says] of cases) {
    it(`refuses ${args || address}`, async () => {
      const command = [process.execPath, demo, "--built", ...args.split(" ").filter(Boolean)];
      const ended = await sidereal([], { cwd, env: { DATABASE_URL: address }, command });
      saysSo(ended, says);
      assert.doesNotMatch(ended.stdout + ended.stderr, /\n\s+at /);
    });
  }
});
