/** The witness' copy of the schedules, as the accepted steps made it; each further step is held against it. */
import type { ScheduleChange, ScheduleRow } from "../../src/contracts/queue-backend.ts";
import type { Journal } from "./journal.ts";

export class RowWitness {
  /** The schedules there are, by name. */
  readonly rows = new Map<string, ScheduleRow>();
  /** The highest version that each name ever had, also of those that are gone. */
  readonly #highest = new Map<string, number>();
  readonly #journal: Journal;

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /** A step that the store accepted. */
  accepted(who: string, { from, to, ticks }: ScheduleChange): void {
    const name = (from ?? to)?.name ?? "";
    const known = this.rows.get(name);
    const seen = (row: ScheduleRow | null | undefined): string => (row == null ? "none" : `v${row.version}`);
    this.#journal.check(
      "I5",
      known?.version === from?.version,
      () => `a step of ${name} made from ${seen(from)} was accepted on ${seen(known)}`,
    );
    this.#journal.note(who, `schedule ${name}: ${seen(from)} to ${seen(to)}, ${ticks.length} ticks`);
    if (to === null) {
      this.#journal.check("I13", from !== null, () => "a step from nothing to nothing was accepted");
      this.rows.delete(name);
      return;
    }
    this.#journal.check("I5", from === null || to.name === from.name, () => `${name} became ${to.name}`);
    const highest = this.#highest.get(name) ?? 0;
    this.#journal.check("I3", to.version > highest, () => `version ${highest} of ${name} became ${to.version}`);
    this.#highest.set(name, Math.max(highest, to.version));
    this.rows.set(name, to);
  }

  /** Holds what the store has at the end against what it accepted. */
  compare(stored: readonly ScheduleRow[]): void {
    const found = new Map(stored.map((row) => [row.name, row]));
    for (const [name, row] of this.rows) {
      const same = found.get(name)?.version === row.version && found.get(name)?.body === row.body;
      this.#journal.check(
        "I6",
        same,
        () => `schedule ${name} is stored v${found.get(name)?.version}, not v${row.version}`,
      );
    }
    for (const { name } of stored) {
      this.#journal.check("I13", this.rows.has(name), () => `schedule ${name} is stored, but was removed`);
    }
  }
}
