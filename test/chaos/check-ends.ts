/** How records end: none lost, one terminal state each, effects as many as the faults allow. */
import { LIMITS } from "../../src/model/lifecycle.ts";
import { isTerminal, type TaskRecord } from "../../src/model/record.ts";
import { type Check, type Evidence, Tallied } from "./check.ts";
import { isForever, type Kind, type Work } from "./load.ts";
import { type Attempt, type Story, wasHit } from "./story.ts";

export function checkEnds(story: Story, evidence: Evidence): Check[] {
  const records = new Map(evidence.records.map((record) => [record.id, record]));
  return [
    lost(story, evidence, records),
    doubled(story, evidence),
    terminal(story, evidence),
    ends(story, evidence),
    effects(story, evidence),
    totals(story, evidence),
  ];
}

/** The client's own number of a record. */
function clientOf(record: TaskRecord): number {
  return record.input === null ? -1 : (JSON.parse(record.input) as Work).n;
}

function lost(story: Story, { load }: Evidence, records: ReadonlyMap<string, TaskRecord>): Check {
  const tallied = new Tallied("L", "every acknowledged enqueue is in the store, and every task was acknowledged");
  const acknowledged = new Map<number, string[]>();
  for (const { event, id, extra } of story.events) {
    if (event === "enq_ack") acknowledged.set(Number(id), [...(acknowledged.get(Number(id)) ?? []), extra[0] ?? ""]);
  }
  for (const { n } of load) {
    const ids = acknowledged.get(n) ?? [];
    tallied.expect(ids.length > 0, () => `client ${n} was never acknowledged`);
    for (const id of ids) {
      const record = records.get(id);
      tallied.expect(record !== undefined, () => `client ${n}: acknowledged as ${id}, which is not in the store`);
      if (record !== undefined)
        tallied.expect(clientOf(record) === n, () => `client ${n}: ${id} belongs to client ${clientOf(record)}`);
    }
  }
  return tallied.check;
}

/** When an end of the record was last sent: the ledgers' own time. */
function endSentAt(story: Story, { id }: TaskRecord): number {
  const isCall = (event: string): boolean => event === "finish_call" || event === "lapse_call";
  const sent = story.events.filter((each) => each.id === id && isCall(each.event) && isEnd(each.extra[0] ?? ""));
  return sent.at(-1)?.at ?? Number.POSITIVE_INFINITY;
}

/** When somebody first knew of the record. */
function seenAt(story: Story, { id }: TaskRecord): number {
  const seen = story.events.find(
    ({ event, id: about, extra }) => (event === "claim_ok" && about === id) || (event === "enq_ack" && extra[0] === id),
  );
  return seen?.at ?? Number.POSITIVE_INFINITY;
}

/**
 * The store's times decide. Where writes wait for each other, they may be a moment out of order: an insertion reads its time,
 * waits for the end of the record that holds the key, and goes on. Then the ledgers decide: nobody knew of the later
 * record before that end was sent.
 */
function inTime(story: Story, before: TaskRecord, record: TaskRecord, { writesOverlap }: Evidence): boolean {
  if (before.finishedAt === null) return false;
  if (before.finishedAt <= record.createdAt) return true;
  return writesOverlap && endSentAt(story, before) < seenAt(story, record);
}

function doubled(story: Story, evidence: Evidence): Check {
  const { records } = evidence;
  const tallied = new Tallied("U", "one live record per key; a forever key has one record ever");
  const calls = new Map<number, number>();
  for (const { event, id } of story.events) {
    if (event === "enq_call") calls.set(Number(id), (calls.get(Number(id)) ?? 0) + 1);
  }
  const byClient = new Map<number, TaskRecord[]>();
  for (const record of records) byClient.set(clientOf(record), [...(byClient.get(clientOf(record)) ?? []), record]);
  for (const [n, all] of byClient) {
    const most = isForever(n) ? 1 : (calls.get(n) ?? 0);
    tallied.expect(all.length <= most, () => `client ${n} has ${all.length} records after ${calls.get(n)} enqueues`);
    const inTurn = [...all].sort((a, b) => a.createdAt - b.createdAt);
    for (const [at, record] of inTurn.entries()) {
      const before = inTurn[at - 1];
      if (before === undefined) continue;
      tallied.expect(
        inTime(story, before, record, evidence),
        () =>
          `client ${n}: ${record.id} was stored at ${record.createdAt} while ${before.id} held the key until ${before.finishedAt}`,
      );
    }
  }
  return tallied.check;
}

function terminal(story: Story, { records }: Evidence): Check {
  const tallied = new Tallied("T", "every record has one terminal state, and nothing was written after it");
  for (const record of records) {
    tallied.expect(isTerminal(record), () => `${record.id} is ${record.state} after the run`);
    const endings = (story.writesOf.get(record.id) ?? []).filter(({ to }) => isEnd(to));
    tallied.expect(endings.length <= 1, () => `${record.id} was ended ${endings.length} times: ${shown(endings)}`);
    for (const ending of endings) {
      tallied.expect(
        ending.to === record.state && ending.version === record.version,
        () => `${record.id} ended as ${shown([ending])} but is ${record.state} in version ${record.version}`,
      );
    }
  }
  return tallied.check;
}

