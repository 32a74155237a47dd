/** One small mixed round of a store, and what it found. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Exposure, WINDOWS } from "./exposure.ts";
import { type RoundOptions, type RoundResult, runRound } from "./round.ts";
import { roundsOf, type Wishes } from "./rounds.ts";

/** Runs the first round of these wishes, changed by `adapt`. */
export async function smokeRun(
  wishes: Wishes,
  adapt: (options: RoundOptions) => RoundOptions = (same) => same,
): Promise<RoundResult> {
  const [options] = [...roundsOf(wishes)];
  if (options === undefined) throw new Error("no round was wished for");
  const folder = mkdtempSync(join(tmpdir(), "sidereal-chaos-"));
  try {
    return await runRound(adapt(options), folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function violations({ checks }: RoundResult): string[] {
  return checks.flatMap(({ id, violations }) => violations.map((text) => `${id}: ${text}`));
}

/** Whether a sudden death met the window. */
export function met({ windows }: Exposure, name: keyof typeof WINDOWS): boolean {
  return (windows[WINDOWS[name]] ?? 0) > 0;
}
