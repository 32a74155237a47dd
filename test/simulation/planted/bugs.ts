/**
 * One-line bugs, most of them seen in well-known queues, as edits of the compiled core and memory store. The simulation
 * must turn red for each within so many seeds; the numbers are those of the project's list of planted bugs.
 */

export interface PlantedBug {
  readonly what: string;
  /** Each edit: a file below `src`, compiled, text that occurs there once, and what takes its place. */
  readonly edits: readonly (readonly [file: string, from: string, to: string])[];
  /** The invariants that may notice; empty: nothing may, the copy is as good as the original. */
  readonly by: readonly string[];
  /** Where to begin looking, to save time: a little before the first seed that was found to be red; default 1. */
  readonly from?: number;
}

const ATTEMPT = "core/attempt.js";
const CLAIMS = "core/claims.js";
const LEASE = "core/lease.js";
const REST = "core/rest.js";
const UPKEEP = "core/upkeep.js";
const STORE = "backends/memory/index.js";

const LAPSED = "find({ by: this.#by, after: this.#after, limit: PAGE })";
const OWN_CLOCK =
  'page({ order: "oldest", after: this.#after, limit: PAGE, states: ["running"] }).then(({ records }) => records.filter((row) => row.leaseUntil < this.#parts.runtime.clock.wall()))';

export const plantedBugs: readonly PlantedBug[] = [
  { what: "nothing: the copy itself is green", edits: [], by: [] },
  {
    what: "M1 a finish without the claim's token",
    edits: [[ATTEMPT, "isOwned(current, this.claim) ? ", "true ? "]],
    by: ["I5", "I4", "I8"],
    from: 41,
  },
  {
    what: "M2 a finish guarded by the state only",
    edits: [[ATTEMPT, "isOwned(current, this.claim) ? ", 'current.state === "running" ? ']],
    by: ["I5", "I4", "I8"],
    from: 41,
  },
  {
    what: "M2 a store that guards a write by the state only",
    edits: [
      [STORE, "current.version !== from.version || current.claim !== from.claim", "current.state !== from.state"],
    ],
    by: ["I5", "I12", "I4"],
  },
  {
    what: "M3 recovery reads, then writes: the lease is not in the guard",
    edits: [[UPKEEP, "{ lapsed: true }", "{}"]],
    by: ["I8"],
    from: 1550,
  },
  {
    what: "M6 a renewal that is not fenced",
    edits: [[STORE, "record.claim !== claim || ", ""]],
    by: ["I4"],
    from: 25,
  },
  {
    what: "M7 the age of a lease by the worker's own clock",
    edits: [
      [UPKEEP, LAPSED, OWN_CLOCK],
      [UPKEEP, "{ lapsed: true }", "{}"],
    ],
    by: ["I8", "liveness"],
  },
  {
    what: "M8 the local window counted from the answer to a claim",
    edits: [
      [
        CLAIMS,
        "return { records, sent, granted: records",
        "return { records, sent: runtime.clock.mono(), granted: records",
      ],
    ],
    by: ["lease", "watchdog"],
    from: 24,
  },
  {
    what: "M8 the local window counted from the answer to a renewal",
    edits: [[LEASE, "entry.until = sent + ", "entry.until = this.#runtime.clock.mono() + "]],
    by: ["lease", "watchdog"],
    from: 391,
  },
  {
    what: "M9 hints only, no polling",
    edits: [[REST, "return Math.max(this.#interval, this.#current * spread);", "return spread + 1e12;"]],
    by: ["liveness", "I17"],
  },
  {
    what: "M18 rows that cannot be dealt with hide the others",
    edits: [
      [UPKEEP, "const PAGE = 100;", "const PAGE = 1;"],
      [UPKEEP, "const PASS = 1_000;", "const PASS = 1;"],
      [UPKEEP, "this.#after = page.length < PAGE ? null : (page.at(-1)?.id ?? null);", "this.#after = null;"],
    ],
    by: ["liveness", "I8"],
  },
  {
    what: "M19 a new token after a claim without an answer",
    edits: [[CLAIMS, "this.#token ??= ids.token();", "this.#token = ids.token();"]],
    by: ["I7"],
  },
  {
    what: "an older attempt finds the new lease under its id",
    edits: [[ATTEMPT, '!this.#concluded && !this.#joint?.isDone && this.#aborted?.code !== "LEASE_LOST" && ', ""]],
    by: ["lease"],
    from: 28,
  },
];
