/** What happened, in order: a hash over all of it, the events of one record, counts of faults and of checks. */

/** Thrown where an invariant does not hold. */
export class Violation extends Error {
  readonly invariant: string;
  readonly id: string | null;

  constructor(invariant: string, message: string, id: string | null = null) {
    super(message);
    this.name = "Violation";
    this.invariant = invariant;
    this.id = id;
  }
}

export class Journal {
  readonly #now: () => number;
  readonly #print: ((line: string) => void) | null;
  readonly #histories = new Map<string, string[]>();
  readonly violations: Violation[] = [];
  readonly checks = new Map<string, number>();
  readonly faults = new Map<string, number>();
  #hash = 0x811c9dc5;
  events = 0;

  constructor(now: () => number, print: ((line: string) => void) | null = null) {
    this.#now = now;
    this.#print = print;
  }

  /** Notes an event; the ids are the records it is about. */
  note(who: string, what: string, ids: readonly string[] = []): void {
    const line = `${this.#now().toFixed(3).padStart(12)} ${who.padEnd(9)} ${what}`;
    this.events += 1;
    this.#mix(line);
    for (const id of ids) {
      const history = this.#histories.get(id);
      if (history === undefined) this.#histories.set(id, [line]);
      else history.push(line);
    }
    this.#print?.(ids.length === 0 ? line : `${line}  [${ids.map(short).join(" ")}]`);
  }

  /** A fault was injected. */
  fault(kind: string): void {
    this.faults.set(kind, (this.faults.get(kind) ?? 0) + 1);
  }

  /** Checks an invariant; the message is made only when it does not hold. */
  check(invariant: string, holds: boolean, message: () => string, id: string | null = null): void {
    this.checks.set(invariant, (this.checks.get(invariant) ?? 0) + 1);
    if (holds) return;
    const violation = new Violation(invariant, message(), id);
    this.violations.push(violation);
    this.note("CHECK", `VIOLATED ${invariant}: ${violation.message}`, id === null ? [] : [id]);
  }

  historyOf(id: string): readonly string[] {
    return this.#histories.get(id) ?? [];
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }

  #mix(line: string): void {
    let hash = this.#hash;
    for (let at = 0; at < line.length; at += 1) hash = Math.imul(hash ^ line.charCodeAt(at), 0x01000193);
    this.#hash = hash;
  }
}

/** The random end of an id, which tells ids of one millisecond apart. */
export function short(id: string): string {
  return id.slice(-6);
}
