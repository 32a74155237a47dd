/** The verdict of a whole run: as data, as text for the terminal, and as one page of Markdown. */
import type { Check } from "./check.ts";
import { type Counts, summed } from "./exposure.ts";
import type { RoundResult } from "./round.ts";

export interface RunFacts {
  readonly store: string;
  /** The command as typed. */
  readonly command: string;
  readonly seed: number;
  readonly date: string;
  readonly commit: string;
  readonly node: string;
  readonly machine: string;
}

export interface RunReport extends RunFacts {
  readonly verdict: "green" | "red";
  readonly rounds: readonly RoundResult[];
  readonly checks: readonly Check[];
  readonly faults: Counts;
  readonly windows: Counts;
  readonly figures: Counts;
  readonly recovery: { readonly longest: number; readonly medians: readonly number[]; readonly count: number };
}

export function reportOf(facts: RunFacts, rounds: readonly RoundResult[]): RunReport {
  const checks = merged(rounds);
  const exposures = rounds.map(({ exposure }) => exposure);
  return {
    ...facts,
    verdict: rounds.length > 0 && checks.every(({ violations }) => violations.length === 0) ? "green" : "red",
    rounds,
    checks,
    faults: summed(exposures.map(({ faults }) => faults)),
    windows: summed(exposures.map(({ windows }) => windows)),
    figures: summed(exposures.map(({ figures }) => figures)),
    recovery: {
      longest: Math.max(0, ...exposures.map(({ recovery }) => recovery.longest)),
      medians: exposures.map(({ recovery }) => recovery.median),
      count: exposures.reduce((sum, { recovery }) => sum + recovery.count, 0),
    },
  };
}

/** The checks of all rounds; statements that differ by their bounds stay apart. */
function merged(rounds: readonly RoundResult[]): Check[] {
  const byStatement = new Map<string, Check>();
  for (const { checks, options } of rounds) {
    for (const check of checks) {
      const key = `${check.id} ${check.statement}`;
      const before = byStatement.get(key);
      byStatement.set(key, {
        ...check,
        cases: check.cases + (before?.cases ?? 0),
        violations: [...(before?.violations ?? []), ...check.violations.map((text) => `[${options.name}] ${text}`)],
      });
    }
  }
  return [...byStatement.values()];
}

/** Violations shown per check. */
const SHOWN = 5;

export function asText(report: RunReport): string {
  const lines: string[] = [];
  for (const { options, seconds, undone, log, checks } of report.rounds) {
    const red = checks.filter(({ violations }) => violations.length > 0).map(({ id }) => id);
    lines.push(
      `${options.name}: ${options.load.tasks} tasks, ${options.workers} workers × ${options.concurrency}, lease ${options.lease} ms, ` +
        `${Math.round(seconds)} s, seed ${options.load.seed}, log at most ${Math.round(log / 1024)} KiB` +
        `${undone > 0 ? `, ${undone} faults not done` : ""}: ${red.length === 0 ? "green" : `RED (${red.join(", ")})`}`,
    );
  }
  lines.push("", "faults done", ...rows(report.faults), "", "sudden deaths, by what they met", ...rows(report.windows));
  lines.push("", "figures", ...rows(report.figures));
  const { count, longest, medians } = report.recovery;
  const back = longestReturn(report);
  if (back > 0) lines.push(`  after an outage every worker claimed again within ${back} ms of the store's health`);
  lines.push(
    `  recovery of ${count} interrupted records: median ${medians.join("/")} ms, longest ${longest} ms`,
    "",
    "checks",
  );
  for (const { id, statement, cases, violations } of report.checks) {
    lines.push(`  ${violations.length === 0 ? "ok " : "RED"} ${id}  ${statement} (${cases})`);
    for (const text of violations.slice(0, SHOWN)) lines.push(`        ${text}`);
    if (violations.length > SHOWN) lines.push(`        and ${violations.length - SHOWN} more`);
  }
  lines.push("", `verdict: ${report.verdict}`);
  return `${lines.join("\n")}\n`;
}

function rows(counts: Counts): string[] {
  return Object.entries(counts).map(([name, count]) => `  ${String(count).padStart(7)}  ${name}`);
}

export function asMarkdown(report: RunReport): string {
  const { count, longest, medians } = report.recovery;
  const rounds = report.rounds.map(({ options, seconds, log, exposure }) => {
    const { tasks, seed } = options.load;
    const { completed, failed, effects, "attempts hit by a fault": hit } = exposure.figures;
    return `| ${options.name} | ${tasks} | ${options.workers} × ${options.concurrency} | ${options.lease} | ${seed} | ${Math.round(seconds)} | ${Math.round(log / 1024)} | ${deaths(exposure.faults)} | ${hit} | ${completed} | ${failed} | ${effects} |`;
  });
  const checks = report.checks.map(
    ({ id, statement, cases, violations }) =>
      `| ${id} | ${statement} | ${cases} | ${violations.length === 0 ? "0" : `**${violations.length}**`} |`,
  );
  return `# Chaos report: ${report.store}, ${report.verdict}

${report.date}, commit ${report.commit}, Node ${report.node}, ${report.machine}.

\`\`\`sh
${report.command}
\`\`\`

| round | tasks | workers × concurrency | lease, ms | seed | s | largest log, KiB | sudden deaths | attempts hit | completed | failed | effects |
| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
${rounds.join("\n")}

Effects lie between the completed records and these plus the attempts hit. Failed are the pills and the hostile errors that are
meant to, and bystanders that lost three workers. A client number that is sent again after its record had ended makes a second
record, except under a forever key.

## Invariants

| | statement | cases | violations |
| --- | --- | ---: | ---: |
${checks.join("\n")}

Recovery of ${count} interrupted records: median ${medians.join(" / ")} ms by round, longest ${longest} ms after the worker's death.
${returned(report)}
## Faults

${table("fault", report.faults)}

## Exposure: what a sudden death met

One death may meet several windows (a worker holds several records), or none.

${table("window", report.windows)}

## Figures

${table("", report.figures)}
`;
}

function longestReturn({ rounds }: RunReport): number {
  return Math.max(0, ...rounds.map(({ exposure }) => exposure.longestReturn));
}

function returned(report: RunReport): string {
  const back = longestReturn(report);
  if (back === 0) return "";
  return `\nAfter an outage every worker claimed again within ${back} ms of the store's health, in the same process.\n`;
}

function deaths(faults: Counts): number {
  const sudden = Object.entries(faults).filter(
    ([name]) => name.startsWith("kill -9") || name.startsWith("process.abort"),
  );
  return sudden.reduce((sum, [, count]) => sum + count, 0);
}

function table(title: string, counts: Counts): string {
  const lines = Object.entries(counts).map(([name, count]) => `| ${name} | ${count} |`);
  return [`| ${title} | count |`, "| --- | ---: |", ...lines].join("\n");
}
