// The demonstration on a server: the Fastify example by DATABASE_URL, and two standalone workers, one of which is stopped.
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { run } from "../process.mjs";
import { ownDatabase, servers } from "./own-database.mjs";
import { ask, atEnd, bin, check, examples, say, server, step, stop, worker } from "./stage.mjs";

const app = join(examples, "fastify", "app.js");
const listener = join(examples, "fastify", "server.js");

/** Accounts that are asked for and not synced yet: more than both workers have hands, so that neither is ever idle. */
const OPEN = 16;
/** How many accounts each worker syncs before one of them is stopped, and how many are asked for behind it. */
const EACH = 40;
/** How long to wait for any of it. */
const PATIENCE = 60_000;

/** @typedef {{ taskId: string, status: string, attempt: number, result: { by: number } | null }} Answer */

/** Accounts that are asked for over HTTP, and what became of each. */
class Accounts {
  /** @type {Map<string, Answer | null>} By the task's id, as the server answered; null: it has not ended. */
  answers = new Map();

  /** @param {string} url */
  constructor(url) {
    this.url = url;
  }

  get open() {
    return [...this.answers].filter(([, answer]) => answer === null).map(([id]) => id);
  }

  /** How many a process has synced. @param {number | undefined} pid */
  by(pid) {
    return [...this.answers.values()].filter((answer) => answer?.result?.by === pid).length;
  }

  /** @param {number} count */
  async post(count) {
    const paths = Array.from({ length: count }, (_, n) => `/accounts/${this.answers.size + n + 1}/sync`);
    for (const { taskId } of await Promise.all(paths.map((path) => ask(this.url, path, {})))) {
      this.answers.set(taskId, null);
    }
  }

  /** Asks what became of those that had not ended. */
  async look() {
    for (const answer of await Promise.all(this.open.map((id) => ask(this.url, `/tasks/${id}`)))) {
      if (answer.status === "completed") this.answers.set(answer.taskId, answer);
      if (answer.status === "failed" || answer.status === "cancelled") {
        throw new Error(`task ${answer.taskId} is ${answer.status}`);
      }
    }
  }

  /**
   * Goes on until the condition holds.
   * @param {string} what - It is called in the error if it never does.
   * @param {() => boolean} until
   * @param {number} [busy] - Asks for more accounts whenever fewer than so many are open.
   */
  async watch(what, until, busy = 0) {
    for (const end = performance.now() + PATIENCE; !until(); ) {
      if (performance.now() > end) throw new Error(`the demo waited ${PATIENCE / 1_000} s in vain: ${what}`);
      await this.post(Math.max(0, busy - this.open.length));
      await pause(20);
      await this.look();
    }
  }

  /**
   * Keeps accounts coming until something is done, and answers what that answers.
   * @template T
   * @param {string} what
   * @param {Promise<T>} doing
   * @returns {Promise<T>}
   */
  async during(what, doing) {
    let isOver = false;
    const over = () => {
      isOver = true;
    };
    doing.then(over, over);
    await this.watch(what, () => isOver, OPEN);
    return doing;
  }
}

/**
 * Runs a command of `sidereal` and shows it.
 * @param {string} command
 * @param {NodeJS.ProcessEnv} env
 */
async function sidereal(command, env) {
  say(`\n  $ sidereal ${command}    (another process)`);
  const args = [bin, ...command.split(" "), "--app", app];
  const { code, output } = await run(process.execPath, args, { capture: true, env: { ...process.env, ...env } });
  say(output.replace(/^(?=.)/gmu, "  ").trimEnd());
  if (code !== 0) throw new Error(`sidereal ${command} ended with code ${code}`);
  return output;
}

async function alone() {
  step("The Fastify example without DATABASE_URL: a SQLite file, and the server works itself");
  const { child, url } = await server(listener, { DATABASE_URL: "", PORT: "0" });
  const accounts = new Accounts(url);
  await accounts.post(3);
  await accounts.watch("three accounts are synced", () => accounts.open.length === 0);
  check(accounts.by(child.pid) === 3, "3 accounts posted, 3 synced by the server's own process");
  check((await stop(child)) === 0, "the server drains and exits 0");
}

/**
 * @param {string} title
 * @param {{ address: string, where: string }} database
 */
async function shared(title, { address, where }) {
  step(`The same example with DATABASE_URL: ${title}, and two standalone workers`);
  say(`  ${where}`);
  const env = { DATABASE_URL: address, PORT: "0" };
  const { child: web, url } = await server(listener, env);
  const args = ["--app", app, "--max-concurrency", "4", "--drain-timeout", "20"];
  const [first, second] = await Promise.all([worker("worker 1", args, env), worker("worker 2", args, env)]);
  const accounts = new Accounts(url);
  const tally = () => `worker 1 ${accounts.by(first.pid)}, worker 2 ${accounts.by(second.pid)}`;
  const both = () => Math.min(accounts.by(first.pid), accounts.by(second.pid)) >= EACH;
  await accounts.watch(`each worker syncs ${EACH} accounts`, both, OPEN);
  check(
    accounts.by(web.pid) === 0,
    `accounts posted over HTTP were synced by both workers, none by the server: ${tally()}`,
  );
  await accounts.during("sidereal workers", sidereal("workers", env));

  say("\n  SIGTERM to worker 1, while accounts are being posted");
  await accounts.post(OPEN);
  check((await accounts.during("worker 1 ends", stop(first))) === 0, "worker 1 drains and exits 0");
  await accounts.post(EACH);
  await accounts.watch("every account is synced", () => accounts.open.length === 0);
  check(true, `worker 2 goes on alone: ${tally()}`);

  const posted = accounts.answers.size;
  const counts = JSON.parse(await sidereal("status --json", env));
  check(
    counts.completed === posted && counts.total === posted,
    `${posted} posted, ${counts.completed} completed: none lost`,
  );
  const again = [...accounts.answers.values()].filter((answer) => answer?.attempt !== 1).length;
  check(again === 0, "each at its first attempt: the stop cost nobody a retry");
  check((await stop(second)) === 0, "worker 2 exits 0");
  check((await stop(web)) === 0, "the server exits 0");
}

/**
 * @param {keyof typeof servers} kind
 * @param {string} [address]
 */
export async function demonstrate(kind, address) {
  const database = await ownDatabase(kind, address);
  atEnd(database.drop);
  await alone();
  await shared(servers[kind].title, database);
  return "The application is in examples/fastify; its database is removed again.";
}
