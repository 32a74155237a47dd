/** The exposure table: how many faults met which window. A kill between two tasks proves little. */
import type { Evidence } from "./check.ts";
import { recoveries } from "./check-claims.ts";
import { accepted } from "./check-ends.ts";
import { returns, zombieAttempts } from "./check-processes.ts";
import { diedIn, isLate, isSudden, type Life, type Story, wasHit } from "./story.ts";

/** Name of a window or a figure → count. */
export type Counts = Readonly<Record<string, number>>;

export interface Exposure {
  /** Faults by kind. */
  readonly faults: Counts;
  /** What a sudden death met. */
  readonly windows: Counts;
  readonly figures: Counts;
  /** Milliseconds from a worker's death to the recovery of each record that it held. */
  readonly recovery: {
    readonly median: number;
    readonly p99: number;
    readonly longest: number;
    readonly count: number;
  };
  /** Milliseconds that a worker took at most to claim again after an outage. */
  readonly longestReturn: number;
}

export const WINDOWS = {
  claim: "claim sent, answer not read",
  claimed: "claimed, handler not begun",
  handler: "handler begun, effect not written",
  effect: "effect written, finish not sent",
  finish: "finish sent, answer not read",
  lapse: "recovery sent, answer not read",
  enqueue: "enqueue sent, answer not read",
  idle: "none of these (idle)",
} as const;

export function exposureOf(story: Story, evidence: Evidence): Exposure {
  return {
    faults: faultsOf(story),
    windows: windowsOf(story),
    figures: figuresOf(story, evidence),
    recovery: recoveryOf(story, evidence),
    longestReturn: longestReturn(story),
  };
}

function faultsOf(story: Story): Counts {
  const faults: Record<string, number> = {};
  const add = (name: string): void => {
    faults[name] = (faults[name] ?? 0) + 1;
  };
  for (const life of story.lives) {
    if (isSudden(life)) add(faultName(life));
    if (life.role === "worker" && life.events.some(({ event }) => event === "term_seen"))
      add(life.forcedAt === null ? "SIGTERM under load or at the end" : "SIGTERM twice");
    for (const _ of life.stops) add("SIGSTOP past the lease, then SIGCONT");
  }
  for (const { event, extra } of story.events) {
    if (event === "block") add("event loop held up past the lease");
    else if (event === "hog") add("the user's code took every connection of the pool");
    else if (event === "blow" || event === "outage") add(BLOW_NAMES[extra[0] ?? ""] ?? event);
  }
  return faults;
}

const BLOW_NAMES: Readonly<Record<string, string>> = {
  sever: "a session ended by the server",
  cancel: "running statements cancelled by the server",
  reset: "every connection reset",
  restart: "the server crashed and was started again",
  swallow: "the network swallowed everything, and old connections stayed half-open",
  lock: "the tables locked by somebody else",
};

function faultName({ cause, role }: Life): string {
  if (cause === "random") return role === "producer" ? "kill -9 of the producer at random" : "kill -9 at random";
  if (cause === "pill") return "process.abort() in a handler";
  return `kill -9 at ${cause}`;
}

function windowsOf(story: Story): Counts {
  const windows: Record<string, number> = Object.fromEntries(Object.values(WINDOWS).map((name) => [name, 0]));
  const add = (name: string, count = 1): void => {
    windows[name] = (windows[name] ?? 0) + count;
  };
  const held = new Map<Life, number>();
  for (const attempt of story.attempts) {
    if (!diedIn(attempt)) continue;
    held.set(attempt.life, (held.get(attempt.life) ?? 0) + 1);
    if (attempt.finishCalledAt !== null) add(WINDOWS.finish);
    else if (attempt.effects.length > 0) add(WINDOWS.effect);
    else if (attempt.startedAt !== null) add(WINDOWS.handler);
    else add(WINDOWS.claimed);
  }
  for (const life of story.lives) {
    if (!isSudden(life)) continue;
    const open = openCalls(life);
    add(WINDOWS.claim, open.claims);
    add(WINDOWS.lapse, open.lapses);
    add(WINDOWS.enqueue, open.enqueues);
    if (open.claims + open.lapses + open.enqueues + (held.get(life) ?? 0) === 0) add(WINDOWS.idle);
  }
  return windows;
}

