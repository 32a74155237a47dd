/**
 * Ledgers: what every process saw, written outside the store under test. One event is one line, appended with a single
 * `O_APPEND` write, which a kill cannot tear or lose. Times are `CLOCK_MONOTONIC`, on Linux one clock for the machine.
 */
import { openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";

/** What a line says happened. */
export type EventName =
  // producer, around the call of `enqueue`
  | "enq_call"
  | "enq_ack"
  | "enq_err"
  // worker, around calls of the store
  | "claim_call"
  | "claim_ok"
  | "claim_none"
  | "finish_call"
  | "finish_applied"
  | "finish_refused"
  | "finish_unknown"
  | "lapse_call"
  | "lapse_applied"
  | "lapse_refused"
  | "lapse_unknown"
  | "other_applied"
  | "renew_held"
  | "renew_lost"
  | "renew_error"
  // handler
  | "start"
  | "effect"
  | "end"
  | "abort_seen"
  | "block"
  | "hog"
  | "freed"
  // process
  | "ready"
  | "stall"
  | "term_seen"
  | "failpoint"
  | "crash"
  // any process, around every call that matters to ownership: number of the call, and what came of it
  | "ask"
  | "told"
  // supervisor, about the store
  | "blow"
  | "outage"
  | "restored"
  // supervisor, about a process
  | "spawned"
  | "killed"
  | "stopped"
  | "continued"
  | "termed"
  | "forced"
  | "exited";

export interface Event {
  /** Monotonic milliseconds, with fractions. */
  readonly at: number;
  /** Name of the process it is about: `w2.5` is the fifth process in the second worker's place. */
  readonly who: string;
  readonly event: EventName;
  /** Record, or the client's own number for what the producer enqueues; empty where there is none. */
  readonly id: string;
  readonly attempt: number;
  readonly fence: number;
  /** Words that depend on the event. */
  readonly extra: readonly string[];
}

export interface Facts {
  readonly id?: string;
  readonly attempt?: number;
  readonly fence?: number;
  readonly extra?: readonly (string | number)[];
}

export class Ledger {
  readonly #file: number;
  readonly #who: string;

  /** @param who - Names the file; each process has its own. */
  constructor(folder: string, who: string) {
    this.#file = openSync(join(folder, `${who}.ledger`), "a");
    this.#who = who;
  }

  write(event: EventName, facts: Facts = {}): void {
    this.writeAll(event, [facts]);
  }

  /** Several lines of one kind in one write. */
  writeAll(event: EventName, all: readonly Facts[]): void {
    if (all.length > 0) writeSync(this.#file, all.map((facts) => this.#line(this.#who, event, facts)).join(""));
  }

  /** A line about another process. */
  about(who: string, event: EventName, facts: Facts = {}): void {
    writeSync(this.#file, this.#line(who, event, facts));
  }

  #line(who: string, event: EventName, { id = "", attempt = 0, fence = 0, extra = [] }: Facts): string {
    return `${process.hrtime.bigint()}\t${process.pid}\t${id}\t${attempt}\t${fence}\t${event}\t${who}\t${extra.join(" ")}\n`;
  }
}

/** Reads every ledger of a folder, in order of time. */
export function readLedgers(folder: string): Event[] {
  const events = readdirSync(folder)
    .filter((name) => name.endsWith(".ledger"))
    .flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n"))
    .filter((line) => line !== "")
    .map(parsed);
  return events.sort((a, b) => a.at - b.at);
}

function parsed(line: string): Event {
  const [at, , id = "", attempt, fence, event, who = "", extra = ""] = line.split("\t");
  return {
    at: Number(at) / 1e6,
    who,
    event: event as EventName,
    id,
    attempt: Number(attempt),
    fence: Number(fence),
    extra: extra === "" ? [] : extra.split(" "),
  };
}
