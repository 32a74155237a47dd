/** The faults, and how each is done to a crew. */
import type { Chance } from "./chance.ts";
import type { Crew, Role } from "./crew.ts";
import type { Ledger } from "./ledger.ts";
import type { Failpoint, Fate } from "./orders.ts";
import { BLOWS, type Blow, OUTAGES, type Outage, type Trouble } from "./trouble.ts";

/** Faults that happen at a moment; `pill` and `block` are part of the workload instead. */
export type Fault = "kill" | "stop" | "term" | "force" | "producer" | "hog" | Blow | Outage | Failpoint;

/** Kinds of faults that need a server. */
export const SERVER_KINDS: readonly string[] = ["sessions", "network", "server", "locks", "pool"];

/** What may be asked for on the command line, and the faults that it means. */
export const FAULT_KINDS: Readonly<Record<string, readonly Fault[]>> = {
  kill: ["kill"],
  windows: ["claim:after", "finish:before", "finish:after", "lapse:before", "lapse:after"],
  stop: ["stop"],
  term: ["term", "force"],
  producer: ["producer", "insert:before", "insert:after", "hold:after", "ack:after"],
  pill: [],
  block: [],
  sessions: ["sever", "cancel"],
  network: ["reset", "swallow"],
  server: ["restart"],
  locks: ["lock"],
  pool: ["hog"],
};

/** How many of each fault. */
export type Plan = Readonly<Partial<Record<Fault, number>>>;

/** The faults of a plan in the order in which a seed has them; the producer's come early, since it is done before the rest. */
export function sequence(plan: Plan, random: Chance): Fault[] {
  const all = Object.entries(plan).flatMap(([fault, count]) => Array.from({ length: count }, () => fault as Fault));
  return all
    .filter((fault) => !isFate(fault))
    .map((fault) => ({ fault, place: random.next() * (fault === "producer" ? 0.5 : 1) }))
    .sort((a, b) => a.place - b.place)
    .map(({ fault }) => fault);
}

/** How the producer's lives end, by the same plan: each at one of its first writes. */
export function fates(plan: Plan, random: Chance): Fate[] {
  const all = Object.entries(plan).flatMap(([fault, count]) => Array.from({ length: count }, () => fault as Fault));
  return random.shuffled(all.filter(isFate)).map((point) => ({ point, time: random.between(1, 3) }));
}

function isFate(fault: Fault): fault is Failpoint {
  return /^insert|^hold|^ack/.test(fault);
}

const isBlow = (fault: Fault): fault is Blow => BLOWS.includes(fault as Blow);
const isOutage = (fault: Fault): fault is Outage => OUTAGES.includes(fault as Outage);

/** Most workers stopped at once: the others must be able to take over. */
const MOST_STOPPED = 2;

export class Faults {
  readonly #crew: Crew;
  readonly #random: Chance;
  readonly #lease: number;
  readonly #stopped = new Set<Promise<void>>();
  readonly #trouble: Trouble | null;
  readonly #ledger: Ledger;
  #outage: Promise<void> | null = null;

  constructor(crew: Crew, random: Chance, lease: number, trouble: Trouble | null, ledger: Ledger) {
    this.#trouble = trouble;
    this.#ledger = ledger;
    this.#crew = crew;
    this.#random = random;
    this.#lease = lease;
  }

  /** Failpoints whose process ended before it got there: to be done again. */
  readonly missed: Fault[] = [];

  /** Does it to somebody. @returns false when there is nobody to do it to now */
  do(fault: Fault): boolean {
    if (isBlow(fault)) return this.#blow(fault);
    if (isOutage(fault)) return this.#begin(fault);
    const role: Role = fault === "producer" ? "producer" : "worker";
    const ready = this.#crew.ready(role);
    const victim = this.#random.pick(fault.includes(":") ? ready.filter(({ armed }) => armed === null) : ready);
    // A producer that is done can be hurt no more, and of the workers one must be left to go on.
    if (victim === undefined || (role === "producer" ? this.#crew.produced : ready.length < 2)) return false;
    switch (fault) {
      case "kill":
      case "producer":
        this.#crew.kill(victim);
        return true;
      case "term":
        this.#crew.term(victim);
        return true;
      case "force":
        void this.#crew.force(victim);
        return true;
      case "hog":
        for (const member of ready) this.#crew.hog(member, this.#lease * (0.5 + this.#random.next()));
        return true;
      case "stop":
        if (this.#stopped.size >= MOST_STOPPED) return false;
        this.#pause(victim);
        return true;
      case "lapse:before":
      case "lapse:after":
        // Who will recover the next record is nobody's choice.
        for (const member of ready) this.#crew.arm(member, fault);
        return true;
      default:
        this.#crew.arm(victim, fault);
        void victim.ended.then((itself) => itself || this.missed.push(fault));
        return true;
    }
  }

  /** Resolves when everybody who was stopped runs again. */
  async over(): Promise<void> {
    await this.#outage;
    await Promise.all(this.#stopped);
  }

  #blow(blow: Blow): boolean {
    if (this.#trouble === null || this.#outage !== null) return false;
    this.#ledger.about("store", "blow", { extra: [blow] });
    // Who was to be hit may just have gone.
    void this.#trouble.blow(blow, this.#random.next()).catch(() => {});
    return true;
  }

  #begin(outage: Outage): boolean {
    if (this.#trouble === null || this.#outage !== null) return false;
    this.#ledger.about("store", "outage", { extra: [outage] });
    this.#outage = this.#trouble.outage(outage, this.#lease * (0.3 + 1.2 * this.#random.next())).then(() => {
      this.#ledger.about("store", "restored", { extra: [outage] });
      this.#outage = null;
    });
    return true;
  }

  #pause(victim: Parameters<Crew["pause"]>[0]): void {
    const pause = this.#crew.pause(victim, this.#lease * (1.5 + 1.5 * this.#random.next()));
    this.#stopped.add(pause);
    void pause.then(() => this.#stopped.delete(pause));
  }
}
