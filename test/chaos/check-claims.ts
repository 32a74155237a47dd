/** Ownership: one accepted write per version, none by a former owner, fences that grow, recovery in time. */
import { type Check, type Evidence, Tallied } from "./check.ts";
import { accepted } from "./check-ends.ts";
import { type Attempt, diedIn, type Life, lockedIn, type Story } from "./story.ts";

export function checkClaims(story: Story, evidence: Evidence): Check[] {
  return [versions(story), owners(story), fences(story), losses(story), recovery(story, evidence)];
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

function losses(story: Story): Check {
  const tallied = new Tallied(
    "R",
    "no record was taken from an owner that was neither dead, held up nor kept from the store",
  );
  for (const [id, writes] of story.writesOf) {
    for (const { verb, token, at, who } of writes) {
      if (verb !== "lapse") continue;
      const call = story.claimCalls.get(token);
      const owner = story.lives.find((life) => life.who === call?.who);
      const excused =
        owner !== undefined &&
        call !== undefined &&
        (owner.endedAt < at ||
          heldUp(owner, call.at, at) ||
          lockedIn(story, call.at, at) > 0 ||
          renewalFailed(owner, call.at, at));
      tallied.expect(excused, () => `${id}: ${who} took it from ${owner?.who ?? "nobody known"}, which was well`);
    }
  }
  return tallied.check;
}

function renewalFailed(life: Life, from: number, to: number): boolean {
  return life.events.some(({ event, at }) => event === "renew_error" && at > from && at < to);
}

/** How long each interrupted record took from its worker's death to being taken back, ms, while the store could be written. */
export function recoveries(
  story: Story,
  { records }: Evidence,
): { readonly attempt: Attempt; readonly took: number }[] {
  const byId = new Map(records.map((record) => [record.id, record]));
  return story.attempts.filter(diedIn).flatMap((attempt) => {
    const record = byId.get(attempt.id);
    const attempts = story.attemptsOf.get(attempt.id) ?? [];
    if (record !== undefined && accepted(record, attempts) === attempt) return [];
    if (
      record !== undefined &&
      !attempts.some((other) => other.version > attempt.version) &&
      record.state === "failed" &&
      record.reason === "error"
    )
      return [];
    const { endedAt } = attempt.life;
    const writes = story.writesOf.get(attempt.id) ?? [];
    const taken = writes.filter(
      ({ verb, token, version, at }) =>
        (verb === "lapse" && token === attempt.token) ||
        (verb === "claim" && version > attempt.version && at > endedAt),
    );
    if (taken.length === 0 && record?.state === "failed") return [];
    const first = Math.min(...taken.map(({ at }) => at));
    return [{ attempt, took: Math.max(0, first - endedAt - lockedIn(story, endedAt, first)) }];
  });
}

/** The longest a recovery may take: `lease + reap interval + poll interval + 2 s`, the interval with its jitter. */
export function recoveryBound({ lease, reapEvery, poll }: Evidence): number {
  return lease + 1.2 * reapEvery + poll + 2_000;
}

function recovery(story: Story, evidence: Evidence): Check {
  const bound = recoveryBound(evidence);
  const tallied = new Tallied("B", `an interrupted record is taken back within ${Math.round(bound)} ms`);
  for (const { attempt, took } of recoveries(story, evidence)) {
    tallied.expect(took <= bound, () => `${attempt.id}: ${Math.round(took)} ms after ${attempt.life.who} had died`);
  }
  return tallied.check;
}
