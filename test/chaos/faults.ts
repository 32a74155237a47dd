/** The faults, and how each is done to a crew. */
import type { Chance } from "./chance.ts";
import type { Crew, Role } from "./crew.ts";
import type { Failpoint } from "./orders.ts";

/** Faults that happen at a moment; `pill` and `block` are part of the workload instead. */
export type Fault = "kill" | "stop" | "term" | "force" | "producer" | Failpoint;

/** What may be asked for on the command line, and the faults that it means. */
export const FAULT_KINDS: Readonly<Record<string, readonly Fault[]>> = {
  kill: ["kill"],
  windows: ["claim:after", "finish:before", "finish:after", "lapse:before", "lapse:after"],
  stop: ["stop"],
  term: ["term", "force"],
  producer: ["producer", "insert:before", "insert:after", "hold:after"],
  pill: [],
  block: [],
};

/** How many of each fault. */
export type Plan = Readonly<Partial<Record<Fault, number>>>;

/** The faults of a plan in the order in which a seed has them. */
export function sequence(plan: Plan, random: Chance): Fault[] {
  const all = Object.entries(plan).flatMap(([fault, count]) => Array.from({ length: count }, () => fault as Fault));
  return random.shuffled(all);
}

/** Most workers stopped at once: the others must be able to take over. */
const MOST_STOPPED = 2;

export class Faults {
  readonly #crew: Crew;
  readonly #random: Chance;
  readonly #lease: number;
  readonly #stopped = new Set<Promise<void>>();

  constructor(crew: Crew, random: Chance, lease: number) {
    this.#crew = crew;
    this.#random = random;
    this.#lease = lease;
  }

  /** Does it to somebody. @returns false when there is nobody to do it to now */
  do(fault: Fault): boolean {
    const role: Role = fault === "producer" || /^insert|^hold/.test(fault) ? "producer" : "worker";
    const ready = this.#crew.ready(role);
    const victim = this.#random.pick(ready);
    if (victim === undefined) return false;
    switch (fault) {
      case "kill":
      case "producer":
        this.#crew.kill(victim);
        return true;
      case "term":
        // One must be left to go on.
        if (ready.length < 2) return false;
        this.#crew.term(victim);
        return true;
      case "force":
        if (ready.length < 2) return false;
        void this.#crew.force(victim);
        return true;
      case "stop":
        if (this.#stopped.size >= MOST_STOPPED || ready.length < 2) return false;
        this.#pause(victim);
        return true;
      case "lapse:before":
      case "lapse:after":
        // Who will recover the next record is nobody's choice.
        for (const member of ready) this.#crew.arm(member, fault);
        return true;
      default:
        this.#crew.arm(victim, fault);
        return true;
    }
  }

  /** Resolves when everybody who was stopped runs again. */
  async over(): Promise<void> {
    await Promise.all(this.#stopped);
  }

  #pause(victim: Parameters<Crew["pause"]>[0]): void {
    const pause = this.#crew.pause(victim, this.#lease * (1.5 + 1.5 * this.#random.next()));
    this.#stopped.add(pause);
    void pause.then(() => this.#stopped.delete(pause));
  }
}
