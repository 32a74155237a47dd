/** How processes behave: zombies notice, stops are clean, nobody crashes, the store is sound, everything drains. */
import { type Check, type Evidence, Tallied } from "./check.ts";
import { RETURN, returned } from "./outages.ts";
import { covered } from "./spans.ts";
import { type Attempt, isSudden, type Life, type Story } from "./story.ts";

export function checkProcesses(story: Story, evidence: Evidence): Check[] {
  return [
    zombies(story, evidence),
    stops(story),
    crashes(story),
    poisonPace(story, evidence),
    sound(evidence),
    drained(evidence),
    ...(story.outages.length > 0 ? [back(story)] : []),
  ];
}

/** Attempts that a stop past the lease met while their handler ran, with the stop. */
export function zombieAttempts(story: Story, lease: number): { readonly attempt: Attempt; readonly wokenAt: number }[] {
  return story.attempts.flatMap((attempt) =>
    attempt.life.stops
      .filter(({ from, to }) => to - from > lease && to < Number.POSITIVE_INFINITY)
      .filter(({ from }) => (attempt.startedAt ?? Number.POSITIVE_INFINITY) < from && attempt.answeredAt > from)
      .map(({ to }) => ({ attempt, wokenAt: to })),
  );
}

function zombies(story: Story, { lease, heartbeat }: Evidence): Check {
  const bound = 1.2 * heartbeat + 2_000;
  const tallied = new Tallied(
    "Z",
    `a handler that a stop cost its lease sees its signal within ${Math.round(bound)} ms of waking`,
  );
  for (const { attempt, wokenAt } of zombieAttempts(story, lease)) {
    const { life, abortSeenAt, handlerEndedAt } = attempt;
    // It may also have ended first, or its process may have ended or been stopped again.
    const again = life.stops.some(({ from }) => from >= wokenAt && from < wokenAt + bound);
    // Nobody took the record over: a renewal after waking was still in time, and there is nothing to notice.
    const kept = !(story.writesOf.get(attempt.id) ?? []).some(
      ({ verb, version, at }) =>
        (verb === "lapse" || verb === "claim") && version > attempt.version && at < wokenAt + bound,
    );
    const over =
      kept || again || life.endedAt < wokenAt + bound || (handlerEndedAt !== null && handlerEndedAt < wokenAt + bound);
    tallied.expect(
      over || (abortSeenAt !== null && abortSeenAt < wokenAt + bound),
      () => `${attempt.id}: the handler in ${life.who} went on unaware`,
    );
  }
  return tallied.check;
}

function stops(story: Story): Check {
  const tallied = new Tallied(
    "G",
    "after SIGTERM nothing is claimed, what runs is finished or, after a second one, handed back; exit code 0, or 2",
  );
  for (const life of story.lives) {
    if (life.role !== "worker" || isSudden(life)) continue;
    const term = life.events.find(({ event }) => event === "term_seen");
    if (term === undefined) continue;
    const codes = life.forcedAt === null ? ["0"] : ["0", "2"];
    tallied.expect(
      codes.includes(life.ending),
      () => `${life.who} ended with ${life.ending || "nothing"} after SIGTERM`,
    );
    // A claim whose answer was lost is asked for again, under the same token.
    const late = life.events.filter(
      ({ event, at, extra }) => event === "claim_call" && at > term.at && story.firstAsked.get(extra[0] ?? "") === at,
    );
    tallied.expect(late.length === 0, () => `${life.who} claimed ${late.length} times after SIGTERM`);
    // A stop waits for the store only so long; what it then leaves behind lapses.
    if (covered([...story.locked, ...life.kept], term.at, life.endedAt) > 0) continue;
    const open = story.attempts.filter(
      (attempt) =>
        attempt.life === life &&
        attempt.answeredAt > life.endedAt &&
        !isStale(attempt) &&
        !isTaken(story, attempt, term.at),
    );
    tallied.expect(open.length === 0, () => `${life.who} left ${open.map(({ id }) => id).join(", ")} unfinished`);
  }
  return tallied.check;
}

