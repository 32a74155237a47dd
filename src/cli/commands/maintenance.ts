/** `sidereal maintenance`: one bounded run of upkeep, under a lock of the whole fleet; for cron. */
import {
  type Duration,
  MAINTENANCE_PHASES,
  type MaintainOptions,
  type MaintenancePhase,
  type MaintenanceReport,
} from "../../index.ts";
import { onExisting } from "../existing.ts";
import { EXIT } from "../exits.ts";
import { usage } from "../faults.ts";
import type { Source } from "../load.ts";

export interface MaintenanceFlags {
  readonly phase?: readonly string[];
  readonly maxDuration?: string;
  readonly json?: boolean;
}

const EXITS: Readonly<Record<MaintenanceReport["outcome"], number>> = {
  completed: EXIT.done,
  already_running: EXIT.done,
  partial: EXIT.escalated,
  failed: EXIT.failed,
};

/** Runs it and prints the summary. @returns 0 completed or already running, 1 a phase failed, 2 time was up */
export async function maintenance(
  { phase = [], maxDuration = "60", json = false }: MaintenanceFlags,
  source: Source,
  out: (text: string) => void,
): Promise<number> {
  const options: MaintainOptions = {
    maxDuration: durationOf(maxDuration),
    ...(phase.length > 0 && { phases: phase.map(phaseOf) }),
  };
  return onExisting(
    source,
    async ({ service }) => {
      const report = await service.maintain(options);
      out(json ? `${JSON.stringify(report)}\n` : summary(report));
      return EXITS[report.outcome];
    },
    // Tasks, because one that is failed for its lost workers may have an onStaleFailure.
    { withTasks: true, shared: "There is nothing here to maintain." },
  );
}

/** The summary for people; its shape is part of the public contract. */
export function summary({ outcome, acquired, durationMs, phases }: MaintenanceReport): string {
  const row = (phase: string, status: string, changed: string, duration: string, error: string): string =>
    `${phase.padEnd(10)}${status.padEnd(12)}${changed.padStart(9)}${duration.padStart(14)}  ${error}\n`;
  const rows = phases.map((one) =>
    row(one.phase, one.status, String(one.changed), one.durationMs.toFixed(1), one.error ?? "-"),
  );
  const head = `outcome: ${outcome}\nacquired: ${acquired}\nduration_ms: ${durationMs.toFixed(1)}\n`;
  return `${head}${row("Phase", "Status", "Changed", "Duration(ms)", "Error")}${rows.join("")}`;
}

function phaseOf(text: string): MaintenancePhase {
  const phase = MAINTENANCE_PHASES.find((name) => name === text);
  if (phase !== undefined) return phase;
  throw usage(`--phase is ${JSON.stringify(text)}`, `Give one of ${MAINTENANCE_PHASES.join(", ")}.`);
}

/** Seconds where the text is a bare number, else a duration with its unit. */
function durationOf(text: string): Duration {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)?$/u.exec(text);
  if (match !== null && Number(match[1]) > 0) return (match[2] === undefined ? `${text}s` : text) as Duration;
  throw usage(`--max-duration is ${JSON.stringify(text)}`, 'Give seconds (60, 0.5), or a duration ("90s", "5m").');
}
