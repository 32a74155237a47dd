/** The store as the doctor finds it: its schema, whether and how fast it answers, its clock, what it stands on. */
import { type Finding, type QueueBackend, type QueueService, SiderealError } from "../../index.ts";
import { detailOf } from "../faults.ts";

const SECOND = 1_000;
const ROUNDS = 5;

const ok = (check: string, message: string): Finding => ({ check, level: "ok", message, advice: null });

/** What an error says, as a finding. */
export function problemOf(check: string, error: unknown): Finding {
  if (error instanceof SiderealError) {
    return { check, level: "problem", message: `${detailOf(error)} (${error.code})`, advice: error.advice };
  }
  const message = error instanceof Error ? `${error.name}: ${error.message.split("\n", 1)[0]}` : "an unknown error";
  return { check, level: "problem", message, advice: "See the message; SIDEREAL_DEBUG=1 shows more." };
}

/** Whether `open` would have something to do: to look must change nothing. */
export async function schemaFinding(store: Pick<QueueBackend, "schema" | "name">, namespace: string): Promise<Finding> {
  if (store.schema === undefined) return ok("schema", `the ${store.name} store has no schema`);
  try {
    const { from, to, statements } = await store.schema.plan({ namespace });
    if (statements.length === 0) return ok("schema", `the schema is current (version ${to})`);
    const message =
      from === 0
        ? `there is no queue yet (namespace ${namespace})`
        : `the schema has version ${from}, and ${to} is needed`;
    return {
      check: "schema",
      level: "problem",
      message,
      advice: "Run `sidereal migrate`; check the path if there should be one.",
    };
  } catch (error) {
    return problemOf("schema", error);
  }
}

/** How the process sees time. */
export interface Watch {
  readonly wall: () => number;
  readonly mono: () => number;
}

/** Asks for the store's time a few times: how long an answer takes, and how far its clock is from this host's. */
export async function answerFindings(
  { parts }: QueueService<unknown>,
  { wall, mono }: Watch,
): Promise<readonly Finding[]> {
  const rounds: { readonly took: number; readonly skew: number }[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const [sent, at] = [mono(), wall()];
    const now = await parts.calls.now();
    const took = mono() - sent;
    rounds.push({ took, skew: now - (at + took / 2) });
  }
  // The quickest answer says most about the clock.
  const [best] = rounds.sort((a, b) => a.took - b.took);
  const median = rounds[Math.floor(ROUNDS / 2)]?.took ?? 0;
  return [answering(median), skewed(best?.skew ?? 0)];
}

/** @param took - Milliseconds of a round trip. */
export function answering(took: number): Finding {
  const message = `the store answers in ${took.toFixed(took < 10 ? 1 : 0)} ms`;
  if (took < 100) return ok("round trip", message);
  const advice =
    "Look for load on the store or its disk, and for the network between; workers renew leases through it.";
  return { check: "round trip", level: took < SECOND ? "warning" : "problem", message, advice };
}

/** @param skew - Milliseconds that the store is ahead of this host; negative: behind. */
export function skewed(skew: number): Finding {
  const far = Math.abs(skew);
  const message = `the store's clock is ${Math.round(far)} ms ${skew < 0 ? "behind" : "ahead of"} this host's`;
  if (far <= SECOND) return ok("clock", message);
  const advice = "Synchronise the clocks (NTP): runAt and schedules follow the store's clock.";
  return { check: "clock", level: "warning", message, advice };
}
