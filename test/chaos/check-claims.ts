/** Ownership: one accepted write per version, none by a former owner, fences that grow, recovery in time. */
import type { TaskRecord } from "../../src/model/record.ts";
import { type Check, type Evidence, Tallied } from "./check.ts";
import { accepted } from "./check-ends.ts";
import { covered, gaps, joined, minus, type Span } from "./spans.ts";
import { type Attempt, diedIn, type Life, renewalTime, type Story } from "./story.ts";

export function checkClaims(story: Story, evidence: Evidence): Check[] {
  return [
    ...[versions(story), owners(story), fences(story)],
    ...[early(story, evidence), losses(story, evidence), recovery(story, evidence)],
  ];
}

function versions(story: Story): Check {
  const tallied = new Tallied("V", "each version of a record was written by one accepted write");
  for (const [id, writes] of story.writesOf) {
    const byVersion = new Map<number, Set<string>>();
    for (const { version, verb, token, who } of writes) {
      // The same claim, answered again after a lost reply, is the same write.
      const name = verb === "claim" ? `claim ${token}` : `${verb} by ${who}`;
      const seen = byVersion.get(version) ?? new Set();
      byVersion.set(version, seen);
      const twice = verb !== "claim" && seen.has(name);
      seen.add(twice ? `${name}, again` : name);
    }
    for (const [version, names] of byVersion) {
      tallied.expect(names.size === 1, () => `${id}: version ${version} was written by ${[...names].join(" and ")}`);
    }
  }
  return tallied.check;
}

function owners(story: Story): Check {
  const tallied = new Tallied("F", "no finish was accepted from anybody but the owner of the last claim before it");
  for (const [id, writes] of story.writesOf) {
    const claims = writes.filter(({ verb }) => verb === "claim").sort((a, b) => a.version - b.version);
    for (const write of writes) {
      if (write.verb !== "finish") continue;
      const last = claims.findLast(({ version }) => version < write.version);
      tallied.expect(
        last === undefined || last.token === write.token,
        () => `${id}: ${write.who} finished it (version ${write.version}), but ${last?.who} had claimed it since`,
      );
    }
  }
  return tallied.check;
}

function fences(story: Story): Check {
  const tallied = new Tallied(
    "O",
    "fences grow with every claim, and in the order of starts but for processes that were held up",
  );
  for (const [id, attempts] of story.attemptsOf) {
    const claims = [...attempts].sort((a, b) => a.version - b.version);
    for (const [at, claim] of claims.entries()) {
      const before = claims[at - 1];
      if (before === undefined) continue;
      tallied.expect(claim.fence > before.fence, () => `${id}: fence ${claim.fence} follows ${before.fence}`);
    }
    const starts = attempts.filter(({ startedAt }) => startedAt !== null);
    starts.sort((a, b) => (a.startedAt ?? 0) - (b.startedAt ?? 0));
    let highest = 0;
    for (const start of starts) {
      tallied.expect(
        start.fence > highest || heldUp(start.life, start.claimedAt, start.startedAt ?? 0),
        () => `${id}: ${start.life.who} started fence ${start.fence} after fence ${highest} had started`,
      );
      highest = Math.max(highest, start.fence);
    }
  }
  return tallied.check;
}

/** Time after a process was let go in which it still acts on what it knew before. */
const WAKING = 100;

function heldUp({ stops, pauses }: Life, from: number, to: number): boolean {
  return [...stops, ...pauses].some((pause) => pause.to + WAKING > from && pause.from < to);
}

/** When the last claim or renewal was sent by which the owner kept the record before it was taken. */
function keptAt(story: Story, id: string, token: string, before: number): number {
  const renewed = (story.renewals.get(`${id} ${token}`) ?? []).filter((sent) => sent < before);
  return Math.max(story.firstAsked.get(token) ?? Number.NEGATIVE_INFINITY, ...renewed);
}

/** The store's clock has whole milliseconds, and need not run quite as the machine's. */
const GRAIN = 5;

/** No fault excuses this one: the lease counts from when the store dealt with what was sent before. */
function early(story: Story, { lease }: Evidence): Check {
  const tallied = new Tallied("A", `no record was taken within ${lease} ms of its claim or of a renewal`);
  for (const [id, writes] of story.writesOf) {
    for (const { verb, token, at, who } of writes) {
      if (verb !== "lapse") continue;
      const age = at - keptAt(story, id, token, at);
      tallied.expect(age >= lease - GRAIN, () => `${id}: ${who} took it ${Math.round(age)} ms after it was renewed`);
    }
  }
  return tallied.check;
}

/**
 * A healthy owner renews in time. So it must not have been well, between the last renewal, or since it knew of its claim,
 * and the end of the lease, for as long as it takes to renew.
 */
function losses(story: Story, evidence: Evidence): Check {
  const { lease } = evidence;
  const tallied = new Tallied(
    "R",
    "no record was taken from an owner that was neither dead, held up nor kept from the store",
  );
  for (const [id, writes] of story.writesOf) {
    for (const { verb, token, at, who } of writes) {
      if (verb !== "lapse") continue;
      const owner = story.lives.find((life) => life.who === story.claimCalls.get(token)?.who);
      const known = story.attemptsOf.get(id)?.find((attempt) => attempt.token === token)?.claimedAt ?? 0;
      const kept = keptAt(story, id, token, at);
      const wellFor = owner === undefined ? lease : longestWell(owner, Math.max(kept, known), kept + lease);
      tallied.expect(
        wellFor < renewalTime(evidence),
        () =>
          `${id}: ${who} took it from ${owner?.who ?? "nobody known"}, which was well for ${Math.round(wellFor)} ms`,
      );
    }
  }
  return tallied.check;
}

