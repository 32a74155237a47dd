/** The processes of a run: started, restarted whenever they end, and every fault done to them written down. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Ledger } from "./ledger.ts";
import { type Failpoint, type Fate, type Orders, type Report, toEnvironment } from "./orders.ts";

export type Role = "worker" | "producer";

export interface Member {
  readonly who: string;
  readonly role: Role;
  readonly child: ChildProcess;
  /** `hit`: a fault has been done to it that ends or stops it. */
  state: "starting" | "ready" | "hit" | "dead";
  /** Where it kills itself next. */
  armed: Failpoint | null;
  /** Resolves when it has ended: true if it killed itself. */
  readonly ended: Promise<boolean>;
}

export interface CrewOptions {
  readonly orders: Omit<Orders, "who" | "fate">;
  /** Working directory and the processes' own output. */
  readonly folder: string;
  readonly ledger: Ledger;
  readonly workers: number;
  /** How the first lives of the producer end, one after the other. */
  readonly fates: readonly Fate[];
}

const ENTRY: Readonly<Record<Role, string>> = {
  worker: fileURLToPath(new URL("./worker-process.js", import.meta.url)),
  producer: fileURLToPath(new URL("./producer-process.js", import.meta.url)),
};

/** How long a process that was let go is left alone, ms. */
const AWAKE = 1_000;

export class Crew {
  readonly #options: CrewOptions;
  readonly #members = new Set<Member>();
  readonly #born = new Map<string, number>();
  readonly #fates: Fate[];
  #dismissed = false;
  #changed: (() => void)[] = [];
  /** Whether some life of the producer has seen everything acknowledged. */
  produced = false;

  constructor(options: CrewOptions) {
    this.#options = options;
    this.#fates = [...options.fates];
  }

  /** How many of the producer's fates it has not met. */
  get unmet(): number {
    return this.#fates.length;
  }

  start(): void {
    process.once("exit", this.#leave);
    for (let place = 1; place <= this.#options.workers; place += 1) this.#spawn("worker", `w${place}`);
    this.#spawn("producer", "p");
  }

  /** The processes of a role that a fault may be done to now. */
  ready(role: Role): Member[] {
    return [...this.#members].filter((member) => member.role === role && member.state === "ready");
  }

  kill(member: Member): void {
    member.state = "hit";
    this.#options.ledger.about(member.who, "killed", { extra: ["random"] });
    member.child.kill("SIGKILL");
  }

  /** Stops the process for so long; resolves when it has been let go and had time to act. */
  async pause(member: Member, ms: number): Promise<void> {
    member.state = "hit";
    this.#options.ledger.about(member.who, "stopped");
    member.child.kill("SIGSTOP");
    await new Promise((resolve) => setTimeout(resolve, ms));
    this.#options.ledger.about(member.who, "continued");
    member.child.kill("SIGCONT");
    // A zombie that is stopped again at once never gets to act.
    await new Promise((resolve) => setTimeout(resolve, AWAKE));
    if (member.state === "hit") member.state = "ready";
  }

  term(member: Member): void {
    member.state = "hit";
    this.#options.ledger.about(member.who, "termed");
    member.child.kill("SIGTERM");
  }

  /** Asks twice: the second time, running tasks are aborted. */
  async force(member: Member): Promise<void> {
    this.term(member);
    // The second signal must find the first one taken, or the two are one.
    await this.change(50);
    if (member.child.exitCode !== null) return;
    this.#options.ledger.about(member.who, "forced");
    member.child.kill("SIGTERM");
  }

  /** The process kills itself when it next reaches the place; meanwhile other faults may meet it too. */
  arm(member: Member, arm: Failpoint): void {
    member.armed = arm;
    if (member.child.connected) member.child.send({ arm });
  }

  /** The user's code in the process takes every connection for so long, where it has a pool. */
  hog(member: Member, ms: number): void {
    if (member.child.connected) member.child.send({ hog: ms });
  }

  /** Resolves at the next start, readiness or end of a process, or after so long. */
  async change(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#changed.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** Ends everybody with SIGTERM, and with SIGKILL who has not ended after so long; nobody is restarted. */
  async dismiss(patience: number): Promise<void> {
    this.#dismissed = true;
    for (const member of this.#members) this.term(member);
    const deadline = performance.now() + patience;
    while (this.#members.size > 0 && performance.now() < deadline) await this.change(100);
    this.#end();
    while (this.#members.size > 0) await this.change(100);
  }

  /** Ends everybody at once. */
  abandon(): void {
    this.#dismissed = true;
    this.#leave();
    process.removeListener("exit", this.#leave);
  }

  /** Who is stopped does not notice that the supervisor has gone. */
  readonly #leave = (): void => this.#end();

  #end(): void {
    for (const { child } of this.#members) child.kill("SIGKILL");
  }

  #spawn(role: Role, place: string): void {
    const { orders, folder, ledger } = this.#options;
    const born = (this.#born.get(place) ?? 0) + 1;
    this.#born.set(place, born);
    const who = `${place}.${born}`;
    const fate = role === "producer" ? (this.#fates.shift() ?? null) : null;
    const output = openSync(join(folder, "output.log"), "a");
    ledger.about(who, "spawned", { extra: [role] });
    const child = spawn(process.execPath, ["--enable-source-maps", ENTRY[role]], {
      cwd: folder,
      env: { ...process.env, NODE_OPTIONS: "", ...toEnvironment({ ...orders, who, fate }) },
      stdio: ["ignore", output, output, "ipc"],
    });
    closeSync(output);
    const ended = new Promise<boolean>((resolve) => {
      child.once("exit", (_, signal) => resolve(signal === "SIGKILL" && member.state !== "hit"));
    });
    const member: Member = { who, role, child, state: "starting", armed: null, ended };
    this.#members.add(member);
    child.on("message", (report: Report) => this.#heard(member, report));
    // A message to a process that has just died.
    child.on("error", () => {});
    child.on("exit", (code, signal) => {
      this.#members.delete(member);
      ledger.about(who, "exited", { extra: [signal ?? code ?? "nothing"] });
      // Something else was faster.
      if (fate !== null && (signal !== "SIGKILL" || member.state === "hit")) this.#fates.push(fate);
      member.state = "dead";
      this.#tell();
      if (!this.#dismissed) this.#spawn(role, place);
    });
  }

  #heard(member: Member, report: Report): void {
    if ("done" in report) this.produced = true;
    else if (member.state === "starting") member.state = "ready";
    this.#tell();
  }

  #tell(): void {
    for (const resolve of this.#changed.splice(0)) resolve();
  }
}
