/** `sidereal status`: the counts, as a table or as JSON, and nothing else on stdout. */
import type { StatusCounts } from "../../index.ts";
import { onExisting } from "../existing.ts";
import { EXIT } from "../exits.ts";
import type { Source } from "../load.ts";
import { nameOf } from "../values.ts";

export interface StatusFlags {
  readonly queue?: string;
  readonly json?: boolean;
}

const ROWS = ["pending", "scheduled", "running", "completed", "failed", "cancelled", "total"] as const;

/** Prints the counts. @returns 0; a store that cannot be read throws, which is a 1 */
export async function status(flags: StatusFlags, source: Source, out: (text: string) => void): Promise<number> {
  const queue = flags.queue === undefined ? undefined : nameOf(flags.queue, "--queue");
  return onExisting(source, async ({ service }) => {
    const counts = await service.counts(queue === undefined ? {} : { queue });
    out(flags.json === true ? `${json(counts)}\n` : table(counts));
    return EXIT.done;
  });
}

/** The table of the counts; its shape is part of the public contract. */
export function table(counts: StatusCounts): string {
  const row = (name: string, value: string | number): string => `${name.padEnd(12)}${String(value).padStart(8)}\n`;
  const rows = ROWS.map((name) => row(name, counts[name]));
  return `${row("Status", "Count")}${"-".repeat(12)}  ${"-".repeat(6)}\n${rows.join("")}`;
}

function json(counts: StatusCounts): string {
  return JSON.stringify(Object.fromEntries(ROWS.map((name) => [name, counts[name]])));
}
