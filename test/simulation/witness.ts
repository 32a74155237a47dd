/**
 * The witness stands at the store's door and sees every call and every answer. It keeps its own copy of each record,
 * as the accepted writes made it, and holds every further write against the invariants of the protocol.
 */
import type {
  Change,
  ClaimRef,
  ClaimRequest,
  Insertion,
  Renewal,
  ScheduleChange,
} from "../../src/contracts/queue-backend.ts";
import { LIMITS, stamped } from "../../src/model/lifecycle.ts";
import { isTerminal, type TaskRecord } from "../../src/model/record.ts";
import { type Journal, short } from "./journal.ts";
import { RowWitness } from "./row-witness.ts";
import type { Result } from "./tasks.ts";

/** What the witness knows of one record beyond its present state. */
export interface Life {
  record: TaskRecord;
  /** Fences under which it ran: each once, in growing order. */
  readonly fences: number[];
  /** Handlers begun, and effects made. */
  starts: number;
  effects: number;
  /** Accepted ends of attempts by their owners, by claim. */
  readonly finished: Set<string>;
  /** Returns to the queue that explain a further attempt. */
  returns: number;
  lapses: number;
  /** Present in the store: false once retention removed it. */
  present: boolean;
}

export class Witness {
  readonly lives = new Map<string, Life>();
  /** Which process sent which claim token. */
  readonly #tokens = new Map<string, string>();
  readonly #keys = new Map<string, string>();
  readonly #journal: Journal;
  readonly schedules: RowWitness;
  /** Each accepted lapse: how long after its lease had ended, by the store's clock. */
  readonly lapses: { readonly id: string; readonly late: number }[] = [];

  constructor(journal: Journal) {
    this.#journal = journal;
    this.schedules = new RowWitness(journal);
  }

  /** The process that holds the record's claim. */
  ownerOf(record: TaskRecord): string | undefined {
    return record.claim === null ? undefined : this.#tokens.get(record.claim);
  }

  inserted(who: string, insertions: readonly Insertion[]): void {
    for (const { created, record } of insertions) {
      const { id, key } = record;
      if (!created) {
        this.#journal.note(who, "insert: exists", [id]);
        continue;
      }
      // A request that comes later than retention finds its own record gone, and makes it again.
      const known = this.lives.get(id)?.present === true;
      this.#journal.check("I11", !known, () => "an id was inserted twice", id);
      if (key !== null) {
        const holder = this.#keys.get(key);
        this.#journal.check("I11", holder === undefined, () => `key ${key} is held by ${holder}`, id);
        this.#keys.set(key, id);
      }
      this.lives.set(id, {
        ...{ record, fences: [], starts: 0, effects: 0, finished: new Set(), returns: 0, lapses: 0, present: true },
      });
      this.#journal.note(who, `inserted ${record.input ?? ""}`, [id]);
    }
  }

