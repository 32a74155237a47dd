/** The ledgers of a run, told per process and per attempt, so that the checks and the exposure table can ask about both. */
import type { Event } from "./ledger.ts";
import { type Ask, blowsOf, keptBy, outagesOf } from "./outages.ts";
import type { Span } from "./spans.ts";

/** One process, from its start to its end. */
export interface Life {
  readonly who: string;
  readonly role: "worker" | "producer";
  readonly events: Event[];
  readonly bornAt: number;
  /** Infinity: it was never seen to end. */
  endedAt: number;
  /** The exit code or the signal that the supervisor saw. */
  ending: string;
  /** Held up by a handler, by the machine, by a store that nobody could write to, or kept from the store by a fault. */
  readonly pauses: Span[];
  /** Of the pauses, those in which a fault of the server's, of the network or of the pool kept it from the store. */
  readonly kept: Span[];
  /** When its user's own code had every connection. */
  readonly hogs: Span[];
  /** Its calls to the store, by their numbers. */
  readonly asks: Map<string, Ask>;
  /** Stopped by SIGSTOP. */
  readonly stops: Span[];
  termedAt: number | null;
  /** Told a second time, so that running tasks were aborted. */
  forcedAt: number | null;
  /** Why a sudden end was our doing: `random`, a failpoint, `pill`; null where it was not. */
  cause: string | null;
}

/** One claim of one record, and what became of it. */
export interface Attempt {
  readonly id: string;
  readonly token: string;
  readonly life: Life;
  readonly attempt: number;
  readonly fence: number;
  readonly version: number;
  /** When its claim was first sent: its lease may have begun then. */
  askedAt: number;
  readonly claimedAt: number;
  startedAt: number | null;
  kind: string;
  readonly effects: number[];
  /** When the handler returned or threw. */
  handlerEndedAt: number | null;
  abortSeenAt: number | null;
  finishCalledAt: number | null;
  /** When the answer to its last finish was read, or seen in the store; Infinity: never. */
  answeredAt: number;
  /** When its last finish failed without an answer. */
  unknownAt: number | null;
  finish: "applied" | "refused" | "unknown" | null;
  /** The state that an accepted finish led to. */
  finishedTo: string | null;
}

/** A write that a store answered to have made. */
export interface Write {
  readonly id: string;
  readonly verb: "claim" | "finish" | "lapse" | "other";
  readonly to: string;
  readonly version: number;
  readonly token: string;
  readonly who: string;
  readonly at: number;
}

export interface Story {
  readonly lives: readonly Life[];
  readonly attempts: readonly Attempt[];
  readonly attemptsOf: ReadonlyMap<string, readonly Attempt[]>;
  readonly writesOf: ReadonlyMap<string, readonly Write[]>;
  /** Who sent a claim with this token, and when. */
  readonly claimCalls: ReadonlyMap<string, Event>;
  /** When a claim with this token was first sent. */
  readonly firstAsked: ReadonlyMap<string, number>;
  /** Record and token → when the renewals were sent by which the lease was kept. */
  readonly renewals: ReadonlyMap<string, readonly number[]>;
  readonly events: readonly Event[];
  /** When nobody could write, because a stopped process held the store's lock: a single-writer store cannot help it. */
  readonly locked: readonly Span[];
  /** When nobody could use the store, because of what was done to its server or the way to it. */
  readonly outages: readonly Span[];
}

export function storyOf(events: readonly Event[]): Story {
  const lives = livesOf(events);
  const locked = [...lives.values()].flatMap((life) => life.stops.filter((stop) => isLocked(stop, life, events)));
  // Whoever cannot write cannot renew either.
  for (const life of lives.values()) life.pauses.push(...locked);
  const outages = outagesOf(events);
  const blows = blowsOf(events);
  for (const life of lives.values()) {
    const met = [...life.hogs, ...outages].filter(({ from, to }) => from < life.endedAt && to > life.bornAt);
    life.kept.push(...keptBy(met, blows, [...life.asks.values()]));
    life.pauses.push(...life.kept);
  }
  const attempts = attemptsOf(events, lives);
  settleUnknown(attempts, events);
  const claimCalls = new Map<string, Event>();
  const firstAsked = new Map<string, number>();
  for (const event of events) {
    if (event.event !== "claim_call") continue;
    const [token = ""] = event.extra;
    claimCalls.set(token, event);
    if (!firstAsked.has(token)) firstAsked.set(token, event.at);
  }
  for (const attempt of attempts) attempt.askedAt = firstAsked.get(attempt.token) ?? attempt.claimedAt;
  return {
    lives: [...lives.values()],
    attempts,
    attemptsOf: grouped(attempts),
    writesOf: grouped(events.flatMap(writeOf)),
    claimCalls,
    firstAsked,
    renewals: renewalsOf(events),
    events,
    locked,
    outages,
  };
}