/** Calls that the process had not seen answered when it died. */
function openCalls(life: Life): { readonly claims: number; readonly lapses: number; readonly enqueues: number } {
  let claim = false;
  const lapses = new Set<string>();
  const enqueues = new Set<string>();
  for (const { event, id } of life.events) {
    if (event === "claim_call") claim = true;
    else if (event === "claim_ok" || event === "claim_none") claim = false;
    else if (event === "lapse_call") lapses.add(id);
    else if (event.startsWith("lapse_")) lapses.delete(id);
    else if (event === "enq_call") enqueues.add(id);
    else if (event === "enq_ack" || event === "enq_err") enqueues.delete(id);
  }
  // A failpoint strikes before the call is written down.
  const before = life.cause === "lapse:before" ? 1 : 0;
  return { claims: claim ? 1 : 0, lapses: lapses.size + before, enqueues: enqueues.size };
}

function figuresOf(story: Story, evidence: Evidence): Counts {
  const { records, lease } = evidence;
  const count = (name: string): number => story.events.filter(({ event }) => event === name).length;
  const ended = (state: string): number => records.filter((record) => record.state === state).length;
  const poisoned = records.filter(({ reason }) => reason === "poison").length;
  const pills = evidence.load.filter(({ kind }) => kind === "pill").length;
  const effects = count("effect");
  const zombies = zombieAttempts(story, lease);
  return {
    "client numbers": evidence.load.length,
    records: records.length,
    completed: ended("completed"),
    failed: ended("failed"),
    "failed as poison, pills": pills,
    "failed as poison, bystanders": poisoned - pills,
    claims: story.attempts.length,
    "attempts begun": count("start"),
    "attempts hit by a fault": story.attempts.filter((attempt) => wasHit(attempt, evidence)).length,
    effects,
    "records with a second effect": records.filter(
      ({ id }) => (story.attemptsOf.get(id) ?? []).reduce((sum, { effects }) => sum + effects.length, 0) > 1,
    ).length,
    "finishes accepted": count("finish_applied"),
    "finishes refused": count("finish_refused"),
    "finishes of dead workers that had been stored": records.filter((record) => {
      const winner = accepted(record, story.attemptsOf.get(record.id) ?? []);
      return winner !== undefined && winner.finish !== "applied";
    }).length,
    "claims answered too late to renew in time": story.attempts.filter((attempt) => isLate(attempt, evidence)).length,
    "leases recovered": count("lapse_applied"),
    "handlers that woke as zombies": zombies.length,
    "of those, saw their signal": zombies.filter(({ attempt, wokenAt }) => (attempt.abortSeenAt ?? 0) >= wokenAt)
      .length,
    "stops that held the store's lock": story.locked.length,
    "renewals refused": count("renew_lost"),
    "renewals failed": count("renew_error"),
    "pauses of the machine over a quarter lease": count("stall"),
    "calls to the store over a quarter lease": slowCalls(story, lease),
    ...(story.outages.length > 0 && returnsOf(story)),
  };
}

function slowCalls({ lives }: Story, lease: number): number {
  const asks = lives.flatMap((life) => [...life.asks.values()]);
  return asks.filter(({ at, toldAt }) => toldAt < Number.POSITIVE_INFINITY && toldAt - at > lease / 4).length;
}

function returnsOf(story: Story): Counts {
  const failed = story.events.filter(({ event, extra }) => event === "told" && extra[1] !== "ok").length;
  return { "calls to the store that failed": failed, "outages that a worker lived through": returns(story).length };
}

/** The longest that a worker took to claim again once the store was well, ms. */
function longestReturn(story: Story): number {
  return Math.round(Math.max(0, ...returns(story).map(({ took }) => took)));
}

function recoveryOf(story: Story, evidence: Evidence): Exposure["recovery"] {
  const times = recoveries(story, evidence)
    .map(({ took }) => took)
    .sort((a, b) => a - b);
  const at = (share: number): number =>
    Math.round(times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0);
  return { median: at(0.5), p99: at(0.99), longest: at(1), count: times.length };
}

/** Sums of several rounds. */
export function summed(all: readonly Counts[]): Counts {
  const sums: Record<string, number> = {};
  for (const counts of all) for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count;
  return sums;
}