/** How long a process was alive, neither held up nor kept from the store, at a stretch. */
function longestWell({ endedAt, stops, pauses }: Life, from: number, to: number): number {
  const away = [...stops, ...pauses, { from: endedAt, to: Number.POSITIVE_INFINITY }];
  return Math.max(0, ...minus([{ from, to }], away).map((span) => span.to - span.from));
}

/**
 * When nobody could take anything back: the store was locked, or every worker was dead, just born, held up, or waited a
 * lease after it had been held up, as a reaper must.
 */
function nobodyReaps(story: Story, { lease, reapEvery }: Evidence): Span[] {
  const pass = 1.2 * reapEvery;
  // Shorter ones are within what a reaper takes for its own rhythm.
  const waits = ({ from, to }: Span): number => (to - from > lease / 2 - pass - WAKING ? lease : 0);
  const reaping = story.lives.flatMap((life) => {
    const ready = life.events.find(({ event }) => event === "ready");
    if (life.role !== "worker" || ready === undefined) return [];
    const away = joined([...life.stops, ...life.pauses]).map((pause) => ({
      from: pause.from - pass,
      to: pause.to + waits(pause) + pass,
    }));
    return minus([{ from: ready.at + pass, to: life.termedAt ?? life.endedAt }], away);
  });
  return [...story.locked, ...gaps(reaping)];
}

export interface Recovery {
  readonly attempt: Attempt;
  /** From the worker's death until the record was taken back, ms. */
  readonly took: number;
  /** The same without the time in which nobody could take it. */
  readonly late: number;
}

/** How every record that a dying worker held came back to the queue; what it had finished needs no recovery. */
export function recoveries(story: Story, evidence: Evidence): Recovery[] {
  const idle = nobodyReaps(story, evidence);
  const unsaid = unsaidLapses(story);
  const byId = new Map(evidence.records.map((record) => [record.id, record]));
  return story.attempts.filter(diedIn).flatMap((attempt) => {
    const { endedAt } = attempt.life;
    const takenAt = takenBack(attempt, story, unsaid);
    if (takenAt === undefined) {
      const ended = endedBy(byId.get(attempt.id), attempt, story);
      return ended ? [] : [{ attempt, took: Number.POSITIVE_INFINITY, late: Number.POSITIVE_INFINITY }];
    }
    const took = Math.max(0, takenAt - endedAt);
    return [{ attempt, took, late: took - covered(idle, endedAt, takenAt) }];
  });
}

/** When the record was taken from a dead worker, as far as anybody lived to say; undefined where nobody did. */
function takenBack(attempt: Attempt, story: Story, unsaid: ReadonlyMap<string, number>): number | undefined {
  const first = (story.writesOf.get(attempt.id) ?? []).find(
    ({ verb, token, version }) =>
      (verb === "lapse" && token === attempt.token) || (verb === "claim" && version > attempt.version),
  );
  // A later claim proves that a recovery was stored whose writer died before it could say so.
  return first?.verb === "claim" ? (unsaid.get(`${attempt.id} ${attempt.token}`) ?? first.at) : first?.at;
}

/** Recoveries that were sent and whose answer nobody lived to write down: record and token → when. */
function unsaidLapses(story: Story): Map<string, number> {
  const open = new Map<string, number>();
  for (const life of story.lives) {
    const own = new Map<string, number>();
    for (const { event, id, at, extra } of life.events) {
      if (event === "lapse_call") own.set(`${id} ${extra[2]}`, at);
      else if (event.startsWith("lapse_")) own.delete(`${id} ${extra[2]}`);
    }
    for (const [name, at] of own) open.set(name, Math.max(at, open.get(name) ?? 0));
  }
  return open;
}

/** Whether the record's end may be this attempt's, or that of a recovery whose writer died before it could say so. */
function endedBy(record: TaskRecord | undefined, attempt: Attempt, story: Story): boolean {
  if (record?.state !== "completed") return record?.state === "failed";
  return accepted(record, story.attemptsOf.get(attempt.id) ?? []) === attempt;
}

/** The longest a recovery may take: `lease + reap interval + poll interval + 2 s`, the interval with its jitter. */
export function recoveryBound({ lease, reapEvery, poll }: Evidence): number {
  return lease + 1.2 * reapEvery + poll + 2_000;
}

function recovery(story: Story, evidence: Evidence): Check {
  const bound = recoveryBound(evidence);
  const tallied = new Tallied(
    "B",
    `an interrupted record is taken back within ${Math.round(bound)} ms, given anybody who can`,
  );
  for (const { attempt, late } of recoveries(story, evidence)) {
    tallied.expect(late <= bound, () => `${attempt.id}: ${Math.round(late)} ms after ${attempt.life.who} had died`);
  }
  return tallied.check;
}