/** What nobody had to take back was stored, although the answer to its finish was lost. */
function settleUnknown(attempts: readonly Attempt[], events: readonly Event[]): void {
  const taken = new Map<string, number>();
  for (const { event, id, extra } of events) {
    const step = event === "lapse_call" ? 1 : event === "lapse_refused" ? -1 : 0;
    if (step !== 0) taken.set(`${id} ${extra[2]}`, (taken.get(`${id} ${extra[2]}`) ?? 0) + step);
  }
  for (const attempt of attempts) {
    const { id, token, finish, unknownAt } = attempt;
    if (finish === "unknown" && unknownAt !== null && (taken.get(`${id} ${token}`) ?? 0) <= 0)
      attempt.answeredAt = unknownAt;
  }
}

function renewalsOf(events: readonly Event[]): Map<string, number[]> {
  const renewals = new Map<string, number[]>();
  for (const { event, id, extra } of events) {
    if (event !== "renew_held") continue;
    const name = `${id} ${extra[0]}`;
    renewals.set(name, [...(renewals.get(name) ?? []), Number(extra[1])]);
  }
  return renewals;
}

/** A free lock would have been taken: a stop lasts longer than any worker rests, and a crew always has work. */
function isLocked({ from, to }: Span, stopped: Life, events: readonly Event[]): boolean {
  return !events.some(
    (event) => event.who !== stopped.who && event.at > from + SETTLING && event.at < to && writeOf(event).length > 0,
  );
}

/** What was answered just before a stop may be written down just after it. */
const SETTLING = 100;

function livesOf(events: readonly Event[]): Map<string, Life> {
  const lives = new Map<string, Life>();
  for (const event of events) {
    if (event.event === "spawned") {
      const role = event.extra[0] === "producer" ? "producer" : "worker";
      lives.set(event.who, {
        ...{ who: event.who, role, events: [], bornAt: event.at, endedAt: Number.POSITIVE_INFINITY, ending: "" },
        ...{ hogs: [], asks: new Map(), pauses: [], kept: [], stops: [], termedAt: null, forcedAt: null, cause: null },
      });
    }
    const life = lives.get(event.who);
    if (life === undefined) continue;
    life.events.push(event);
    note(life, event);
  }
  return lives;
}

function note(life: Life, { event, at, extra }: Event): void {
  const [call = "", word = ""] = extra;
  if (event === "ask") life.asks.set(call, { at, verb: word, toldAt: Number.POSITIVE_INFINITY, ok: false });
  else if (event === "told") {
    const ask = life.asks.get(call);
    if (ask !== undefined) Object.assign(ask, { toldAt: at, ok: word === "ok" });
  } else if (event === "hog") life.hogs.push({ from: at, to: Number.POSITIVE_INFINITY });
  else if (event === "freed") life.hogs.push({ from: life.hogs.pop()?.from ?? at, to: at });
  else if (event === "killed") life.cause = extra[0] ?? "random";
  else if (event === "failpoint") life.cause = extra[0] ?? "failpoint";
  else if (event === "start" && extra[0] === "pill") life.cause ??= "pill";
  else if (event === "termed") life.termedAt = at;
  else if (event === "forced") life.forcedAt = at;
  else if (event === "stopped") life.stops.push({ from: at, to: Number.POSITIVE_INFINITY });
  else if (event === "continued") life.stops.push({ from: life.stops.pop()?.from ?? at, to: at });
  else if (event === "block") life.pauses.push({ from: at, to: at + Number(extra[0]) });
  else if (event === "stall") life.pauses.push({ from: at - Number(extra[0]), to: at });
  else if (event === "exited") {
    life.endedAt = at;
    life.ending = extra[0] ?? "";
  }
}

