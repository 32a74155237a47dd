/** The checker: decides from the ledgers and the final dump of the store. The run itself asserts nothing. */
import type { TaskRecord } from "../../src/model/record.ts";
import { checkClaims } from "./check-claims.ts";
import { checkEnds } from "./check-ends.ts";
import { checkProcesses } from "./check-processes.ts";
import type { Event } from "./ledger.ts";
import type { Work } from "./load.ts";
import { type Story, storyOf } from "./story.ts";

/** Everything a verdict is drawn from. */
export interface Evidence {
  readonly events: readonly Event[];
  /** Every record, after the run. */
  readonly records: readonly TaskRecord[];
  readonly load: readonly Work[];
  readonly lease: number;
  readonly heartbeat: number;
  readonly reapEvery: number;
  readonly poll: number;
  /** Whether the store lets several write at once: then one write may wait for another, with its time read already. */
  readonly writesOverlap: boolean;
  /** What the store's own check found. */
  readonly unsound: readonly string[];
  /** Why the run did not come to its end by itself; null if it did. */
  readonly stuck: string | null;
}

export interface Check {
  /** Letter of the invariant; `protocol.md` and `test/chaos/README.md` name them. */
  readonly id: string;
  readonly statement: string;
  /** How many cases were looked at. */
  readonly cases: number;
  readonly violations: readonly string[];
}

export interface Judged {
  readonly story: Story;
  readonly checks: readonly Check[];
}

export function judge(evidence: Evidence): Judged {
  const story = storyOf(evidence.events);
  const checks = [...checkEnds(story, evidence), ...checkClaims(story, evidence), ...checkProcesses(story, evidence)];
  return { story, checks };
}

/** Collects cases and violations of one check. */
export class Tallied {
  readonly #id: string;
  readonly #statement: string;
  readonly #violations: string[] = [];
  #cases = 0;

  constructor(id: string, statement: string) {
    this.#id = id;
    this.#statement = statement;
  }

  /** One case: what is wrong if it does not hold. */
  expect(holds: boolean, otherwise: () => string): void {
    this.#cases += 1;
    if (!holds) this.#violations.push(otherwise());
  }

  get check(): Check {
    return { id: this.#id, statement: this.#statement, cases: this.#cases, violations: this.#violations };
  }
}
