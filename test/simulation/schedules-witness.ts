/** Watches every step of every schedule at the store's door, and holds it against what schedules promise. */
import type { Change, ScheduleChange, ScheduleRow } from "../../src/contracts/queue-backend.ts";
import type { Draft, TaskRecord } from "../../src/model/record.ts";
import { isTerminal } from "../../src/model/record.ts";
import { decodeSchedule } from "../../src/model/schedule-text.ts";
import type { StoreCall } from "../../src/testing/intercept.ts";
import type { Journal } from "./journal.ts";

/** What a schedule of the simulation is, told without the code under test: instants `first + n * every`. */
export interface Expected {
  readonly every: number;
  /** Set when it is made. */
  first: number;
  readonly jitter: number;
  readonly overlap: "allow" | "skip" | "queue-one" | "cancel-running";
}

/** One tick that came to be. */
interface Tick {
  readonly id: string;
  started: boolean;
  asked: boolean;
  ended: boolean;
}

export class ScheduleWitness {
  readonly #journal: Journal;
  readonly #expected: ReadonlyMap<string, Expected>;
  readonly #rows = new Map<string, ScheduleRow>();
  /** Ids that anybody gave to a tick, made or not. */
  readonly #ids = new Map<string, string>();
  /** By schedule, by nominal instant. */
  readonly ticks = new Map<string, Map<number, Tick>>();
  readonly #byId = new Map<string, Tick>();

  constructor(journal: Journal, expected: ReadonlyMap<string, Expected>) {
    this.#journal = journal;
    this.#expected = expected;
  }

  /** A call was answered by the store, at this time of its clock. */
  saw(who: string, { method, args }: StoreCall, answer: unknown, now: number): void {
    const [first] = args;
    if (method === "advance") {
      const held = answer as readonly boolean[];
      for (const [at, change] of (first as readonly ScheduleChange[]).entries()) {
        for (const draft of change.ticks) this.#named(draft);
        if (held[at] === true) this.#advanced(who, change, now);
        else this.#journal.fault("a step came too late");
      }
    } else if (method === "apply") {
      const applied = answer as readonly boolean[];
      for (const [at, { to }] of (first as readonly Change[]).entries()) if (applied[at] && to) this.#changed(to);
    } else if (method === "claim") {
      for (const record of answer as readonly TaskRecord[]) this.#changed(record);
    }
  }

  /** Whoever makes the tick of an instant gives it the same id. */
  #named({ record }: Draft): void {
    const { origin, id } = record;
    if (origin?.kind !== "schedule") return;
    const name = `${origin.schedule} ${origin.scheduledFor}`;
    const known = this.#ids.get(name);
    this.#journal.check("tick-id", known === undefined || known === id, () => `${name} is ${known} and ${id}`, id);
    this.#ids.set(name, id);
  }

  #advanced(who: string, { from, to, ticks }: ScheduleChange, now: number): void {
    const journal = this.#journal;
    const name = (from ?? to)?.name ?? "";
    const before = this.#rows.get(name);
    const instants = ticks.map(({ record }) => (record.origin?.kind === "schedule" ? record.origin.scheduledFor : 0));
    journal.note(who, `advances ${name} to version ${to?.version}: ${instants.join(" ") || "no tick"}`);
    journal.check("guard", before?.version === from?.version, () => `${name} moved on from ${from?.version}`);
    if (to === null) {
      this.#rows.delete(name);
      return;
    }
    this.#rows.set(name, to);
    const after = decodeSchedule(to.body);
    journal.check("trouble", after.problem === null, () => `${name}: ${after.problem}`);
    if (before !== undefined) {
      const then = decodeSchedule(before.body);
      journal.check("cursor", after.cursor >= then.cursor, () => `${name} goes back to ${after.cursor}`);
      journal.check("count", after.count === then.count + ticks.length, () => `${name} counts ${after.count}`);
    }
    for (const [at, { record, runAt }] of ticks.entries())
      this.#made(name, instants[at] ?? 0, record.id, { runAt, now });
  }

  #made(name: string, instant: number, id: string, { runAt, now }: { runAt: number | null; now: number }): void {
    const journal = this.#journal;
    const expected = this.#expected.get(name);
    if (expected === undefined) return;
    const mine = this.ticks.get(name) ?? new Map<number, Tick>();
    this.ticks.set(name, mine);
    const { first, every, jitter, overlap } = expected;
    journal.check("I11", !mine.has(instant), () => `${name} ticks twice for ${instant}`, id);
    journal.check("early", instant <= now, () => `${name} ticks for ${instant} at ${now}`, id);
    const onGrid = instant >= first && (instant - first) % every === 0;
    journal.check("timetable", onGrid, () => `${name} ticks for ${instant}, which is none of its instants`, id);
    const wait = (runAt ?? Number.NaN) - instant;
    journal.check("jitter", wait >= 0 && wait <= jitter, () => `${name} waits ${wait} ms of ${jitter}`, id);
    const live = [...mine.values()].filter(({ ended }) => !ended);
    if (overlap === "skip") journal.check("overlap", live.length === 0, () => `${name} overlaps`, id);
    if (overlap === "queue-one") {
      journal.check(
        "overlap",
        live.every(({ started }) => started),
        () => `${name} queues two`,
        id,
      );
    }
    if (overlap === "cancel-running") {
      journal.check(
        "overlap",
        live.every(({ asked }) => asked),
        () => `${name} lets its predecessor run`,
        id,
      );
    }
    const tick = { id, started: false, asked: false, ended: false };
    mine.set(instant, tick);
    this.#byId.set(id, tick);
  }

  #changed(record: TaskRecord): void {
    const tick = this.#byId.get(record.id);
    if (tick === undefined) return;
    tick.started ||= record.state !== "pending" || record.attempt > 0;
    tick.asked ||= record.cancelRequestedAt !== null;
    tick.ended ||= isTerminal(record);
  }
}