function attemptsOf(events: readonly Event[], lives: ReadonlyMap<string, Life>): Attempt[] {
  const attempts: Attempt[] = [];
  const byToken = new Map<string, Attempt>();
  const byFence = new Map<string, Attempt>();
  for (const event of events) {
    const life = lives.get(event.who);
    if (life === undefined || event.id === "") continue;
    if (event.event === "claim_ok") {
      const token = event.extra[2] ?? "";
      if (byToken.has(`${event.id} ${token}`)) continue;
      const attempt = newAttempt(event, token, life);
      attempts.push(attempt);
      byToken.set(`${event.id} ${token}`, attempt);
      byFence.set(`${event.id} ${event.fence} ${event.who}`, attempt);
    } else if (event.event.startsWith("finish_")) {
      const attempt = byToken.get(`${event.id} ${event.extra[2]}`);
      if (attempt !== undefined) finishOf(attempt, event);
    } else {
      const attempt = byFence.get(`${event.id} ${event.fence} ${event.who}`);
      if (attempt !== undefined) handlerOf(attempt, event);
    }
  }
  return attempts;
}

function newAttempt(event: Event, token: string, life: Life): Attempt {
  return {
    ...{ id: event.id, token, life, attempt: event.attempt, fence: event.fence, version: Number(event.extra[1]) },
    ...{
      askedAt: event.at,
      claimedAt: event.at,
      startedAt: null,
      kind: "",
      effects: [],
      handlerEndedAt: null,
      abortSeenAt: null,
      finishCalledAt: null,
    },
    ...{ answeredAt: Number.POSITIVE_INFINITY, unknownAt: null, finish: null, finishedTo: null },
  };
}

function handlerOf(attempt: Attempt, { event, at, extra }: Event): void {
  if (event === "start") {
    attempt.startedAt = at;
    attempt.kind = extra[0] ?? "";
  } else if (event === "effect") attempt.effects.push(at);
  else if (event === "end") attempt.handlerEndedAt = at;
  else if (event === "abort_seen") attempt.abortSeenAt = at;
}

function finishOf(attempt: Attempt, { event, at, extra }: Event): void {
  if (event === "finish_call") {
    attempt.finishCalledAt = at;
    attempt.answeredAt = Number.POSITIVE_INFINITY;
    return;
  }
  // Whoever has not heard that it is stored has no answer, and looks or asks again.
  if (event === "finish_unknown") attempt.unknownAt = at;
  else attempt.answeredAt = at;
  if (attempt.finish === "applied") return;
  attempt.finish = event === "finish_applied" ? "applied" : event === "finish_refused" ? "refused" : "unknown";
  if (event === "finish_applied") attempt.finishedTo = extra[0] ?? null;
}

function writeOf({ event, id, extra, who, at }: Event): Write[] {
  const verb =
    event === "claim_ok"
      ? "claim"
      : event === "finish_applied"
        ? "finish"
        : event === "lapse_applied"
          ? "lapse"
          : event === "other_applied"
            ? "other"
            : null;
  if (verb === null) return [];
  const [to = "", version, token = ""] = extra;
  return [{ id, verb, to, version: Number(version), token, who, at }];
}

function grouped<T extends { readonly id: string }>(items: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(item.id);
    if (group === undefined) groups.set(item.id, [item]);
    else group.push(item);
  }
  return groups;
}

/** Whether the process ended while this attempt was its own and unanswered. */
export function diedIn(attempt: Attempt): boolean {
  return isSudden(attempt.life) && attempt.answeredAt > attempt.life.endedAt;
}

/** An end that the process had no part in, or that a handler of ours brought upon it. */
export function isSudden(life: Life): boolean {
  return life.ending.startsWith("SIG") && life.ending !== "SIGTERM";
}

/** What the leases of a run are like. */
export interface Pace {
  readonly lease: number;
  readonly heartbeat: number;
}

/** How long a healthy owner may take to renew; less than a quarter of a lease of stalling is not written down. */
export function renewalTime({ lease, heartbeat }: Pace): number {
  return 1.2 * heartbeat + lease / 4;
}

/** Whether the claim was answered so late that the lease could be over before the first renewal was due. */
export function isLate({ askedAt, claimedAt }: Attempt, pace: Pace): boolean {
  return askedAt + pace.lease - claimedAt < renewalTime(pace);
}

/** Whether a fault that may repeat an effect met the attempt: sudden death, a stop, a held-up event loop, an impatient SIGTERM, a late answer. */
export function wasHit(attempt: Attempt, pace: Pace): boolean {
  const { forcedAt } = attempt.life;
  if (isLate(attempt, pace)) return true;
  if (diedIn(attempt) || (forcedAt !== null && forcedAt < attempt.answeredAt)) return true;
  return [...attempt.life.stops, ...attempt.life.pauses].some(
    ({ from, to }) => to > attempt.claimedAt && from < attempt.answeredAt,
  );
}

export const isTerminalState = (state: string): boolean => ["completed", "failed", "cancelled"].includes(state);
