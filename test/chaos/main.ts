/** `npm run chaos`: reads the command line, runs rounds, prints the verdict, and writes the report. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { FAULT_KINDS } from "./faults.ts";
import { PLANTED_BUGS, type PlantedBug } from "./planted.ts";
import { asMarkdown, asText, reportOf } from "./report.ts";
import { type RoundResult, runRound } from "./round.ts";
import { roundsOf, type Wishes } from "./rounds.ts";
import { scheduleCommand } from "./schedules.ts";
import { storeNamed } from "./stores.ts";

const USAGE = `npm run chaos -- --store sqlite|postgres|mysql [options]

  --smoke            one mixed round in under a minute
  --minutes M        further rounds until M minutes are over
  --faults A,B       of ${Object.keys(FAULT_KINDS).join(", ")}; default: all
  --tasks N          per round; default 2,000
  --kills K          random kills per round; default a tenth of the tasks
  --workers W        processes; default 4
  --concurrency C    handlers at once per process; default 2, in mixed rounds 3
  --lease MS         default 1500
  --seed S           fixes workload and plan of faults; default: drawn, and printed
  --plant BUG        runs with a planted bug: ${PLANTED_BUGS.join(", ")}
  --out FOLDER       for report.json and report.md; default test/chaos/out
  --keep             keeps store, ledgers and output of every process
  --schedules        schedules instead, with --ticks N (300), --interval MS (1000), --workers W, --seed S
`;

interface Command {
  readonly wishes: Wishes;
  readonly out: string;
  readonly keep: boolean;
}

function commandOf(args: readonly string[]): Command {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...{ store: { ...text, default: "sqlite" }, smoke: flag, minutes: text, faults: text, tasks: text, kills: text },
      ...{ workers: text, concurrency: text, lease: text, seed: text, plant: text, out: text, keep: flag },
    },
  });
  const number = (
    name: "minutes" | "tasks" | "kills" | "workers" | "concurrency" | "lease" | "seed",
  ): number | null => {
    const value = values[name];
    if (value === undefined) return null;
    if (/^\d+(?:\.\d+)?$/.test(value)) return Number(value);
    throw new Error(`--${name} ${value}: not a number`);
  };
  storeNamed(values.store);
  const faults = values.faults?.split(",") ?? null;
  const unknown = faults?.find((fault) => !(fault in FAULT_KINDS));
  if (unknown !== undefined) throw new Error(`--faults ${unknown}: not one of ${Object.keys(FAULT_KINDS).join(", ")}`);
  if (values.plant !== undefined && !PLANTED_BUGS.includes(values.plant as PlantedBug))
    throw new Error(`--plant ${values.plant}: not one of ${PLANTED_BUGS.join(", ")}`);
  const wishes: Wishes = {
    ...{ store: values.store, smoke: values.smoke, faults, seed: number("seed") ?? Math.floor(Math.random() * 1e6) },
    ...{ minutes: number("minutes"), tasks: number("tasks"), kills: number("kills"), workers: number("workers") ?? 4 },
    ...{
      concurrency: number("concurrency"),
      lease: number("lease"),
      planted: (values.plant ?? null) as PlantedBug | null,
    },
  };
  return { wishes, out: values.out ?? join("test", "chaos", "out"), keep: values.keep };
}

function commit(): string {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return "unknown";
  }
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help")) {
    process.stdout.write(USAGE);
    return 0;
  }
  let command: Command;
  try {
    command = commandOf(args);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    return 64;
  }
  const { wishes, out, keep } = command;
  const facts = {
    store: wishes.store,
    command: `npm run chaos -- ${args.join(" ")}`.trim(),
    seed: wishes.seed,
    date: new Date().toISOString().slice(0, 10),
    commit: commit(),
    node: process.versions.node,
    machine: `${process.platform} ${process.arch}, ${availableParallelism()} cores`,
  };
  const results = await rounds(wishes, keep);
  const report = reportOf(facts, results);
  process.stdout.write(asText(report));
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, "report.json"), `${JSON.stringify(report, null, 2)}\n`);
  writeFileSync(join(out, "report.md"), asMarkdown(report));
  process.stdout.write(`report: ${join(out, "report.md")}\n`);
  return report.verdict === "green" ? 0 : 1;
}

async function rounds(wishes: Wishes, keep: boolean): Promise<RoundResult[]> {
  const end = performance.now() + (wishes.minutes ?? 0) * 60_000;
  const results: RoundResult[] = [];
  process.stdout.write(`chaos on ${wishes.store}, seed ${wishes.seed}\n`);
  for (const options of roundsOf(wishes)) {
    if (wishes.minutes !== null && results.length > 0 && performance.now() >= end) break;
    const folder = mkdtempSync(join(tmpdir(), "sidereal-chaos-"));
    try {
      results.push(await runRound(options, folder));
    } finally {
      if (keep) process.stdout.write(`kept ${folder}\n`);
      else rmSync(folder, { recursive: true, force: true });
    }
  }
  return results;
}

const args = process.argv.slice(2);
// An end by force would leave the server and its stopped workers behind.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
process.exitCode = await (args.includes("--schedules") ? scheduleCommand(args) : main(args));