  claimed(who: string, request: ClaimRequest, records: readonly TaskRecord[], now: number): void {
    const sender = this.#tokens.get(request.token);
    this.#journal.check("I4", sender === undefined || sender === who, () => `${who} claims with ${sender}'s token`);
    this.#tokens.set(request.token, who);
    let fresh = 0;
    for (const record of records) {
      const life = this.#life("claim", record.id);
      if (life === null) continue;
      const before = life.record;
      this.#journal.check(
        "I4",
        record.claim === request.token,
        () => "the claim is not the token asked for",
        record.id,
      );
      // The answer again. A request that the network brings late may also claim anew, under the token of long ago.
      if (before.version === record.version) continue;
      fresh += 1;
      this.#steps(before, record, "I3");
      const { id } = record;
      this.#journal.check("I2", before.state === "pending", () => `claimed while ${before.state}`, id);
      this.#journal.check("I3", (record.startedAt ?? 0) > (before.startedAt ?? 0), () => "the fence has not grown", id);
      this.#journal.check("T2", before.readyAt <= now, () => `claimed ${before.readyAt - now} ms too early`, id);
      this.#journal.check("T11", before.expiresAt === null || before.expiresAt > now, () => "claimed when expired", id);
      life.record = record;
      this.#journal.note(who, `claimed v${record.version} attempt ${record.attempt} token ${short(request.token)}`, [
        id,
      ]);
    }
    this.#journal.check("T2", fresh <= request.limit, () => `${fresh} claimed instead of ${request.limit}`);
  }

  applied(who: string, changes: readonly Change[], answers: readonly boolean[], now: number): void {
    for (const [index, change] of changes.entries()) {
      const { from, to } = change;
      if (!answers[index]) {
        this.#journal.note(who, `refused v${from.version} to ${to?.state}`, [from.id]);
        continue;
      }
      const life = this.#life("write", from.id);
      if (life === null || to === null) continue;
      this.#accept(who, life, change, to, now);
      life.record = { ...to, leaseUntil: to.leaseUntil === null ? null : life.record.leaseUntil };
      if (to.key === null && life.record !== null && from.key !== null) this.#keys.delete(from.key);
    }
  }

  renewed(who: string, refs: readonly ClaimRef[], answers: readonly Renewal[], now: number): void {
    for (const [index, { id, claim }] of refs.entries()) {
      const answer = answers[index] as Renewal;
      const life = this.lives.get(id);
      if (answer.state !== "held") {
        this.#journal.note(who, `renewal: ${answer.state}`, [id]);
        continue;
      }
      const record = life?.record;
      const mine = record?.claim === claim && record.state === "running";
      this.#journal.check("I4", mine, () => `${who} renewed a lease that is not its own`, id);
      if (life === undefined || !mine) continue;
      const leaseUntil = now + answer.remaining;
      this.#journal.check(
        "I16",
        life.record.policy.timeout === null ||
          leaseUntil <= (record.startedAt ?? 0) + life.record.policy.timeout + 15_000,
        () => "renewed past the attempt's hard end",
        id,
      );
      life.record = { ...life.record, leaseUntil };
      this.#journal.note(who, `renewed for ${Math.round(answer.remaining)} ms`, [id]);
    }
  }

  /**
   * Steps of schedules. Which of their ticks are new follows from what is known: the store's answer does not say, and to
   * ask it would come too late for what others do meanwhile.
   */
  advanced(who: string, changes: readonly ScheduleChange[], answers: readonly boolean[], now: number): void {
    for (const [index, change] of changes.entries()) {
      if (!answers[index]) {
        this.#journal.note(who, `schedule ${(change.from ?? change.to)?.name}: refused v${change.from?.version}`);
        continue;
      }
      this.schedules.accepted(who, change);
      for (const tick of change.ticks) {
        const { id, key } = tick.record;
        const known = this.lives.get(id)?.present === true || (key !== null && this.#keys.has(key));
        if (known) this.#journal.note(who, "tick: exists", [id]);
        else this.inserted(who, [{ created: true, record: stamped(tick, now) }]);
      }
    }
  }

  /** The ids of the records that should be in the store. */
  present(): string[] {
    return [...this.lives].filter(([, life]) => life.present).map(([id]) => id);
  }

  /** Retention removed these. */
  pruned(ids: readonly string[]): void {
    for (const id of ids) {
      const life = this.#life("removal", id);
      if (life === null) continue;
      this.#journal.check("I1", isTerminal(life.record), () => `removed while ${life.record.state}`, id);
      life.present = false;
      this.#journal.note("store", "pruned", [id]);
    }
  }

  #life(what: string, id: string): Life | null {
    const life = this.lives.get(id);
    this.#journal.check(
      "I13",
      life?.present === true,
      () => `a ${what} was accepted on a record that is not there`,
      id,
    );
    return life ?? null;
  }

  /** Holds one accepted write against what may follow the record as it was. */
  #accept(who: string, life: Life, { from, lapsed }: Change, to: TaskRecord, now: number): void {
    const { record: before } = life;
    const { id } = before;
    const owner = this.ownerOf(before);
    this.#steps(before, to, "I12");
    const again = isRevival(before, to);
    this.#journal.check("I2", again || !isTerminal(before), () => `${before.state} became ${to.state}`, id);
    const seen = from.version === before.version && from.claim === before.claim;
    this.#journal.check("I5", seen, () => `a write made from v${from.version} was accepted on v${before.version}`, id);
    this.#journal.check("I10", to.losses <= LIMITS.losses, () => `${to.losses} losses`, id);
    this.#journal.check("I10", to.failures <= to.policy.retries + 1, () => `${to.failures} failures`, id);
    this.#journal.note(
      who,
      `v${to.version} ${before.state} to ${to.state}${to.reason === null ? "" : ` (${to.reason})`}`,
      [id],
    );
    if (again) life.returns += 1;
    else if (before.state !== "running") this.#acceptWaiting(before, to, now);
    else if (isRequest(before, to)) return;
    else if (who === owner && !lapsed) this.#acceptOwner(life, to);
    else if (to.state !== "running") this.#acceptLapse(who, life, now);
    else this.#journal.check("I4", false, () => `${who} wrote to a record owned by ${owner}`, id);
  }

  #acceptLapse(who: string, life: Life, now: number): void {
    const { record: before } = life;
    const { id } = before;
    const owner = this.ownerOf(before);
    const late = now - (before.leaseUntil ?? now);
    this.#journal.check(
      "I8",
      late > 0,
      () => `taken from ${owner} by ${who} ${-late} ms before its lease was over`,
      id,
    );
    life.lapses += 1;
    life.returns += 1;
    this.lapses.push({ id, late });
  }

  #acceptWaiting(before: TaskRecord, to: TaskRecord, now: number): void {
    this.#journal.check("I4", to.state === "cancelled", () => `${before.state} became ${to.state}`, before.id);
    if (to.reason !== "expired") return;
    const over = before.expiresAt !== null && before.expiresAt <= now;
    this.#journal.check("T11", over, () => "expired before its time", before.id);
  }

  /** An owner's write: its own attempt's, and the only end of that attempt. */
  #acceptOwner(life: Life, to: TaskRecord): void {
    const { record: before } = life;
    if (to.state === "running") return;
    const claim = `${before.claim} ${before.startedAt}`;
    this.#journal.check("I4", !life.finished.has(claim), () => "a claim ended twice", before.id);
    life.finished.add(claim);
    if (to.attempt === before.attempt) life.returns += 1;
    const fence = fenceOf(to, before);
    if (fence === null) return;
    this.#journal.check(
      "I5",
      fence === before.startedAt,
      () => `the end of the attempt with fence ${fence} was accepted for the one with fence ${before.startedAt}`,
      before.id,
    );
  }

  #steps(before: TaskRecord, after: TaskRecord, invariant: string): void {
    const { id } = before;
    this.#journal.check(
      invariant,
      after.version === before.version + 1,
      () => `version ${before.version} became ${after.version}`,
      id,
    );
  }
}

/** Whether a write brings back what ended badly. */
function isRevival(before: TaskRecord, to: TaskRecord): boolean {
  const badly = before.state === "failed" || before.state === "cancelled";
  return badly && to.state === "pending" && to.revivals === before.revivals + 1;
}

/** Whether a write only notes that somebody wants the record cancelled. */
function isRequest(before: TaskRecord, to: TaskRecord): boolean {
  const { progress, logs, begun } = before;
  const untouched = to.progress === progress && to.logs === logs && to.begun === begun;
  return to.state === "running" && to.cancelRequestedAt !== null && untouched;
}

/** The fence of the attempt that a record's new end speaks of; null where it does not say. */
function fenceOf(to: TaskRecord, before: TaskRecord): number | null {
  if (to.state === "completed" && to.result !== null) return (JSON.parse(to.result) as Result).fence;
  if (to.error === null || to.error === before.error) return null;
  const said = /^fence=(\d+)$/u.exec(to.error.message)?.[1];
  return said === undefined ? null : Number(said);
}
