/**
 * Chaos for schedules: real processes with a worker each on one SQLite file, `kill -9` at random, and afterwards a look
 * into the file: every nominal instant has one record, and none is missing.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { sqlite } from "../../src/backends/sqlite/index.ts";
import { QueueService } from "../../src/index.ts";
import { Chance } from "../../src/testing/backend-contract/chance.ts";
import { allRecords } from "../../src/testing/records.ts";

export interface ScheduleChaos {
  /** Nominal instants to see run before the end. */
  readonly ticks: number;
  /** Milliseconds between two. */
  readonly interval: number;
  readonly processes: number;
  readonly seed: number;
}

export interface ScheduleVerdict {
  readonly ticks: number;
  readonly kills: number;
  /** Runs that were begun again because their process died. */
  readonly repeated: number;
  /** What is wrong; empty: nothing. */
  readonly violations: readonly string[];
}

const ENTRY = fileURLToPath(new URL("./schedule-process.js", import.meta.url));

/** Runs until so many instants have run, killing a process every few of them. */
export async function scheduleChaos({ ticks, interval, processes, seed }: ScheduleChaos): Promise<ScheduleVerdict> {
  const folder = mkdtempSync(join(tmpdir(), "sidereal-schedules-"));
  const file = join(folder, "queue.db");
  const chance = new Chance(seed);
  const crew = new Set<ChildProcess>();
  const seen = new Set<number>();
  let [kills, next] = [0, 3];
  try {
    await new Promise<void>((resolve) => {
      const start = (): void => {
        const child = fork(ENTRY, [file, String(interval)], { execArgv: ["--enable-source-maps"] });
        crew.add(child);
        child.on("message", ({ instant }: { readonly instant: number }) => {
          seen.add(instant);
          if (seen.size >= ticks) resolve();
          else if (seen.size >= next) {
            next = seen.size + 1 + chance.below(4);
            kills += 1;
            chance.pick([...crew])?.kill("SIGKILL");
          }
        });
        child.once("exit", () => {
          crew.delete(child);
          if (seen.size < ticks) start();
        });
      };
      for (let count = 0; count < processes; count += 1) start();
    });
    const ended = [...crew].map((child) => once(child, "exit"));
    for (const child of crew) if (child.connected) child.send("stop");
    await Promise.all(ended);
    return { kills, ...(await judged(file, interval)) };
  } finally {
    for (const child of crew) child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  }
}

async function judged(file: string, interval: number): Promise<Omit<ScheduleVerdict, "kills">> {
  const service = new QueueService({ queueBackend: sqlite(file) });
  await service.open();
  try {
    const violations: string[] = [];
    const records = await allRecords(service.parts.calls);
    const instants = records.map(({ origin }) => (origin?.kind === "schedule" ? origin.scheduledFor : Number.NaN));
    instants.sort((a, b) => a - b);
    for (const [at, instant] of instants.entries()) {
      const since = at === 0 ? interval : instant - (instants[at - 1] ?? 0);
      if (since === 0) violations.push(`two records of ${instant}`);
      else if (since !== interval) violations.push(`${since / interval - 1} instants before ${instant} have no record`);
    }
    const info = await service.schedules.get("chaos.tick");
    const first = (info?.createdAt.getTime() ?? 0) + interval;
    if (instants[0] !== first) violations.push(`the first instant is ${instants[0]}, not ${first}`);
    if (info?.count !== records.length) violations.push(`it counts ${info?.count} of ${records.length}`);
    const repeated = records.filter(({ attempt }) => attempt > 1).length;
    return { ticks: records.length, repeated, violations };
  } finally {
    await service.close();
  }
}

/** `npm run chaos -- --schedules [--ticks 300] [--interval 1000] [--workers 4] [--seed 1]`. @returns the exit code */
export async function scheduleCommand(args: readonly string[]): Promise<number> {
  const text = (value: string) => ({ type: "string", default: value }) as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      schedules: { type: "boolean", default: true },
      ...{ ticks: text("300"), interval: text("1000"), workers: text("4"), seed: text("1") },
    },
  });
  const [ticks, interval, processes, seed] = [values.ticks, values.interval, values.workers, values.seed].map(Number);
  const verdict = await scheduleChaos({ ticks, interval, processes, seed } as ScheduleChaos);
  const { violations, ...counts } = verdict;
  for (const violation of violations) process.stdout.write(`${violation}\n`);
  process.stdout.write(`${JSON.stringify(counts)}: ${violations.length === 0 ? "green" : "red"}\n`);
  return violations.length === 0 ? 0 : 1;
}