const isEnd = (state: string): boolean => state === "completed" || state === "failed" || state === "cancelled";

function shown(writes: readonly { readonly to: string; readonly version: number; readonly who: string }[]): string {
  return writes.map(({ to, version, who }) => `${to} (version ${version}, by ${who})`).join(", ");
}

const WANTED: Readonly<Record<Kind, readonly string[]>> = {
  plain: ["completed"],
  stubborn: ["completed"],
  flaky: ["completed"],
  blocker: ["completed"],
  hostile: ["failed error"],
  pill: ["failed poison"],
};

/** Besides, whoever was hit three times may have been taken for poison. */
function ends(story: Story, evidence: Evidence): Check {
  const { records, load } = evidence;
  const tallied = new Tallied(
    "K",
    "each task ended as its kind demands; poison only after three losses; only a handler's own errors spend retries",
  );
  const kinds = new Map(load.map(({ n, kind }) => [n, kind]));
  for (const record of records) {
    const kind = kinds.get(clientOf(record)) ?? "plain";
    const end = record.state === "completed" ? "completed" : `${record.state} ${record.reason}`;
    const attempts = story.attemptsOf.get(record.id) ?? [];
    // A claim whose answer nobody lived to read leaves no attempt behind.
    const poisoned =
      end === "failed poison" && record.losses >= LIMITS.losses && faultsOf(story, record, attempts, evidence) >= 2;
    const names = `${record.id} (${kind}) is ${end} after ${record.losses} losses, ${attempts.length} known attempts`;
    tallied.expect(WANTED[kind].includes(end) || poisoned, () => names);
    if (end === "failed error")
      tallied.expect(typeof record.error?.message === "string", () => `${names}: no error is recorded`);
    const own = kind === "flaky" || kind === "hostile" ? 1 : 0;
    tallied.expect(record.failures <= own, () => `${names}: ${record.failures} failures were counted`);
    if (kind === "pill") tallied.expect(record.losses === LIMITS.losses, () => names);
  }
  return tallied.check;
}

function faultsOf(story: Story, record: TaskRecord, attempts: readonly Attempt[], evidence: Evidence): number {
  const unseen = (story.writesOf.get(record.id) ?? []).filter(
    ({ verb, token }) => verb === "lapse" && !attempts.some((attempt) => attempt.token === token),
  );
  return attempts.filter((attempt) => wasHit(attempt, evidence)).length + unseen.length;
}

/** The completing attempt of a record, as its result names it. */
export function accepted(record: TaskRecord, attempts: readonly Attempt[]): Attempt | undefined {
  if (record.state !== "completed" || record.result === null) return undefined;
  const { fence, who } = JSON.parse(record.result) as { readonly fence: number; readonly who: string };
  return attempts.find((attempt) => attempt.fence === fence && attempt.life.who === who);
}

function effects(story: Story, evidence: Evidence): Check {
  const { records } = evidence;
  const tallied = new Tallied("S", "effects per record: one, and at most one more per fault that hit it");
  for (const record of records) {
    const attempts = story.attemptsOf.get(record.id) ?? [];
    const winner = accepted(record, attempts);
    const hits = attempts.filter((attempt) => wasHit(attempt, evidence)).length;
    const count = attempts.reduce((sum, attempt) => sum + attempt.effects.length, 0);
    if (record.state === "completed") {
      tallied.expect(winner !== undefined, () => `${record.id}: its result names no attempt that a ledger knows`);
      tallied.expect(winner?.effects.length === 1, () => `${record.id}: the accepted attempt left no effect`);
    }
    tallied.expect(count <= 1 + hits, () => `${record.id}: ${count} effects with ${hits} faults in its attempts`);
    for (const attempt of attempts) {
      if (attempt === winner || attempt.effects.length === 0) continue;
      tallied.expect(
        attempt.effects.length === 1 && wasHit(attempt, evidence),
        () => `${record.id}: attempt ${attempt.attempt} of ${attempt.life.who} left an effect that no fault explains`,
      );
    }
  }
  return tallied.check;
}

function totals(story: Story, evidence: Evidence): Check {
  const { records } = evidence;
  const tallied = new Tallied(
    "Σ",
    "effects in total: at least one per completed record, at most one more per attempt hit",
  );
  const completed = records.filter(({ state }) => state === "completed").length;
  const count = story.attempts.reduce((sum, attempt) => sum + attempt.effects.length, 0);
  const hits = story.attempts.filter((attempt) => wasHit(attempt, evidence)).length;
  tallied.expect(
    count >= completed && count <= completed + hits,
    () => `${count} effects for ${completed} completed records and ${hits} attempts hit`,
  );
  return tallied.check;
}
