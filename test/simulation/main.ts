/** `npm run simulate`: runs seeds, prints what was injected and checked, and replays one seed. */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Outcome } from "./simulate.ts";

/** What one range of seeds came to. */
interface Sums {
  seeds: number;
  events: number;
  records: number;
  lasted: number;
  checks: Record<string, number>;
  faults: Record<string, number>;
  failed: { seed: number; text: string }[];
}

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    trace: { type: "boolean", default: false },
    "until-red": { type: "boolean", default: false },
    processes: { type: "string", default: "2" },
    part: { type: "string" },
    schedules: { type: "boolean", default: false },
  },
});

/** With `--schedules` the simulation of schedules alone; each defines tasks of its own. */
async function play(seed: number, line: ((text: string) => void) | null = null): Promise<Outcome> {
  if (values.schedules) return (await import("./schedules.ts")).simulateSchedules(seed, { print: line });
  return (await import("./simulate.ts")).simulate(seed, line);
}

function none(): Sums {
  return { seeds: 0, events: 0, records: 0, lasted: 0, checks: {}, faults: {}, failed: [] };
}

function add(to: Record<string, number>, counts: Iterable<[string, number]>): void {
  for (const [name, count] of counts) to[name] = (to[name] ?? 0) + count;
}

function described({ seed, violations, history }: Outcome): string {
  const found = violations.map(({ invariant, message, id }) => `  ${invariant}: ${message}${id ? ` [${id}]` : ""}`);
  return [`seed ${seed}`, ...found, ...history.map((line) => `    ${line}`)].join("\n");
}

async function range(from: number, seeds: number, step: number, untilRed: boolean): Promise<Sums> {
  const sums = none();
  for (let seed = from; seed < from + seeds; seed += step) {
    const outcome = await play(seed);
    sums.seeds += 1;
    sums.events += outcome.events;
    sums.records += outcome.records;
    sums.lasted += outcome.lasted;
    add(sums.checks, outcome.checks);
    add(sums.faults, outcome.faults);
    if (outcome.violations.length > 0) sums.failed.push({ seed, text: described(outcome) });
    if (untilRed && sums.failed.length > 0) break;
  }
  return sums;
}

/** Shares the seeds out among processes of this machine. */
async function shared(from: number, seeds: number, processes: number): Promise<Sums> {
  const self = fileURLToPath(import.meta.url);
  const parts = Array.from({ length: processes }, (_, part) => {
    const child = fork(self, [
      ...["--part", `${from + part}:${seeds - part}:${processes}`],
      ...(values.schedules ? ["--schedules"] : []),
    ]);
    return new Promise<Sums>((resolve, reject) => {
      let answer: Sums | null = null;
      child.on("message", (message) => {
        answer = message as Sums;
      });
      child.on("exit", (code) => {
        if (answer === null) reject(new Error(`a part ended with ${code} and no answer`));
        else resolve(answer);
      });
    });
  });
  const sums = none();
  for (const part of await Promise.all(parts)) {
    for (const name of ["seeds", "events", "records", "lasted"] as const) sums[name] += part[name];
    add(sums.checks, Object.entries(part.checks));
    add(sums.faults, Object.entries(part.faults));
    sums.failed.push(...part.failed);
  }
  return sums;
}

function table(title: string, counts: Record<string, number>): string {
  const rows = Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1));
  const width = Math.max(...rows.map(([name]) => name.length), title.length);
  return [title, ...rows.map(([name, count]) => `  ${name.padEnd(width)} ${String(count).padStart(10)}`)].join("\n");
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

// Most of the errors made are lost calls, whose traces nobody reads.
Error.stackTraceLimit = 4;
const from = Number(values.from);
const seeds = Number(values.seeds);
if (values.part !== undefined) {
  const [first = 1, count = 0, step = 1] = values.part.split(":").map(Number);
  const sums = await range(first, count, step, false);
  process.send?.(sums, undefined, undefined, () => process.disconnect?.());
} else if (values.seed !== undefined) {
  const outcome = await play(Number(values.seed), values.trace ? print : null);
  print(described(outcome));
  print(`hash ${outcome.hash}, ${outcome.events} events, ${outcome.records} records, ${Math.round(outcome.lasted)} ms`);
  process.exitCode = outcome.violations.length > 0 ? 1 : 0;
} else {
  const began = performance.now();
  const sums = values["until-red"]
    ? await range(from, seeds, 1, true)
    : await shared(from, seeds, Number(values.processes));
  print(table("faults injected", sums.faults));
  print(table("invariants checked", sums.checks));
  for (const { text } of sums.failed.slice(0, 5)) print(`\n${text}`);
  if (sums.failed.length > 0) {
    print(
      `\nred seeds: ${sums.failed
        .map(({ seed }) => seed)
        .slice(0, 50)
        .join(" ")}`,
    );
    print(`replay one with: npm run simulate -- --seed ${sums.failed[0]?.seed} --trace`);
  }
  const seconds = ((performance.now() - began) / 1_000).toFixed(1);
  const hours = (sums.lasted / 3_600_000).toFixed(1);
  print(
    `\n${sums.seeds} seeds from ${from}, ${sums.records} records, ${sums.events} events, ${hours} virtual hours in ${seconds} s: ${sums.failed.length} red`,
  );
  process.exitCode = sums.failed.length > 0 ? 1 : 0;
}