/** Whether the process knew that the record was no longer its own: then it reports nothing. */
function isStale(attempt: Attempt): boolean {
  return (
    attempt.abortSeenAt !== null ||
    attempt.life.events.some(
      ({ event, id, extra }) => event === "renew_lost" && id === attempt.id && extra[0] === attempt.token,
    )
  );
}

/** Whether the record had been taken from it before: what a process read about that, no ledger tells. */
function isTaken(story: Story, { id, token }: Attempt, before: number): boolean {
  const writes = story.writesOf.get(id) ?? [];
  return writes.some((write) => write.verb === "lapse" && write.token === token && write.at < before);
}

function crashes(story: Story): Check {
  const tallied = new Tallied("H", "no process ended or threw but by a fault of ours");
  for (const life of story.lives) {
    const crash = life.events.find(({ event }) => event === "crash");
    tallied.expect(crash === undefined, () => `${life.who}: ${crash?.extra.join(" ")}`);
    tallied.expect(
      isExplained(life),
      () => `${life.who} ended with ${life.ending || "nothing"}, and nobody asked it to`,
    );
  }
  return tallied.check;
}

function isExplained({ ending, cause, termedAt, forcedAt, events }: Life): boolean {
  if (ending === "SIGKILL") return cause !== null && cause !== "pill";
  if (ending === "SIGABRT") return events.some(({ event, extra }) => event === "start" && extra[0] === "pill");
  // Before it listens, SIGTERM ends a process like any other.
  if (ending === "SIGTERM") return termedAt !== null && !events.some(({ event }) => event === "ready");
  return termedAt !== null && (ending === "0" || (ending === "2" && forcedAt !== null));
}

/** How long each worker that lived through an outage took to claim again, of time in which the store and it were well. */
export function returns(story: Story): { readonly who: string; readonly took: number; readonly back: boolean }[] {
  return story.lives.flatMap((life) => {
    const ready = life.events.find(({ event }) => event === "ready");
    if (life.role !== "worker" || ready === undefined) return [];
    const blocks = life.events.filter(({ event }) => event === "block");
    const away = blocks.map(({ at, extra }) => ({ from: at, to: at + Number(extra[0]) }));
    const bad = [...story.outages, ...life.stops, ...life.hogs, ...away];
    const present = { from: ready.at, to: Math.min(life.termedAt ?? life.endedAt, life.endedAt) };
    const asks = [...life.asks.values()];
    return story.outages.flatMap((outage) => {
      const answer = returned(outage, asks, bad, present);
      return answer === null ? [] : [{ who: life.who, ...answer }];
    });
  });
}

function back(story: Story): Check {
  const tallied = new Tallied(
    "W",
    `with the store well again for ${RETURN / 1_000} s, every worker claims, in the same process`,
  );
  for (const { who, took, back } of returns(story))
    tallied.expect(back && took <= RETURN, () => `${who} did not claim for ${Math.round(took)} ms`);
  return tallied.check;
}

function poisonPace(story: Story, { lease }: Evidence): Check {
  const tallied = new Tallied("P", "a task that kills its worker is not tried again before its lease is over");
  const lastStart = new Map<string, number>();
  for (const { event, id, at, extra } of story.events) {
    if (event !== "start" || extra[0] !== "pill") continue;
    const before = lastStart.get(id);
    lastStart.set(id, at);
    if (before !== undefined)
      tallied.expect(
        at - before >= lease / 2,
        () => `${id} ran again ${Math.round(at - before)} ms after it had begun`,
      );
  }
  return tallied.check;
}

function sound({ unsound }: Evidence): Check {
  const tallied = new Tallied("I", "the store's own integrity check finds nothing");
  tallied.expect(unsound.length === 0, () => unsound.join("; "));
  return tallied.check;
}

function drained({ stuck }: Evidence): Check {
  const tallied = new Tallied("D", "with the faults over, everything drains");
  tallied.expect(stuck === null, () => stuck ?? "");
  return tallied.check;
}
